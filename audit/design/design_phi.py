"""phi of all runs of a design, with an interval over what the design samples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.design.design_summary import varied
from circuitvar.audit.design.identifiable import labels_of
from circuitvar.audit.indices import phi, row_projections
from circuitvar.audit.intervals import resample_se, row_jackknife_se, t_interval
from circuitvar.audit.runs import DATA, SAMPLE, Design, RunKey, pools
from circuitvar.audit.types import Estimate

Masks = Bool[np.ndarray, "run edge"]
Weights = Sequence[Float[np.ndarray, " _example"]]
RESAMPLED = SAMPLE[0]
LEAST_RESAMPLES = 10
"""Fewer resamples than this say nothing of the data they were drawn from."""


def phi_of_design(
    design: Design,
    keys: Sequence[RunKey],
    masks: Masks,
    *,
    weights: Weights = (),
    level: float = 0.95,
) -> Estimate:
    """phi of all runs. Its variance adds up, over random facets, a jackknife over their levels.

    A level that pools the others, such as all templates beside single ones, is left in and not
    left out. Resamples of prompts are no levels: all are of one data set, and without one of them
    phi hardly moves (coverage .67). Where fresh data sets vary too, these show what prompts do;
    else the prompts do, by the infinitesimal jackknife from the `weights` of prompts in each run;
    not in one-at-a-time designs, whose other runs are of the prompts as drawn.
    """
    random = [facet.name for facet in design.facets if facet.random]
    units = {name: labels_of(keys, (name,)) for name in random if (name,) in varied(keys)}
    if DATA in units:
        units.pop(RESAMPLED, None)
    label = f"jackknife over levels of {' and '.join(n for n in units if n != RESAMPLED)}"
    if RESAMPLED in units:
        label = f"infinitesimal jackknife over prompts{f'; {label}' if len(units) > 1 else ''}"
    if not units and design.crossing == "sampled":
        units, label = {"run": np.arange(len(keys))}, "row jackknife t"
    variance, least, missing = 0.0, np.inf, ""
    for name, code in units.items():
        if name == RESAMPLED:
            added, number = _of_resamples(design, keys, masks, weights)
        else:
            pooled = [pools(design, name, dict(key.levels).get(name)) for key in keys]
            single = np.unique(code[~np.array(pooled)])
            number = len(single)
            left_out = np.array([phi(masks[code != u]) for u in single])
            added = row_jackknife_se(left_out) ** 2
        variance, least = variance + added, min(least, number)
    if not units:
        missing, variance, least = "no facet is a sample", np.nan, 0
    elif not np.isfinite(variance):
        missing = "fewer than 3 levels of a random facet"
        if RESAMPLED in units:
            missing += f", or than {LEAST_RESAMPLES} resamples crossed with the rest"
    if missing:
        label, missing = f"none: {missing}", f"no interval: {missing}"
    estimate = Estimate(
        "phi",
        phi(masks),
        float(np.sqrt(variance)),
        level=level,
        n=int(least),
        interval=label,
        estimand="agreement of two runs of the design",
        kind="" if missing else "jackknife",
        unit="level",
        missing=missing,
    )
    return t_interval(estimate, df=least - 1, bounds=(-1.0, 1.0))


def _of_resamples(design: Design, keys, masks: Masks, weights: Weights) -> tuple[float, int]:
    """(variance over data sets, prompts) from resamples that were crossed with all else."""
    runs: dict[object, list[int]] = {}
    for row, key in enumerate(keys):
        number = dict(key.levels)[RESAMPLED]
        if number:
            runs.setdefault(number, []).append(row)
    rows, nothing = list(runs.values()), (float("nan"), len(runs))
    lengths = {len(weights[row]) for own in rows for row in own} if len(weights) else set()
    if len(rows) < LEAST_RESAMPLES or design.crossing == "one-at-a-time" or len(lengths) != 1:
        return nothing
    drawn = np.stack([np.mean([weights[row] for row in own], axis=0) for own in rows])
    counts = drawn[:, drawn.any(axis=0)] * drawn.any(axis=0).sum()
    projections = row_projections(masks)
    if not (np.isfinite(projections).all() and 0.5 <= counts.var(axis=0).mean() <= 2):
        return nothing
    t = np.array([2 * projections[own].mean() for own in rows])
    return resample_se(counts, t - t.mean()) ** 2, counts.shape[1]
