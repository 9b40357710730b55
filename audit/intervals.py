"""Intervals that several statistics share: t, row jackknife, infinitesimal jackknife, JAB.

Pairs of runs are dependent and replicates of one data set share its error, so none of these
treats pairs or replicates as the independent units: the unit is a run, a prompt or a template.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from circuitvar.audit.types import Estimate
from circuitvar.circuits.t_interval import t_quantile

ResampleInterval = Literal["ij", "jab"]

UNSEEN = "one swap unseen: conservative"
"""What the name of an interval says when only a swap that the data do not show keeps it from being
narrower."""
FEW_RUNS = {3: 0.2, 4: 0.1}
"""Share of the standard deviation of a count that the SE of so few runs is not taken below."""


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; a confidence level lies between 0 and 1, e.g. 0.95")


def t_interval(
    name: str,
    value: float,
    se: float,
    *,
    df: float,
    n: int,
    level: float = 0.95,
    interval: str,
    estimand: str = "",
    bounds: tuple[float, float] = (-np.inf, np.inf),
    draws: Float[np.ndarray, " draw"] | None = None,
) -> Estimate:
    """value ± t(df) * se, clipped to the range the statistic can take.

    >>> e = t_interval("mean", 1.0, 0.5, df=4, n=5, interval="t")
    >>> round(e.low, 4), round(e.high, 4)
    (-0.3882, 2.3882)
    """
    check_level(level)
    low = high = float("nan")
    if df >= 1 and np.isfinite(se) and np.isfinite(value):
        half = t_quantile(df, level) * se
        low, high = max(float(value) - half, bounds[0]), min(float(value) + half, bounds[1])
    return Estimate(
        name, float(value), float(se), low, high, level, n, interval, estimand, draws=draws
    )


def row_jackknife_se(leave_one_out: Float[np.ndarray, " run"]) -> float:
    """SE from leave-one-run-out values: SE² = (M-1)/M * sum (v_(-i) - mean)². NaN below 3 runs."""
    runs = len(leave_one_out)
    if runs < 3:
        return float("nan")
    centred = leave_one_out - leave_one_out.mean()
    return float(np.sqrt((runs - 1) / runs * (centred @ centred)))


def tied_runs_se(pairs: Float[np.ndarray, " pair"], runs: int) -> float:
    """SE of a mean over pairs of M runs when no single run moves it: sqrt(2/(M(M-1)) Var(pair)).

    The jackknife sees first-order effects only. Where two circuits are found equally often it is
    0, although another sample of runs would not be split in halves; this second-order term of a
    U-statistic (Hoeffding 1948) is what is left, and the SE is not taken below it.

    >>> round(tied_runs_se(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 4), 4)
    0.2108
    """
    if runs < 3:
        return float("nan")
    return float(np.sqrt(2 / (runs * (runs - 1)) * pairs.var(ddof=1)))


def few_runs_se(shared: float, size: float, runs: int) -> float:
    """Least SE of the share of edges that two of 3 or 4 runs have in common; 0 for more runs.

    Few pairs often agree equally by chance, which leaves the jackknife an SE of 0: with 3 runs the
    t interval then covered .79 to .92. If shared edges are a count out of `size`, one pair has
    variance p (1 - p)/size and the mean over runs at most 2/M of it; .2 and .1 of its root mend
    that (.95 to 1 in simulations) and are below the jackknife where circuits differ in many edges.

    >>> round(few_runs_se(0.95, 40, 3), 4), few_runs_se(0.95, 40, 5)
    (0.0056, 0.0)
    """
    part = FEW_RUNS.get(runs, 0.0)
    if not part or not size > 0:
        return 0.0
    p = float(np.clip(shared, 0.0, 1.0))
    return float(part * np.sqrt(2 / runs * p * (1 - p) / size))


def unseen_swap(size: float, share: float, level: float, *, pairs: int = 4) -> tuple[float, float]:
    """How far phi and Jaccard may lie from what was seen because of one swap of an edge: its size
    times 1 - (1 - level)^(1/pairs), as one that happens more often would have been seen in that
    many independent pairs: four quarters of a data set, or M/2 of M runs. NaN for phi where all
    edges or none are kept.

    >>> [round(x, 3) for x in unseen_swap(10, 0.1, 0.95)]
    [0.059, 0.096]
    """
    rare = 1 - (1 - level) ** (1 / pairs)
    phi = 1 / (size * (1 - share)) if 0 < share < 1 else np.nan
    return rare * phi, rare * 2 / (size + 1)


def with_unseen_swap(estimate: Estimate, swap: float, *, bounds: tuple[float, float]) -> Estimate:
    """The estimate with limits at least `swap` away from its value; its SE stays."""
    low = max(min(estimate.low, estimate.value - swap), bounds[0])
    high = min(max(estimate.high, estimate.value + swap), bounds[1])
    if not (low < estimate.low or high > estimate.high):
        return estimate
    return replace(estimate, low=low, high=high, interval=f"{estimate.interval}; {UNSEEN}")


def unit_influence(
    counts: Float[np.ndarray, "replicate unit"], projections: Float[np.ndarray, " replicate"]
) -> Float[np.ndarray, " unit"]:
    """Infinitesimal-jackknife terms C_i = (1/B) sum_b (N_bi - 1) t_b.

    `counts` N: how often replicate b holds unit i (mean 1, variance about 1, as under the
    bootstrap; Efron 2014). `projections` t_b: first-order contribution of replicate b to the
    statistic. C_i is also the influence of unit i: about the change when its weight grows by one.

    Raises
    ------
    ValueError
        When the counts do not have unit mean and roughly unit variance.
    """
    if counts.shape[0] != len(projections):
        raise ValueError(
            f"{counts.shape[0]} rows of counts for {len(projections)} replicates; "
            "pass the counts of the resamples that made the replicates"
        )
    spread = float(counts.var(axis=0, dtype=np.float64).mean())
    if not 0.5 <= spread <= 2 or abs(float(counts.mean(dtype=np.float64)) - 1) > 0.1:
        raise ValueError(
            f"resampling counts have mean {counts.mean():.2f} and variance {spread:.2f}; the "
            "infinitesimal jackknife needs mean 1 and variance near 1: use bootstrap, poisson, "
            "bayesian or half samples"
        )
    total = projections.astype(np.float64) @ counts.astype(np.float64)
    return (total - projections.sum(dtype=np.float64)) / len(projections)


def resample_se(
    counts: Float[np.ndarray, "replicate unit"],
    projections: Float[np.ndarray, " replicate"],
    *,
    method: ResampleInterval = "ij",
    without_unit: Float[np.ndarray, " unit"] | None = None,
) -> float:
    """SE of a statistic computed from B resamples of one data set, bias-corrected.

        SE²_IJ  = sum_i C_i² - n v      (Efron 2014; Wager et al. 2014)
        SE²_JAB = (n-1)/n * sum_i (s_(i) - mean)² - (e - 1) n v

    with v = sum_b t_b² / B² the Monte-Carlo variance and s_(i) the statistic over the replicates
    that lack unit i (`without_unit`, needed by `jab`). Our addition: the variance is not taken
    below two standard deviations of the subtracted term, 2 sqrt(2n) v, so that too few
    replicates give a wide interval and not a lucky one.
    """
    replicates, units = counts.shape
    noise = float(projections.astype(np.float64) @ projections) / replicates**2
    if method == "ij":
        terms = unit_influence(counts, projections)
        variance = float(terms @ terms) - units * noise
        floor = 2 * np.sqrt(2 * units) * noise
    elif method == "jab":
        if without_unit is None:
            raise ValueError("method 'jab' needs `without_unit`; pass it or use method='ij'")
        if not np.isfinite(without_unit).all():
            return float("nan")
        centred = without_unit - without_unit.mean()
        variance = (units - 1) / units * float(centred @ centred) - (np.e - 1) * units * noise
        floor = 2 * (np.e - 1) * np.sqrt(2 * units) * noise
    else:
        raise ValueError(f"method is {method!r}; choose 'ij' or 'jab'")
    return float(np.sqrt(max(variance, floor, 0.0)))
