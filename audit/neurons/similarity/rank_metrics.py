"""How much each cluster moves an AUROC, so that its bootstrap is linear.

AUROC_k ~ AUROC + sum_g W_kg psi_g.
"""

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.indices import tie_ranks, weighted_auroc

Column = Float[np.ndarray, " sample"]
Matrix = Float[np.ndarray, "sample concept"]


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
    area = weighted_auroc(values, concepts, weights)
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
