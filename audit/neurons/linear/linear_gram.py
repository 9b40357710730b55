"""Weighted Gram matrices of concepts and units: all a linear explanation needs.

Centred at the weighted mean. Fits, refits and correlations on a split are functions of these, so
no gradient steps and no further passes over the activations are needed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet, unit_chunks


@dataclass(frozen=True, eq=False)
class Gram:
    """Weighted means and covariances over one split."""

    n: float
    concept_mean: Float[np.ndarray, " concept"]
    unit_mean: Float[np.ndarray, " unit"]
    pp: Float[np.ndarray, "concept concept"]
    """Covariance of concepts."""
    pf: Float[np.ndarray, "concept unit"]
    """Covariance of concepts with units."""
    ff: Float[np.ndarray, " unit"]
    """Variance of units."""


def gram(
    data: ProbingSet,
    weights: Float[np.ndarray, " sample"],
    *,
    columns: Float[np.ndarray, "sample concept"] | None = None,
) -> Gram:
    """Gram matrices under sample weights; weight 0 leaves a sample out of the split.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> g = gram(probing_set([[0.0], [2.0]], [[0], [1]]), np.ones(2))
    >>> float(g.pf[0, 0]), float(g.ff[0])
    (0.5, 1.0)
    """
    rows = np.flatnonzero(weights > 0)
    if not len(rows):
        raise ValueError("every sample of this split has weight 0; use more prompts or splits.")
    share = weights[rows] / weights[rows].sum()
    concepts = (data.concepts if columns is None else columns)[rows].astype(np.float64)
    mean = share @ concepts
    centred = concepts - mean
    weighted = (share[:, None] * centred).astype(np.float32)
    unit_mean, ff = np.empty((2, data.n_units))
    pf = np.empty((concepts.shape[1], data.n_units))
    for units, block in unit_chunks(data, 256):
        part = block[rows]
        middle = share @ part
        part = part - middle.astype(np.float32)
        unit_mean[units] = middle
        pf[:, units] = weighted.T @ part
        ff[units] = share @ (part * part)
    return Gram(
        float(weights.sum()), mean, unit_mean, centred.T @ (share[:, None] * centred), pf, ff
    )


def explained_correlation(
    g: Gram, coefficients: Float[np.ndarray, "concept unit"]
) -> Float[np.ndarray, " unit"]:
    """Pearson correlation of sum_k w_k P_k with the unit; NaN where either is constant."""
    cover = (coefficients * g.pf).sum(axis=0)
    spread = ((g.pp @ coefficients) * coefficients).sum(axis=0) * g.ff
    tiny = 1e-12 * np.maximum(g.ff, 1e-300)
    return np.divide(
        cover, np.sqrt(np.maximum(spread, 0)), out=np.full(cover.shape, np.nan), where=spread > tiny
    )
