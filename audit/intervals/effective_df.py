"""Degrees of freedom of a mean square whose effects need not be normal.

Intervals of variances lean on normal effects: with t(3) effects a nominal 95 % interval of the
variance within templates covers .35 to .75 and falls with more prompts. How much a mean square
really varies is measured here by a jackknife of its logarithm over levels (templates, rows),
pooled over edges, and given back as degrees of freedom. Light tails count as normal.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import polygamma

Levels = Float[np.ndarray, "level edge"]
Level = Float[np.ndarray, " level"]
LEAST_LEVELS = 5
"""Below this many levels tails cannot be seen; effects are taken as normal."""
WIDENED = 1.3
"""Few levels hide heavy tails; the excess that is seen is enlarged by this."""
HIDDEN = 1.5
"""The same for the variance of the log SE of one value instead of many edges."""
EDGES = 2000
"""Edges that are pooled at most, evenly spaced."""


def between_df(means: Levels) -> float:
    """Degrees of freedom of the variance of level means, at most levels - 1.

    v = (T-1)/T sum (l_(-i) - mean)², l = log s² without level i, averaged over edges and over
    1 + 2.2/(T-2), which is what it overstates by for normal effects (simulated, T = 6 to 60).
    trigamma(d/2) = v gives d; the excess of 2/d over 2/(T-1) is enlarged by 1.3.

    >>> means = np.random.default_rng(0).normal(size=(20, 3000))
    >>> between_df(means) > 17, between_df(means**3) < 5
    (True, True)
    """
    levels = len(means)
    if levels < LEAST_LEVELS:
        return float(levels - 1)
    used = pooled(means)
    centred = used - used.mean(axis=0)
    rest = (centred**2).sum(axis=0) - levels / (levels - 1) * centred**2
    v = _log_jackknife(rest) / (1 + 2.2 / (levels - 2))
    return _widened(_matching_df(v), levels - 1)


def _widened(df: float, nominal: float) -> float:
    """Degrees of freedom with the excess of 2/df over that of normal effects enlarged."""
    return 2 / (2 / nominal + WIDENED * max(2 / df - 2 / nominal, 0.0))


def within_df(squares: Levels, each: float | Level) -> float:
    """Degrees of freedom of a mean square that sums `squares` over levels.

    At most the sum of `each`, those of every level: trigamma(d/2) = jackknife variance over levels
    of its logarithm.

    >>> y = np.random.default_rng(0).standard_t(3, size=(20, 10, 3000))
    >>> squares = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    >>> within_df(squares, 9) < 30
    True
    """
    each = np.broadcast_to(np.asarray(each, dtype=np.float64), len(squares))
    df = float(each.sum())
    if len(squares) < LEAST_LEVELS:
        return df
    used = pooled(squares)
    rest = (used.sum(axis=0) - used) / (df - each)[:, None]
    return min(df, _matching_df(_log_jackknife(rest)))


def crossed_df(residual: Float[np.ndarray, "row column edge"]) -> float:
    """Degrees of freedom of the residual mean square of a two-way table, at most (a-1)(b-1).

    Leaves out levels of the longer factor; without row i the sum of squares falls by a/(a-1) times
    that of its residuals, because the column means move.
    """
    a, b, _ = residual.shape
    if b > a:
        return crossed_df(residual.swapaxes(0, 1))
    df = float((a - 1) * (b - 1))
    if a < LEAST_LEVELS:
        return df
    squares = (residual**2).sum(axis=1)
    rest = squares.sum(axis=0) - a / (a - 1) * squares
    return min(df, _matching_df(_log_jackknife(rest)))


def jackknife_df(left_out: Float[np.ndarray, " group"]) -> float:
    """Degrees of freedom of the jackknife variance of a statistic `left_out` without each group.

    Between 2 and groups - 1: as `between_df`, for one value a group. Where one group holds most of
    a heavy tail the SE itself is hardly known: the jackknife variance of its logarithm is taken 1.5
    times, as ten values often hide their tail.

    >>> jackknife_df(np.arange(10.0)), jackknife_df(np.r_[np.arange(9.0), 90.0]) < 3
    (9.0, True)
    """
    groups = len(left_out)
    if groups < LEAST_LEVELS or np.ptp(left_out) == 0:
        return float(groups - 1)
    return float(np.clip(_one_value_df((left_out - left_out.mean()) ** 2), 2.0, groups - 1))


def summed_df(squares: Level, nominal: float) -> float:
    """Degrees of freedom, at most `nominal`, of a mean square that sums over levels and edges.

    The edges share the levels: as `between_df`, with the jackknife variance of its logarithm taken
    1.5 times, as one value often hides its tail.

    >>> summed_df(np.array([1.0, 2, 1, 2, 1, 2]), 5), summed_df(np.array([1.0, 1, 1, 1, 1, 99]), 5)
    (5.0, 1.0)
    """
    if len(squares) < LEAST_LEVELS or not squares.any():
        return float(nominal)
    return max(1.0, _widened(_one_value_df(squares), nominal))


def _one_value_df(squares: Level) -> float:
    """Degrees of freedom of a sum of `squares` of one value a level; 1 where one level is all."""
    levels = len(squares)
    rest = squares.sum() - levels / (levels - 1) * squares
    if (rest <= 1e-12 * rest.max()).any():
        return 1.0
    v = HIDDEN * (levels - 1) * float(np.log(rest).var()) / (1 + 2.2 / (levels - 2))
    return _matching_df(v)


def pooled(values: Float[np.ndarray, "... edge"]) -> Float[np.ndarray, "... few"]:
    """At most `EDGES` evenly spaced edges: their mean is what is needed."""
    edges = values.shape[-1]
    if edges <= EDGES:
        return values
    return values[..., np.linspace(0, edges - 1, EDGES).astype(np.int64)]


def _log_jackknife(without: Levels) -> float:
    """Jackknife variance of the logarithm, averaged over the edges, times 1 + 1/edges.

    Over the edges where it exists: one edge often hides its heavy tails (t(3) effects: coverage .76
    to .93 without, .88 to .95 with it; normal effects .96 and .98).
    """
    usable = without[:, (without > 1e-12 * without.max(axis=0, initial=0)).all(axis=0)]
    if usable.shape[1] == 0:
        return 0.0
    log = np.log(usable)
    levels = len(log)
    mean = float(((levels - 1) * log.var(axis=0)).mean())
    return mean * (1 + 1 / usable.shape[1])


def _matching_df(variance: float) -> float:
    """d with Var(log chi²_d) = trigamma(d/2) = variance; inf for no variance."""
    if variance < 1e-9:
        return float("inf")
    root = brentq(lambda half: polygamma(1, half) - variance, 1e-4, 1e10)
    return max(1.0, 2 * float(root))  # pyright: ignore[reportArgumentType]
