"""How often each edge is kept, and the three classes readers ask for.

Core, contingent and noise follow the consensus classes of Parekh (CIRCUS, arXiv 2603.00523) with
named, editable cuts instead of exact 1 and 0.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import beta, norm

CORE = 0.9
"""Edges kept by at least this share of runs are core."""
NOISE = 0.1
"""Edges kept by less than this share of runs are noise; those between are contingent."""
CLASSES = ("core", "contingent", "noise")


def classify(
    inclusion: Float[np.ndarray, " edge"], *, core: float = CORE, noise: float = NOISE
) -> np.ndarray:
    """`core` at or above `core`, `noise` below `noise`, `contingent` between.

    >>> classify(np.array([1.0, 0.5, 0.0])).tolist()
    ['core', 'contingent', 'noise']
    """
    if not 0 <= noise <= core <= 1:
        raise ValueError(f"cuts are noise={noise}, core={core}; use 0 <= noise <= core <= 1")
    return np.select([inclusion >= core, inclusion >= noise], CLASSES[:2], CLASSES[2])


def clopper_pearson(
    counts: Int[np.ndarray, " edge"], runs: int, *, level: float = 0.95
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """Exact binomial (low, high) of each inclusion probability over independent runs, or over
    resamples with the data held fixed.

    >>> [round(float(x[0]), 4) for x in clopper_pearson(np.array([0]), 10)]
    [0.0, 0.3085]
    """
    counts, tail = np.asarray(counts, dtype=np.float64), (1 - level) / 2
    low, high = np.zeros(counts.shape), np.ones(counts.shape)
    some, missing = counts > 0, counts < runs
    low[some] = beta.ppf(tail, counts[some], runs - counts[some] + 1)
    high[missing] = beta.isf(tail, counts[missing] + 1, runs - counts[missing])
    return low, high


def gaussian_inclusion(
    mean: Float[np.ndarray, " edge"], se: Float[np.ndarray, " edge"], threshold: float
) -> Float[np.ndarray, " edge"]:
    """Phi((|mean| - threshold) / se): what bootstrap inclusion frequencies should be close to for
    edge means; a free check of the resampling."""
    distance = np.abs(mean) - threshold
    z = np.select([distance > 0, distance < 0], [np.inf, -np.inf], 0.0)
    np.divide(distance, se, out=z, where=se > 0)
    return norm.cdf(z)


def selection_variance(inclusion: Float[np.ndarray, " edge"]) -> Float[np.ndarray, " edge"]:
    """p (1 - p) of each edge; two independent runs differ in 2 sum p (1 - p) edges on average and
    share sum p²."""
    return inclusion * (1 - inclusion)
