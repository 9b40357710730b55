"""Bias-corrected and accelerated bootstrap intervals (BCa) of all edge means.

Efron (1987). Streams over columns: the replicate means of one block are alive at a time.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

from circuitvar.audit.resampling import Resamples, Scores, columns


def bca_means(
    scores: Scores, resamples: Resamples, *, level: float = 0.95
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """(low, high) of each edge's mean.

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
        square = (deviation**2).sum(axis=0)
        skew = (deviation**3).sum(axis=0)
        acceleration = np.zeros(len(mean))
        np.divide(skew, 6 * square**1.5, out=acceleration, where=square > 0)
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
