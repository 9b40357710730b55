"""Interval of an agreement, phi or Jaccard, averaged over all pairs of independent runs.

The runs are the units. A jackknife over them sees first-order effects only, so it is 0 where two
circuits are found equally often, and small where pairs of few runs agree alike by chance. What
keeps the interval honest there is counted in shared edges and is one rule for both indices.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.intervals.intervals import t_interval, with_unseen_swap
from circuitvar.audit.intervals.jackknife import row_jackknife_se
from circuitvar.audit.types import Estimate
from circuitvar.circuits.confidence import check_confidence
from circuitvar.circuits.intervals import t_quantile

Pair = Float[np.ndarray, " pair"]

FEW_RUNS = {3: 0.2, 4: 0.1}
"""Share of the standard deviation of a count that the SE of so few runs is not taken below."""
MANY_RUNS = 10
"""From so many runs on rival circuits and skewness are looked for; with fewer the quantile of t
covers both."""
CHOICES = "fixed choices taken as a sample"
"""What the name of an interval says over runs that somebody chose and nobody drew."""


@dataclass(frozen=True)
class OfShared:
    """An agreement as a function of p, the share of a set that the set of another run has."""

    name: str
    value: float
    """Its mean over all pairs of runs."""
    shared: float
    """p at the value seen."""
    slope: float
    """d value / d p: 1/(1 - k/E) for phi, (1 + J)²/2 for Jaccard."""
    size: float
    """Mean number of edges kept."""
    swap: float
    """One swap of an edge that the pairs seen need not show; see `intervals.unseen_swap`."""
    floor: float
    """Least value of the index."""


def interval_of_runs(
    index: OfShared, left_out: Float[np.ndarray, " run"], pairs: Pair, *, level: float
) -> Estimate:
    """value ± t(M-1) SE, with SE the row jackknife of the values `left_out` without each run.

    SE is at least `tied_runs_se` and `few_runs_se`; from `MANY_RUNS` runs on with `rivals_se` added
    and the lower end `lower_end_of_spread`. `pairs`: the index of every two runs.
    Nominal 95 % covers .93 to .98 where circuits differ in many edges, .91 to 1 where few edges or
    circuits decide, whose agreement takes only a few values.
    """
    runs, value = len(left_out), index.value
    se, label = row_jackknife_se(left_out), "row jackknife t"
    tied = tied_runs_se(pairs, runs)
    if tied > se:
        se, label = tied, f"{label}; tied runs: conservative"
    least = few_runs_se(index.shared, index.size, runs) * index.slope
    if least > se:
        se, label = least, f"row jackknife t; {runs} runs: conservative"
    if runs >= MANY_RUNS:
        count = _count_variance(index.shared, index.size) * index.slope**2
        se = float(np.hypot(se, rivals_se(pairs, runs, count)))
    bounds = (index.floor, 1.0)
    estimate = of_runs(index.name, value, runs, level, se=se, interval=label, kind="runs")
    estimate = t_interval(estimate, df=runs - 1, bounds=bounds)
    if runs >= MANY_RUNS and value < 1:
        low = lower_end_of_spread(value, t_quantile(runs - 1, level) * se)
        estimate = replace(estimate, low=max(low, index.floor))
    return with_unseen_swap(estimate, index.swap, bounds=bounds)


def of_runs(name: str, value: float, runs: int, level: float, **said) -> Estimate:
    """An agreement of M independent runs; `said`: further fields."""
    said = {"n": runs, "estimand": "agreement of independent runs", "unit": "run"} | said
    return Estimate(name, value, level=check_confidence(level), **said)


def without_interval(name: str, value: float, runs: int, level: float) -> Estimate:
    """An agreement of two runs, or one that is not defined."""
    if runs >= 3:
        return of_runs(name, value, runs, level, interval="row jackknife t", kind="runs")
    missing = "no interval from fewer than 3 runs"
    return of_runs(name, value, runs, level, interval=f"none ({runs} runs)", missing=missing)


def all_runs_equal(name: str, runs: int, level: float) -> Estimate:
    """Agreement 1 of M runs, with the interval that this leaves.

    The modal set has probability at least (1 - level)^(1/(M-1)), and a pair that disagrees is taken
    to agree no better than by chance, so the lower end is the square of that.
    """
    low = (1 - check_confidence(level)) ** (2 / (runs - 1))
    how = "all runs equal: zero-failure bound"
    return of_runs(name, 1.0, runs, level, se=0.0, low=low, high=1.0, interval=how, kind="bound")


def tied_runs_se(pairs: Pair, runs: int) -> float:
    """SE of a mean over pairs of M runs when no single run moves it: sqrt(2/(M(M-1)) Var(pair)).

    Where two circuits are found equally often the jackknife is 0, although another sample of runs
    would not be split in halves; this second-order term of a U-statistic (Hoeffding 1948) is left.

    >>> round(tied_runs_se(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 4), 4)
    0.2108
    """
    if runs < 3:
        return float("nan")
    return float(np.sqrt(2 / (runs * (runs - 1)) * pairs.var(ddof=1)))


def few_runs_se(shared: float, size: float, runs: int) -> float:
    """Least SE of the share of edges that two of 3 or 4 runs have in common; 0 for more runs.

    Few pairs often agree equally by chance, which leaves the jackknife an SE of 0: with 3 runs the
    t interval then covered .79 to .92. If shared edges are a count out of `size`, the mean over
    runs has variance at most 2/M p (1 - p)/size; .2 and .1 of its root mend that (.95 to 1) and are
    below the jackknife where circuits differ in many edges.

    >>> round(few_runs_se(0.95, 40, 3), 4), few_runs_se(0.95, 40, 5)
    (0.0056, 0.0)
    """
    part = FEW_RUNS.get(runs, 0.0)
    return float(part * np.sqrt(2 / runs * _count_variance(shared, size))) if part else 0.0


def rivals_se(pairs: Pair, runs: int, count_variance: float) -> float:
    """SE that rival circuits add: sqrt(4/(M(M-1)) max(0, Var(pair) - variance of a count)).

    Pairs that differ by single edges vary like counts; more means that whole circuits take turns,
    seen through few runs, and the jackknife is smallest where the split is nearest to even. With a
    rival in 20 to 35 % of runs .79 to .93 were covered without this term, .91 to 1 with it.

    >>> round(rivals_se(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 4, 0.05), 4)
    0.2687
    """
    excess = max(float(pairs.var(ddof=1)) - count_variance, 0.0)
    return float(np.sqrt(4 / (runs * (runs - 1)) * excess))


def lower_end_of_spread(value: float, half: float) -> float:
    """Lower end of a value below 1 whose distance d to 1 is a mean of squares.

    That of a symmetric interval of sqrt(d), 1 - d (1 + half/(2 d))². A rare circuit that few runs
    show could be common in others; one that many show could not be absent.

    >>> lower_end_of_spread(0.75, 0.25), lower_end_of_spread(0.0, 0.5)
    (0.4375, -0.5625)
    """
    distance = 1 - value
    return float(1 - distance * (1 + half / (2 * distance)) ** 2)


def _count_variance(shared: float, size: float) -> float:
    """Variance of the share of edges in common if these are a count out of `size`."""
    p = float(np.clip(shared, 0.0, 1.0))
    return p * (1 - p) / size if size > 0 else 0.0
