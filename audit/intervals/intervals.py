"""Intervals that several statistics share: t, infinitesimal jackknife, JAB, BCa, one unseen swap.

Pairs of runs are dependent and replicates of one data set share its error, so none of these
treats pairs or replicates as the independent units: the unit is a run, a prompt or a template.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from circuitvar.audit.resampling import Resamples, Scores, columns
from circuitvar.audit.types import Estimate
from circuitvar.circuits.confidence import check_confidence
from circuitvar.circuits.intervals import t_quantile

Counts = Float[np.ndarray, "replicate unit"]
Terms = Float[np.ndarray, " replicate"]
Units = Float[np.ndarray, " unit"]
Edge = Float[np.ndarray, " edge"]
ResampleInterval = Literal["ij", "jab"]
UNSEEN = "one swap unseen: conservative"
"""Name of an interval that only a swap which the data do not show keeps from being narrower."""


def t_interval(
    estimate: Estimate, *, df: float, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Estimate:
    """The estimate with limits value ± t(df) * se, clipped to the range the statistic can take.

    Raises
    ------
    ValueError
        Its level is no confidence level.

    >>> e = t_interval(Estimate("mean", 1.0, 0.5, n=5), df=4)
    >>> round(e.low, 4), round(e.high, 4)
    (-0.3882, 2.3882)
    """
    check_confidence(estimate.level)
    value, se = float(estimate.value), float(estimate.se)
    low = high = float("nan")
    if df >= 1 and np.isfinite(se) and np.isfinite(value):
        half = t_quantile(df, estimate.level) * se
        low, high = max(value - half, bounds[0]), min(value + half, bounds[1])
    return replace(estimate, value=value, se=se, low=low, high=high)


def unseen_swap(size: float, share: float, level: float, *, pairs: int = 4) -> tuple[float, float]:
    """How far phi and Jaccard may lie from what was seen because of one swap of an edge.

    Its size times 1 - (1 - level)^(1/pairs), as one that happens more often would have been seen in
    that many independent pairs: four quarters of a data set, or M/2 of M runs. NaN for phi where
    all edges or none are kept.

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


def below_one_swap(estimate: Estimate, swap: float) -> Estimate:
    """The estimate with a lower end not above 1 - `swap`: other data could swap one edge."""
    if not estimate.low > 1 - swap:
        return estimate
    return replace(estimate, low=1 - swap, interval=f"{estimate.interval}; {UNSEEN}")


def unit_influence(counts: Counts, projections: Terms) -> Units:
    """Infinitesimal-jackknife terms C_i = (1/B) sum_b (N_bi - 1) t_b.

    `counts` N: how often replicate b holds unit i (mean 1, variance about 1, as under the
    bootstrap; Efron 2014). `projections` t_b: first-order contribution of replicate b to the
    statistic. C_i is also the influence of unit i: about the change when its weight grows by one.
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


def resample_se(counts: Counts, projections: Terms, *, without_unit: Units | None = None) -> float:
    """SE of a statistic computed from B resamples of one data set, bias-corrected.

        SE²_IJ  = sum_i C_i² - n v      (Efron 2014; Wager et al. 2014)
        SE²_JAB = (n-1)/n * sum_i (s_(i) - mean)² - (e - 1) n v

    with v = sum_b t_b² / B² the Monte-Carlo variance and s_(i) the statistic over the replicates
    that lack unit i: JAB where `without_unit` gives it. Our addition: the variance is not taken
    below two standard deviations of the subtracted term, 2 sqrt(2n) v, so that too few
    replicates give a wide interval and not a lucky one.
    """
    replicates, units = counts.shape
    noise = float(projections.astype(np.float64) @ projections) / replicates**2
    if without_unit is None:
        terms = unit_influence(counts, projections)
        variance = float(terms @ terms) - units * noise
        floor = 2 * np.sqrt(2 * units) * noise
    elif not np.isfinite(without_unit).all():
        return float("nan")
    else:
        centred = without_unit - without_unit.mean()
        variance = (units - 1) / units * float(centred @ centred) - (np.e - 1) * units * noise
        floor = 2 * (np.e - 1) * np.sqrt(2 * units) * noise
    return float(np.sqrt(max(variance, floor, 0.0)))


def interval_of_resamples(
    name: str,
    value: float,
    counts: Counts,
    projections: Terms | None,
    without_unit: Units | None,
    *,
    floor: float,
    level: float,
) -> Estimate:
    """An agreement of B resamples with t(n-1) and `resample_se`; no SE without `projections`."""
    se, units = float("nan"), counts.shape[1]
    if projections is not None:
        se = resample_se(counts, projections, without_unit=without_unit)
    how = "infinitesimal jackknife" if without_unit is None else "jackknife after bootstrap"
    estimand = "agreement of resamples of one data set"
    found = Estimate(name, value, se, level=level, n=units, interval=how, estimand=estimand)
    return t_interval(replace(found, kind="resamples"), df=units - 1, bounds=(floor, 1.0))


def after_bootstrap(method: ResampleInterval) -> bool:
    """Whether the interval of resamples is the jackknife after bootstrap, not the infinitesimal."""
    if method not in ("ij", "jab"):
        raise ValueError(f"method is {method!r}; choose 'ij' or 'jab'")
    return method == "jab"


def bca_means(scores: Scores, resamples: Resamples, *, level: float = 0.95) -> tuple[Edge, Edge]:
    """Bias-corrected and accelerated bootstrap (low, high) of each edge's mean (Efron 1987).

    z0 from the share of replicate means below the estimate (ties half), acceleration
    sum d³ / (6 (sum d²)^1.5) with d the deviations of the unit means. Edges that do not vary get
    their value as both ends. Prompts, or clusters of equal size, as in `resamples`.
    """
    if resamples.counts.shape[1] != len(scores):
        raise ValueError(
            f"BCa here needs prompts as units: {resamples.counts.shape[1]} units for "
            f"{len(scores)} examples; average the examples of a template first"
        )
    tail = np.array([(1 - level) / 2, (1 + level) / 2])
    ends = np.empty((2, scores.shape[1]))
    for part in columns(scores.shape[1], 2048):
        block = scores[:, part].astype(np.float64)
        mean = block.mean(axis=0)
        deviation = block - mean
        square, skew = (deviation**2).sum(axis=0), (deviation**3).sum(axis=0)
        still = np.zeros(len(mean))
        acceleration = np.divide(skew, 6 * square**1.5, out=still, where=square > 0)
        means = np.sort(resamples.weights.astype(np.float64) @ deviation, axis=0)
        below = ((means < 0).sum(axis=0) + 0.5 * (means == 0).sum(axis=0)) / len(means)
        z0 = ndtri(np.clip(below, 0.5 / len(means), 1 - 0.5 / len(means)))
        shifted = z0 + ndtri(tail)[:, None]
        p = ndtr(z0 + shifted / (1 - acceleration * shifted))
        found = mean + _quantiles(means, p)
        ends[:, part] = np.where(square > 0, found, mean)
    return ends[0], ends[1]


def _quantiles(ordered, p) -> Float[np.ndarray, "end edge"]:
    """Linear interpolation in each column at its own probability."""
    place = p * (len(ordered) - 1)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, len(ordered) - 1)
    first = np.take_along_axis(ordered, lower, axis=0)
    return first + (place - lower) * (np.take_along_axis(ordered, upper, axis=0) - first)
