"""What a design will cost, before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from circuitvar.audit.design import Design, run_keys

FREE_FACETS: frozenset[str] = frozenset({"size", "signed", "bootstrap", "template", "prompts"})
"""Facets computed from stored per-example scores, without a model call."""


@dataclass(frozen=True)
class Budget:
    """Scoring passes over a data set, time and disk of a design."""

    runs: int
    passes: int
    seconds: float
    bytes: int

    @property
    def sentence(self) -> str:
        """E.g. `43 scoring passes, about 6 minutes, 1.2 GB`."""
        minutes = self.seconds / 60
        time = f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{self.seconds:.0f} seconds"
        gigabytes = self.bytes / 1e9
        disk = f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{self.bytes / 1e6:.1f} MB"
        return f"{self.passes} scoring passes, about {time}, {disk}"


def budget(
    design: Design,
    *,
    examples: int,
    n_edges: int,
    seconds_per_example: float,
    method_cost: Mapping[str, float] | None = None,
    free: frozenset[str] = FREE_FACETS,
) -> Budget:
    """Count the distinct model settings of a design; facets in `free` share a pass.

    `seconds_per_example`: of the default method, measured on a few prompts. `method_cost`: cost of
    each method relative to it. Scores are stored as float32 per example.

    >>> from circuitvar.audit.design import Facet
    >>> d = Design((Facet("method", ("eap", "exact")), Facet("size", (50, 100, 200))))
    >>> budget(d, examples=100, n_edges=1000, seconds_per_example=0.1).sentence
    '2 scoring passes, about 20 seconds, 0.8 MB'
    """
    keys = run_keys(design)
    cells = {
        (tuple(pair for pair in key.levels if pair[0] not in free), key.replicate) for key in keys
    }
    cost = 0.0
    for levels, _ in cells:
        method = str(dict(levels).get("method", ""))
        cost += (method_cost or {}).get(method, 1.0)
    return Budget(
        len(keys),
        len(cells),
        cost * examples * seconds_per_example,
        len(cells) * examples * n_edges * 4,
    )
