"""Finders in a design: circuits that are found again for every perturbation.

A finder is not a mean over examples, so its circuit under other prompts cannot be computed from
stored scores: resampled prompts, single templates and other sizes are runs of their own here. Such
a run has a circuit and no scores; a design with finders decomposes membership alone.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuitvar.audit.streams import resampled_prompts
from circuitvar.circuits.find import get_finder, run_finder
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from circuitvar.audit.runs.design import Design, RunKey
    from circuitvar.circuits.model import Model

FINDER = "finder"
"""Key or `module:attribute`; null is the scoring method and selection rule of the run."""
FINDER_SEED = "finder_seed"
"""The finder's own seed, for finders that draw random numbers; null is the run's."""
UNUSED = ("method", "ablation", "steps", "signed", "selection", "granularity", "batch_size")
"""What scoring and selecting do, and a finder does by itself."""


def finder_of(levels: Mapping[str, object]) -> str | None:
    """The finder of a run, None where it scores and selects."""
    found = levels.get(FINDER)
    return None if found is None else str(found)


def any_finder(keys: "Sequence[RunKey]") -> bool:
    """Whether some run's circuit comes from a finder: then runs have no scores to decompose."""
    return any(finder_of(dict(key.levels)) for key in keys)


def check_finders(design: "Design") -> None:
    """Refuse what a finder would ignore.

    Raises
    ------
    ValueError
        An unknown finder, a seed without a finder, or a facet that finders do not use.
    """
    facets = {facet.name: facet.levels for facet in design.facets}
    finders = [str(level) for level in facets.get(FINDER, ()) if level is not None]
    for key in finders:
        get_finder(key)
    if FINDER_SEED in facets and not finders:
        raise ValueError(
            f"facet {FINDER_SEED!r} is the seed of a finder; add a facet {FINDER!r}, e.g. with the "
            "level edge-pruning"
        )
    unused = [name for name in UNUSED if len(facets.get(name, ())) > 1]
    if finders and unused:
        raise ValueError(
            f"finder {finders[0]!r} does not use {unused[0]!r}; leave that facet out, or run the "
            "scoring methods in a design of their own"
        )


def find_run(
    model: "Model",
    batch: Batch,
    levels: Mapping[str, object],
    *,
    metric: Metric,
    size: int,
    seed: int,
    finder_seed: int,
) -> dict[str, np.ndarray]:
    """The circuit of one run: `kept[edge]`, as the finder returned it, and `weights[example]`.

    `prompts` resamples the batch with the stream that scoring methods use, so that runs with the
    same number use the same prompts; `template` keeps one template.

    Raises
    ------
    ValueError
        No prompt is left, or the finder returned a circuit of another graph.
    """
    key = str(levels[FINDER])
    rows = perturbed_rows(batch, levels, seed=seed)
    finder, part = get_finder(key), take(batch, rows)
    circuit = run_finder(finder, model, part, metric=metric, size=size, seed=finder_seed)
    weights = np.bincount(rows, minlength=len(batch)) / len(rows)
    return {"kept": circuit.kept, "weights": weights}


def perturbed_rows(batch: Batch, levels: Mapping[str, object], *, seed: int) -> np.ndarray:
    """Rows of the batch that a run uses; a row drawn twice comes twice."""
    rows = np.arange(len(batch))
    resample = levels.get("prompts")
    if resample:
        rows = np.sort(resampled_prompts(seed, int(str(resample)), len(batch)))
    template = levels.get("template")
    if template is not None:
        rows = rows[np.array(batch.templates)[rows] == template]
    if not len(rows):
        raise ValueError(
            f"none of the {len(batch)} prompts of this run has template {template!r}; use more "
            "prompts"
        )
    return rows
