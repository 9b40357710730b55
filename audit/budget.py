"""What a design will cost, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuitvar.audit.design import Design, RunKey, run_keys
from circuitvar.audit.facets import FREE


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
        minutes, seconds = self.seconds / 60, max(1, round(self.seconds))
        time = f"{seconds} second{'s' * (seconds > 1)}"
        if minutes >= 1.5:
            time = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
        gigabytes = self.bytes / 1e9
        disk = f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{self.bytes / 1e6:.1f} MB"
        return f"{self.passes} scoring pass{'es' * (self.passes > 1)}, about {time}, {disk}"


def budget(
    design: Design,
    *,
    examples: int,
    n_edges: int,
    seconds_per_example: float,
    method_cost: Mapping[str, float] | None = None,
    free: frozenset[str] = FREE,
    keys: Sequence[RunKey] | None = None,
) -> Budget:
    """Count the distinct model settings of a design; facets in `free` share a pass.

    `seconds_per_example`: of the default method, measured on a few prompts. `method_cost`: cost of
    each method relative to it. Scores are stored as float32 per example. `keys`: the runs that are
    left where some cells are not defined; default all. A facet `n` counts its own prompts.

    >>> from circuitvar.audit.design import Facet
    >>> d = Design((Facet("method", ("eap", "exact")), Facet("size", (50, 100, 200))))
    >>> budget(d, examples=100, n_edges=1000, seconds_per_example=0.1).sentence
    '2 scoring passes, about 20 seconds, 0.8 MB'
    """
    keys = run_keys(design) if keys is None else keys
    cells = {
        (tuple(pair for pair in key.levels if pair[0] not in free), key.replicate) for key in keys
    }
    cost, prompts = 0.0, 0
    for levels, _ in cells:
        chosen = dict(levels)
        n = int(chosen.get("n") or examples)
        cost += (method_cost or {}).get(str(chosen.get("method", "")), 1.0) * n
        prompts += n
    return Budget(len(keys), len(cells), cost * seconds_per_example, prompts * n_edges * 4)
