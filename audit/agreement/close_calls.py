"""Intervals of agreement where a few edges close to the cut decide.

One data set can make its resamples agree nearly always or nearly never on a close call, and shows
nothing of how another data set would decide it. Without a floor nominal 95 % intervals of the
planted noise model held the truth in .50 to .95 of data sets.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.indices import off_diagonal
from circuitvar.audit.intervals import UNSEEN, t_interval, unseen_swap
from circuitvar.audit.types import Estimate
from circuitvar.circuits.t_interval import t_quantile

FEW_SWAPS = 3.0
"""Where two sets of a pair differ in fewer edges than this, a few close calls decide."""
DECIDE = "a few close calls decide"
"""What the name of an interval says when they do."""
_OF_RESAMPLES = 0.3
"""Part of the variance of one pair of resamples; .2 to .3 in simulations."""


def weight_of_few(swaps: float) -> float:
    """1 up to `FEW_SWAPS`, then (`FEW_SWAPS` / swaps)²: many calls average out."""
    return min(1.0, FEW_SWAPS / swaps) ** 2 if swaps > 0 else 1.0


def least_of_resamples(
    phi: Estimate,
    jaccard: Estimate,
    pairs: Float[np.ndarray, "replicate replicate"],
    *,
    size: float,
    n_edges: int,
) -> tuple[Estimate, Estimate]:
    """The two with t intervals as wide as close calls, or one unseen swap, make them at least.

    `pairs`: Jaccard of every two; `size`: mean size of the sets.

    A pair with Jaccard J differs in 2 k (1 - J)/(1 + J) edges, so its phi is
    1 - (1 - J)/((1 + J)(1 - k/E)).
    """
    share = size / n_edges
    if not 0 < share < 1 or len(pairs) < 3:
        return phi, jaccard
    each = off_diagonal(pairs)
    differ = (1 - each) / (1 + each)
    few = _OF_RESAMPLES * weight_of_few(size * float(differ.mean()))
    variances = (differ / (1 - share)).var(), each.var()
    swaps = unseen_swap(size, share, phi.level)
    first, second = (
        _at_least(estimate, few * float(variance), swap, floor)
        for estimate, variance, swap, floor in zip(
            (phi, jaccard), variances, swaps, (-1.0, 0.0), strict=True
        )
    )
    return first, second


def _at_least(estimate: Estimate, variance: float, swap: float, floor: float) -> Estimate:
    if not np.isfinite(estimate.se):
        return estimate
    quantile = t_quantile(estimate.n - 1, estimate.level)
    se, name = estimate.se, estimate.interval
    if variance > se**2:
        se, name = float(np.sqrt(variance)), f"{estimate.interval}; {DECIDE}"
    if quantile * se < swap:
        se, name = swap / quantile, f"{estimate.interval}; {UNSEEN}"
    return t_interval(
        replace(estimate, se=se, interval=name), df=estimate.n - 1, bounds=(floor, 1.0)
    )
