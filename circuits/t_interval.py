"""Student's t interval in one place: a folder to the left may not import the audit's intervals."""

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student_t


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
