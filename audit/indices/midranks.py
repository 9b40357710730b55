"""Weighted mid-ranks and what rests on them: Spearman, AUROC, average precision.

One definition for one score vector and for thousands of columns, with and without weights. With
R_i the weight strictly below value i plus half the weight tied with it, AUROC of every label
follows from one sort and one matrix product.
"""

import numpy as np
from jaxtyping import Bool, Float

Column = Float[np.ndarray, " sample"]
Each = Float[np.ndarray, " column"]
Matrix = Float[np.ndarray, "sample column"]
Scores = Float[np.ndarray, " edge"]
Truth = Bool[np.ndarray, " edge"]


def tie_ranks(values: Column, weights: Column) -> Column:
    """Weight strictly below each value plus half of the weight tied with it.

    >>> tie_ranks(np.array([3.0, 1.0, 3.0]), np.ones(3)).tolist()
    [2.0, 0.5, 2.0]
    """
    _, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights=weights)
    return (np.cumsum(mass) - 0.5 * mass)[inverse]


def midranks(values: Matrix, weights: Column) -> Matrix:
    """Weighted mid-ranks of every column, in (0, 1)."""
    return np.stack([tie_ranks(column, weights) for column in values.T], axis=1) / weights.sum()


def unit_ranks(values: Matrix, weights: Column) -> Matrix:
    """Weighted mid-ranks of every column, centred and scaled.

    The product of two columns is their rank correlation; NaN where a column is constant.
    """
    share = weights / weights.sum()
    ranks = midranks(values, weights)
    ranks -= share @ ranks
    ranks *= np.sqrt(share)[:, None]
    square = (ranks**2).sum(axis=0)
    return ranks / np.sqrt(np.where(square > 1e-12, square, np.nan))


def weighted_auroc(values: Column, labels: Matrix, weights: Column) -> Each:
    """P(value with label > value without) + half the tie probability, for every label column.

    Graded labels are soft. NaN where all or none have the label.
    """
    positive = weights @ labels
    pairs = positive * (weights.sum() - positive)
    # Positives ranked against positives contribute W_1^2 / 2 by symmetry.
    below = (weights * tie_ranks(values, weights)) @ labels - 0.5 * positive**2
    return np.divide(below, pairs, out=np.full(below.shape, np.nan), where=pairs > 0)


def weighted_average_precision(score: Column, labels: Matrix, weights: Column) -> Each:
    """sum_t (R_t - R_(t-1)) P_t over thresholds t of one score, for every label column.

    Ties share one threshold. NaN where none has the label.
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hits = np.cumsum((weights[:, None] * labels)[order], axis=0)[ends]
    calls = np.cumsum(weights[order])[ends][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(calls > 0, hits / calls, 0.0)
        gain = np.diff(hits, axis=0, prepend=0) / hits[-1]
        return (gain * precision).sum(axis=0)


def auroc(scores: Scores, truth: Truth) -> float:
    """Probability that a true edge outranks another edge, ties counting half (Mann-Whitney).

    >>> auroc(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    0.75

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    return float(weighted_auroc(scores, _labels(scores, truth), np.ones(len(scores)))[0])


def average_precision(scores: Scores, truth: Truth) -> float:
    """Mean over true edges of the precision at their score; tied edges share one precision.

    AP = sum_t (R_t - R_(t-1)) P_t over thresholds t, without interpolation.

    >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])), 4)
    0.8333

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    labels = _labels(scores, truth)
    return float(weighted_average_precision(scores, labels, np.ones(len(scores)))[0])


def _labels(scores: np.ndarray, truth: np.ndarray) -> Matrix:
    if scores.shape != truth.shape or not 0 < truth.sum() < truth.size:
        raise ValueError(
            f"{scores.size} scores and {int(truth.sum())} true edges of {truth.size}; give one "
            "score per edge, and a circuit that is neither empty nor everything"
        )
    return truth[:, None].astype(float)
