"""Binomial and t intervals, for every floor; those of the audit are in `audit/intervals`."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

Ends = Float[np.ndarray, "..."]


def clopper_pearson(
    hits: ArrayLike, trials: ArrayLike, *, alpha: float = 0.05
) -> tuple[Ends, Ends]:
    """Exact (low, high) of a share at confidence 1 - alpha, broadcast; [0, 1] without trials.

    The low end at 2 alpha is the one-sided lower bound at alpha.

    >>> low, high = clopper_pearson(np.array([0, 10]), 10)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.6915], [0.3085, 1.0])

    Raises
    ------
    ValueError
        Hits are negative or more than the trials.
    """
    from statsmodels.stats.proportion import proportion_confint

    hits, trials = np.broadcast_arrays(np.asarray(hits, float), np.asarray(trials, float))
    if (hits < 0).any() or (hits > trials + 1e-9).any():
        raise ValueError("hits must lie between 0 and trials; check the counts passed")
    hits = np.minimum(hits, trials)
    low, high = np.zeros(hits.shape), np.ones(hits.shape)
    known = (trials != 0) | np.isnan(hits)
    low[known], high[known] = proportion_confint(
        hits[known], trials[known], alpha=alpha, method="beta"
    )
    return low, high


def t_quantile(df: float, level: float) -> float:
    """Half width of a t interval, in standard errors.

    >>> round(t_quantile(4, 0.95), 4)
    2.7764
    """
    return float(student_t.ppf(0.5 + level / 2, df))


def mean_interval(values: Float[np.ndarray, " n"], level: float) -> tuple[float, float, float]:
    """Mean and its t interval; with one value the interval is the whole line.

    >>> [round(x, 3) for x in mean_interval(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, -0.484, 4.484]
    """
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -np.inf, np.inf
    se = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = t_quantile(len(values) - 1, level) * se
    return mean, mean - half, mean + half
