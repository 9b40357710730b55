"""Metrics that need sorted activations: AUROC, Spearman, average precision; weighted, exact.

AUROC of all concepts follows from one sort per unit and one matrix product:
R_i = weight strictly below f_i plus half the weight tied with it does not depend on the concept,
and AUROC(c) = (sum_i w_i c_i R_i - W_1^2 / 2) / (W_1 W_0). Its influence values make a cluster
bootstrap linear: AUROC_k ~ AUROC + sum_g W_kg psi_g.
"""

import numpy as np
from jaxtyping import Float, Int

Column = Float[np.ndarray, " sample"]
Matrix = Float[np.ndarray, "sample concept"]


def tie_ranks(values: Column, weights: Column) -> Column:
    """Weight strictly below each value plus half of the weight tied with it.

    >>> tie_ranks(np.array([3.0, 1.0, 3.0]), np.ones(3)).tolist()
    [2.0, 0.5, 2.0]
    """
    _, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights=weights)
    return (np.cumsum(mass) - 0.5 * mass)[inverse]


def auroc(values: Column, concepts: Matrix, weights: Column) -> Float[np.ndarray, " concept"]:
    """P(f with concept > f without) + half the tie probability; graded concepts are soft labels."""
    positive = weights @ concepts
    pairs = positive * (weights.sum() - positive)
    # Positives ranked against positives contribute W_1^2 / 2 by symmetry.
    below = (weights * tie_ranks(values, weights)) @ concepts - 0.5 * positive**2
    return np.divide(below, pairs, out=np.full(below.shape, np.nan), where=pairs > 0)


def auroc_influence(
    values: Column,
    concepts: Matrix,
    weights: Column,
    groups: Int[np.ndarray, " sample"],
    n_groups: int,
) -> tuple[Float[np.ndarray, " concept"], Float[np.ndarray, "cluster concept"]]:
    """AUROC and its influence value per cluster, for the linear bootstrap.

    psi_i = (V10_i - AUROC) / n_1 on positives and (V01_i - AUROC) / n_0 on negatives, where V10
    is the share of negatives below a positive and V01 the share of positives above a negative.
    """
    area = auroc(values, concepts, weights)
    order = np.argsort(values, kind="stable")
    positive = weights @ concepts
    negative = weights.sum() - positive
    weighted = weights[:, None] * concepts
    below_positive = _mass_below(values, weighted, order)
    below_all = tie_ranks(values, weights)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        v10 = (below_all - below_positive) / negative
        v01 = 1 - below_positive / positive
        psi = weighted * (v10 - area) / positive
        psi += (weights[:, None] - weighted) * (v01 - area) / negative
    summed = np.zeros((n_groups, concepts.shape[1]))
    np.add.at(summed, groups, psi)
    return area, summed


def _mass_below(values: Column, weighted: Matrix, order: Int[np.ndarray, " sample"]) -> Matrix:
    """Per column: mass strictly below each value plus half of the tied mass."""
    _, inverse = np.unique(values, return_inverse=True)
    ordered = inverse[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    mass = np.add.reduceat(weighted[order], starts, axis=0)
    return (np.cumsum(mass, axis=0) - 0.5 * mass)[inverse]


def midranks(values: Float[np.ndarray, "sample column"], weights: Column) -> np.ndarray:
    """Weighted mid-ranks of every column, in (0, 1)."""
    total = weights.sum()
    return np.stack([tie_ranks(column, weights) / total for column in values.T], axis=1)


def spearman(
    values: Float[np.ndarray, "sample unit"], concepts: Matrix, weights: Column
) -> Float[np.ndarray, "unit concept"]:
    """Pearson correlation of weighted mid-ranks."""
    share = weights / weights.sum()
    x, y = midranks(values, weights), midranks(concepts, weights)
    x, y = x - share @ x, y - share @ y
    scale = np.sqrt(np.outer(share @ (x * x), share @ (y * y)))
    cover = (share[:, None] * x).T @ y
    return np.divide(cover, scale, out=np.full(cover.shape, np.nan), where=scale > 1e-12)


def average_precision(score: Column, labels: Matrix, weights: Column) -> np.ndarray:
    """Average precision of one score for every label column; ties share one threshold."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hits = np.cumsum((weights[:, None] * labels)[order], axis=0)[ends]
    calls = np.cumsum(weights[order])[ends][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(calls > 0, hits / calls, 0.0)
        gain = np.diff(hits, axis=0, prepend=0) / hits[-1]
        return (gain * precision).sum(axis=0)
