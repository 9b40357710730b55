"""How well scores find a circuit that is known: area under ROC, average precision.

The edges of a planted circuit are the positives; scores rank all edges. Both are rank statistics,
so methods on different scales can be compared.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata


def _check(scores: np.ndarray, truth: np.ndarray) -> None:
    if scores.shape != truth.shape or not 0 < truth.sum() < truth.size:
        raise ValueError(
            f"{scores.size} scores and {int(truth.sum())} true edges of {truth.size}; give one "
            "score per edge, and a circuit that is neither empty nor everything"
        )


def auroc(scores: Float[np.ndarray, " edge"], truth: Bool[np.ndarray, " edge"]) -> float:
    """Probability that a true edge outranks another edge, ties counting half (Mann-Whitney).

    >>> auroc(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    0.75

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    _check(scores, truth)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    ranks = rankdata(scores)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(
    scores: Float[np.ndarray, " edge"], truth: Bool[np.ndarray, " edge"]
) -> float:
    """Mean over true edges of the precision at their score; tied edges share one precision.

    AP = sum_t (R_t - R_(t-1)) P_t over thresholds t, without interpolation.

    >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])), 4)
    0.8333

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    _check(scores, truth)
    order = np.argsort(-scores, kind="stable")
    hits, last = truth[order].cumsum(), np.r_[np.diff(scores[order]) != 0, True]
    precision, recall = (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]
    return float((np.diff(np.r_[0.0, recall]) * precision).sum())
