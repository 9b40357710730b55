"""Indices of agreement between two sets of edges, from their sizes and overlap alone.

Every function takes k1 = #A, k2 = #B, overlap o = #(A and B) and, where chance matters, the number
E of edges that could have been selected. All broadcast over arrays; undefined values are NaN.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

Index = Float[np.ndarray, "..."]


def _ratio(top: ArrayLike, bottom: ArrayLike) -> Index:
    top, bottom = np.broadcast_arrays(
        np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    )
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def jaccard(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """o / (k1 + k2 - o). NaN for two empty sets.

    >>> float(jaccard(3, 3, 2))
    0.5
    """
    return _ratio(overlap, np.add(k1, k2) - np.asarray(overlap))


def dice(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """2 o / (k1 + k2); J = D / (2 - D)."""
    return _ratio(2 * np.asarray(overlap), np.add(k1, k2))


def overlap_coefficient(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """o / min(k1, k2): 1 when one set contains the other."""
    return _ratio(overlap, np.minimum(k1, k2))


def containment(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """o / k1, the percentage of overlapping genes (POG); asymmetric."""
    return _ratio(overlap, np.asarray(k1) + 0 * np.asarray(k2))


def capped_jaccard(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """Jaccard over the largest value the sizes allow, min(k1, k2) / max(k1, k2)."""
    cap = _ratio(np.minimum(k1, k2), np.maximum(k1, k2))
    return _ratio(jaccard(k1, k2, overlap), cap)


def kuncheva(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike, n_edges: int) -> Index:
    """(o E - k²) / (k (E - k)); 0 by chance. NaN where the sizes differ: it needs equal sizes."""
    k = np.asarray(k1, dtype=np.float64)
    value = _ratio(np.asarray(overlap) * n_edges - k**2, k * (n_edges - k))
    return np.where(np.equal(k1, k2), value, np.nan)


def lustgarten(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike, n_edges: int) -> Index:
    """(o - k1 k2 / E) / (min(k1, k2) - max(0, k1 + k2 - E)); 0 by chance, maximum below 1."""
    expected = np.multiply(k1, k2) / n_edges
    span = np.minimum(k1, k2) - np.maximum(0, np.add(k1, k2) - n_edges)
    return _ratio(np.asarray(overlap) - expected, span)


def overlap_z(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike, n_edges: int) -> Index:
    """Overlap in hypergeometric standard deviations. Grows with E: not an effect size."""
    mean = np.multiply(k1, k2) / n_edges
    variance = mean * (1 - np.asarray(k1) / n_edges) * (n_edges - np.asarray(k2))
    return _ratio(np.asarray(overlap) - mean, np.sqrt(variance / max(n_edges - 1, 1)))


def overlap_p_value(k1: int, k2: int, overlap: int, n_edges: int) -> float:
    """P(overlap >= o) for two random sets of these sizes. Edges are not exchangeable: a small
    value only says that the overlap is not that of uniformly random edges.

    >>> round(overlap_p_value(3, 3, 2, 10), 6)
    0.183333
    """
    return float(hypergeom.sf(overlap - 1, n_edges, k1, k2))


def chance_jaccard(k1: int, k2: int, n_edges: int) -> float:
    """Exact expected Jaccard of two random sets of sizes k1 and k2 among E edges.

    E[J] = sum_o hypergeom.pmf(o; E, k1, k2) o / (k1 + k2 - o).

    >>> round(chance_jaccard(3, 3, 10), 7)
    0.2008333
    """
    for size in (k1, k2):
        if not 0 <= size <= n_edges:
            raise ValueError(f"a set of {size} edges cannot come from {n_edges} edges")
    if k1 + k2 == 0:
        return float("nan")
    o = np.arange(max(0, k1 + k2 - n_edges), min(k1, k2) + 1)
    return float(hypergeom.pmf(o, n_edges, k1, k2) @ (o / (k1 + k2 - o)))


def corrected_jaccard(k1: int, k2: int, overlap: int, n_edges: int) -> float:
    """(J - E[J]) / (1 - E[J]): 0 by chance, 1 for equal sets."""
    expected = chance_jaccard(k1, k2, n_edges)
    return float(_ratio(jaccard(k1, k2, overlap) - expected, 1 - expected))
