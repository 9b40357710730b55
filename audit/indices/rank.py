"""Agreement of rankings: Spearman without pairs, Kendall, weighted tau, split-half reliability.

Plain Spearman over tens of thousands of edges is dominated by near-zero ones: report weighted tau
or RBO on |score|, or Spearman on the union of the circuits, and say signed or absolute.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import weightedtau

from circuitvar.audit.indices.midranks import unit_ranks
from circuitvar.audit.intervals import (
    all_runs_equal,
    row_jackknife_se,
    t_interval,
    without_interval,
)
from circuitvar.audit.types import Estimate

Scores = Float[np.ndarray, " edge"]


def spearman(a: Scores, b: Scores, *, only: Bool[np.ndarray, " edge"] | None = None) -> float:
    """Rank correlation, ties at mid-ranks, optionally on some edges only. NaN for constant scores.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])), 6)
    -1.0
    """
    if only is not None:
        a, b = a[only], b[only]
    first, second = _unit_ranks(np.stack([a, b]))
    return float(first @ second)


def weighted_tau(a: Scores, b: Scores) -> float:
    """Weighted Kendall tau of |score| (Vigna 2015; additive hyperbolic weights 1/(rank + 1)).

    So exchanges near the top count most. NaN for constant scores.
    """
    first, second = np.abs(a), np.abs(b)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(weightedtau(first, second)[0])  # pyright: ignore[reportArgumentType]


def mean_spearman(scores: Float[np.ndarray, "run edge"]) -> float:
    """Mean Spearman over all pairs of B runs without forming pairs.

    rho = (||sum_b z_b||² - B) / (B (B - 1)), z_b the centred unit-norm ranks of run b.
    """
    runs = len(scores)
    if runs < 2:
        return float("nan")
    total = _unit_ranks(scores).sum(axis=0)
    return float((total @ total - runs) / (runs * (runs - 1)))


def mean_spearman_of_runs(
    scores: Float[np.ndarray, "run edge"], *, level: float = 0.95
) -> Estimate:
    """`mean_spearman` of independent runs with the row jackknife t(M-1) interval.

    When all runs rank alike the SE is 0; the lower end is then (1 - level)^(2/(M-1)), as for phi:
    a pair of runs that does not is taken to be uncorrelated.
    """
    runs, unit = len(scores), _unit_ranks(scores)
    value = mean_spearman(scores)
    if runs > 2 and value > 1 - 1e-9:
        return all_runs_equal("mean Spearman", runs, level=level)
    if runs < 3:
        return without_interval("mean Spearman", value, runs, level=level)
    total = unit.sum(axis=0)
    rest = total @ total - 2 * unit @ total + 1
    left_out = (rest - (runs - 1)) / ((runs - 1) * (runs - 2))
    se, how = row_jackknife_se(left_out), "row jackknife t"
    estimate = Estimate(
        "mean Spearman", value, se, level=level, n=runs, interval=how, kind="runs", unit="run"
    )
    return t_interval(estimate, df=runs - 1, bounds=(-1.0, 1.0))


def kendall_w(scores: Float[np.ndarray, "run edge"]) -> float:
    """Kendall's coefficient of concordance, from rho = (B W - 1) / (B - 1)."""
    runs = len(scores)
    return float((mean_spearman(scores) * (runs - 1) + 1) / runs)


def _unit_ranks(scores: Float[np.ndarray, "run edge"]) -> Float[np.ndarray, "run edge"]:
    return unit_ranks(scores.T, np.ones(scores.shape[1])).T
