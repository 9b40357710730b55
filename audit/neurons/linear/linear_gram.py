"""Weighted Gram matrices of concepts and units, and the elastic net on them.

Centred at the weighted mean. Fits, refits and correlations on a split are functions of these, so
no gradient steps and no further passes over the activations are needed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet, unit_chunks

FLAT = 1e-3
"""A coefficient that moves less in a sweep has settled."""


@dataclass(frozen=True, eq=False)
class Gram:
    """Weighted means and covariances over one split."""

    concept_mean: Float[np.ndarray, " concept"]
    unit_mean: Float[np.ndarray, " unit"]
    pp: Float[np.ndarray, "concept concept"]
    """Covariance of concepts."""
    pf: Float[np.ndarray, "concept unit"]
    """Covariance of concepts with units."""
    ff: Float[np.ndarray, " unit"]
    """Variance of units."""


def gram(data: ProbingSet, weights: Float[np.ndarray, " sample"]) -> Gram:
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
    concepts = data.concepts[rows].astype(np.float64)
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
    pp = centred.T @ (share[:, None] * centred)
    # What varies by rounding alone is constant.
    dead, flat = ff <= (1e-7 * unit_mean) ** 2, np.diag(pp) <= (1e-9 * mean) ** 2
    pp[flat], pp[:, flat], pf[flat], pf[:, dead], ff[dead] = 0.0, 0.0, 0.0, 0.0, 0.0
    return Gram(mean, unit_mean, pp, pf, ff)


def explained_correlation(
    g: Gram, coefficients: Float[np.ndarray, "concept unit"]
) -> Float[np.ndarray, " unit"]:
    """Pearson correlation of sum_k w_k P_k with the unit; NaN where either is constant."""
    cover = (coefficients * g.pf).sum(axis=0)
    spread = ((g.pp @ coefficients) * coefficients).sum(axis=0)
    size = (np.abs(coefficients) * np.sqrt(np.diag(g.pp))[:, None]).sum(axis=0)
    known = (spread > 1e-12 * size**2) & (g.ff > 0)
    scale = np.sqrt(np.maximum(spread, 0)) * np.sqrt(g.ff)
    return np.divide(cover, scale, out=np.full(cover.shape, np.nan), where=known)


def elastic_net(
    g: Gram,
    *,
    penalty: float = 0.05,
    l1_ratio: float = 0.99,
    positive: bool = False,
    tolerance: float = 1e-5,
    max_sweeps: int = 500,
) -> Float[np.ndarray, "concept unit"]:
    """Standardised coefficients; 0 for constant concepts and dead units.

    Minimises, per unit and on standardised variables, |y - P w|^2 / (2 n) + lambda a |w|_1 +
    lambda (1 - a) |w|^2 / 2 (stage 1 of Oikarinen & Weng, 2405.06855, lambda .05, a .99) by cyclic
    coordinate descent, one coordinate for all units per step.

    `positive` allows no negative evidence. Stops when no coefficient moves by `tolerance` in a
    sweep, or after `max_sweeps` when none moves by `FLAT`: between columns that coincide on
    these samples only the small ridge term decides, the fit itself has settled long before.

    Raises
    ------
    ValueError
        Coefficients still move by `FLAT` per sweep.
    """
    if penalty < 0 or not 0 <= l1_ratio <= 1:
        raise ValueError(f"penalty {penalty} must be >= 0 and l1_ratio {l1_ratio} in [0, 1].")
    r, c = correlations(g)
    w = np.zeros_like(c)
    fitted = np.zeros_like(c)
    live = np.flatnonzero(np.diag(r) > 0)
    largest = np.inf
    for _ in range(max_sweeps):
        largest = 0.0
        for j in live:
            target = c[j] - fitted[j] + w[j]
            shrunk = np.maximum(np.abs(target) - penalty * l1_ratio, 0.0)
            new = np.where(target > 0, shrunk, 0.0 if positive else -shrunk)
            step = new / (1 + penalty * (1 - l1_ratio)) - w[j]
            moved = np.flatnonzero(step)
            if len(moved):
                largest = max(largest, float(np.abs(step).max()))
                w[j] += step
                if 2 * len(moved) < len(step):
                    fitted[:, moved] += r[:, [j]] * step[moved]
                else:
                    fitted += r[:, [j]] * step
        if largest < tolerance:
            return w
    if largest < FLAT:
        return w
    raise ValueError(
        f"elastic net did not converge in {max_sweeps} sweeps; merge near-duplicate concepts."
    )


def correlations(
    g: Gram,
) -> tuple[Float[np.ndarray, "concept concept"], Float[np.ndarray, "concept unit"]]:
    """Correlations among concepts and between concepts and units; 0 where one is constant."""
    concept = _inverse(np.sqrt(np.diag(g.pp)))
    unit = _inverse(np.sqrt(g.ff))
    r = g.pp * concept[:, None] * concept
    return r, g.pf * concept[:, None] * unit


def _inverse(sd: np.ndarray) -> np.ndarray:
    return np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
