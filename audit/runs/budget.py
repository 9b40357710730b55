"""What a design will cost, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuitvar.audit.runs.design import Design, RunKey, run_keys
from circuitvar.audit.runs.facets import pass_key
from circuitvar.audit.runs.finder_runs import finder_of


@dataclass(frozen=True)
class Budget:
    """Scoring passes over a data set, runs of finders, time and disk of a design."""

    runs: int
    passes: int
    seconds: float
    bytes: int
    finder_runs: int = 0

    @property
    def sentence(self) -> str:
        """E.g. `43 scoring passes, about 6 minutes, 1.2 GB`."""
        minutes, seconds = self.seconds / 60, max(1, round(self.seconds))
        time = f"{seconds} second{'s' * (seconds > 1)}"
        if minutes >= 1.5:
            time = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
        gigabytes = self.bytes / 1e9
        disk = f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{self.bytes / 1e6:.1f} MB"
        parts = []
        if self.passes:
            parts.append(f"{self.passes} scoring pass{'es' * (self.passes > 1)}")
        if self.finder_runs:
            parts.append(f"{self.finder_runs} finder run{'s' * (self.finder_runs > 1)}")
        return f"{' and '.join(parts)}, about {time}, {disk}"


def cost_label(levels: Mapping[str, object]) -> str:
    """What the cost of a pass depends on: its finder, or its method and integration steps.

    >>> cost_label({"method": "eap-ig-inputs", "steps": 30}), cost_label({"data": 1})
    ('eap-ig-inputs, 30 steps', '')
    """
    steps = f", {levels['steps']} steps" if "steps" in levels else ""
    return finder_of(levels) or f"{levels.get('method', '')}{steps}"


def budget(
    design: Design,
    *,
    examples: int,
    n_edges: int,
    seconds_per_example: float,
    method_cost: Mapping[str, float] | None = None,
    keys: Sequence[RunKey] | None = None,
) -> Budget:
    """Count the distinct passes of a design; facets that need no model call share one.

    `seconds_per_example`: of the default method, measured on a few prompts. `method_cost`: cost of
    each method or finder relative to it, by `cost_label`. Scores are stored as float32 per example,
    circuits of finders as one byte per edge. `keys`: the runs that are left where some cells are
    not defined; default all. A facet `n` counts its own prompts.

    >>> from circuitvar.audit.runs.design import Facet
    >>> d = Design((Facet("method", ("eap", "exact")), Facet("size", (50, 100, 200))))
    >>> budget(d, examples=100, n_edges=1000, seconds_per_example=0.1).sentence
    '2 scoring passes, about 20 seconds, 0.8 MB'
    """
    keys = run_keys(design) if keys is None else keys
    cells = {pass_key(key) for key in keys}
    cost, size, found = 0.0, 0, 0
    for cell in cells:
        chosen = dict(cell.levels)
        n = int(chosen.get("n") or examples)
        finder = finder_of(chosen)
        found += finder is not None
        cost += (method_cost or {}).get(cost_label(chosen), 1.0) * n
        size += n_edges if finder else n * n_edges * 4
    return Budget(len(keys), len(cells) - found, cost * seconds_per_example, size, found)
