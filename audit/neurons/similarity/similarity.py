"""Point scores of every unit against every concept, for any metric and any sample weights."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.indices import (
    tie_ranks,
    unit_ranks,
    weighted_auroc,
    weighted_average_precision,
)
from circuitvar.audit.neurons.data import ProbingSet, unit_chunks
from circuitvar.audit.neurons.similarity.cluster_sums import active_rows, chunk_size, sample_moments
from circuitvar.audit.neurons.similarity.similarity_metrics import DEFAULT_RANKING, get_similarity

Column = Float[np.ndarray, " sample"]
Matrix = Float[np.ndarray, "sample concept"]


def similarity(
    data: ProbingSet,
    metrics: Sequence[str] = DEFAULT_RANKING,
    *,
    quantile: float | None = 0.05,
    threshold: float = 0.0,
) -> dict[str, Float[np.ndarray, "unit concept"]]:
    """Score all units against all concepts; NaN where a metric is undefined.

    `quantile` and `threshold` say when a unit counts as active, see `ConceptOptions`.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set([[0.0], [2.0], [2.0], [0.0]], [[0], [1], [1], [1]])
    >>> round(float(similarity(data, ["iou"], quantile=None)["iou"][0, 0]), 3)
    0.667
    """
    formulas = {key: fn for key in metrics if (fn := get_similarity(key).fn) is not None}
    rank_keys = [key for key in metrics if key not in formulas]
    require_binary(data.concepts, metrics)
    scores = {key: np.full((data.n_units, data.n_concepts), np.nan) for key in metrics}
    for units, block in unit_chunks(data, chunk_size(data, 1)):
        if formulas:
            on = active_rows(block, quantile=quantile, threshold=threshold, weights=data.weights)
            moments = sample_moments(
                block, on, data.concepts, data.weights, with_log="wpmi" in metrics
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                for key, formula in formulas.items():
                    scores[key][units] = formula(moments)[0].T
        for key in rank_keys:
            scores[key][units] = rank_scores(key, block, data.concepts, data.weights)
    return scores


def rank_scores(
    key: str,
    block: Float[np.ndarray, "sample unit"],
    concepts: Float[np.ndarray, "sample concept"],
    weights: Float[np.ndarray, " sample"],
) -> Float[np.ndarray, "unit concept"]:
    """Exact rank metrics, one sort per unit."""
    labels = concepts.astype(np.float64)
    constant = block.min(axis=0) == block.max(axis=0)
    if key == "spearman":
        out = unit_ranks(block, weights).T @ unit_ranks(labels, weights)
    else:
        function = weighted_auroc if key == "auroc" else weighted_average_precision
        columns = block.T.astype(np.float64)
        out = np.stack([function(column, labels, weights) for column in columns])
    out[constant] = np.nan
    return out


def require_binary(
    concepts: Float[np.ndarray, "sample concept"], metrics: Sequence[str]
) -> Bool[np.ndarray, " concept"]:
    """Which concept columns are 0/1; AUPRC's closed form and inverse AUPRC need all of them to be.

    Raises
    ------
    ValueError
        A metric that needs labels was asked for on graded concepts.
    """
    binary = ((concepts == 0) | (concepts == 1)).all(axis=0)
    strict = sorted({"auprc", "inverse_auprc"} & set(metrics))
    if strict and not binary.all():
        raise ValueError(
            f"{strict[0]} needs 0/1 concepts but column {int(np.flatnonzero(~binary)[0])} is "
            "graded; threshold the column or leave the metric out."
        )
    return binary


def auroc_influence(
    values: Column,
    concepts: Matrix,
    weights: Column,
    groups: Int[np.ndarray, " sample"],
    n_groups: int,
) -> tuple[Float[np.ndarray, " concept"], Float[np.ndarray, "cluster concept"]]:
    """AUROC and its influence value per cluster: AUROC of a resample ~ AUROC + sum_g W_g psi_g.

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
