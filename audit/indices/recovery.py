"""How well scores find a circuit that is known: area under ROC, average precision.

The edges of a planted circuit are the positives; scores rank all edges. Both are rank statistics,
so methods on different scales can be compared.
"""

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.indices.midranks import weighted_auroc, weighted_average_precision


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
    return float(weighted_auroc(scores, truth[:, None].astype(float), np.ones(len(scores)))[0])


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
    return float(
        weighted_average_precision(scores, truth[:, None].astype(float), np.ones(len(scores)))[0]
    )
