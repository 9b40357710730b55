"""Overlap of two sets of edges, and what chance gives: from sizes and overlap alone.

Every function takes k1 = #A, k2 = #B, overlap o = #(A and B) and, where chance matters, the number
E of edges that could have been selected, in this order. Edges are not exchangeable: random edges
are nearly always beaten (early layers, MLPs and value inputs are chosen more often), random edges
within strata (`edge_strata`) are the fairer null.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from circuitvar.circuits.graph import Graph, Node

Index = Float[np.ndarray, "..."]


def _ratio(top: ArrayLike, bottom: ArrayLike) -> Index:
    top, bottom = np.broadcast_arrays(
        np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    )
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def jaccard(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """o / (k1 + k2 - o), broadcast. NaN for two empty sets.

    >>> float(jaccard(3, 3, 2))
    0.5
    """
    return _ratio(overlap, np.add(k1, k2) - np.asarray(overlap))


def overlap_coefficient(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike) -> Index:
    """o / min(k1, k2), broadcast: 1 when one set contains the other. NaN where one is empty."""
    return _ratio(overlap, np.minimum(k1, k2))


def kuncheva(k1: ArrayLike, k2: ArrayLike, overlap: ArrayLike, n_edges: int) -> Index:
    """(o E - k²) / (k (E - k)), broadcast; 0 by chance. NaN where the sizes differ."""
    k = np.asarray(k1, dtype=np.float64)
    value = _ratio(np.asarray(overlap) * n_edges - k**2, k * (n_edges - k))
    return np.where(np.equal(k1, k2), value, np.nan)


def chance_jaccard(k1: int, k2: int, n_edges: int) -> float:
    """Exact expected Jaccard of two random sets of sizes k1 and k2 among E edges.

    E[J] = sum_o hypergeom.pmf(o; E, k1, k2) o / (k1 + k2 - o). NaN for two empty sets.

    >>> round(chance_jaccard(3, 3, 10), 7)
    0.2008333

    Raises
    ------
    ValueError
        A size is negative or above the number of edges.
    """
    for size in (k1, k2):
        if not 0 <= size <= n_edges:
            raise ValueError(f"a set of {size} edges cannot come from {n_edges} edges")
    if k1 + k2 == 0:
        return float("nan")
    o = np.arange(max(0, k1 + k2 - n_edges), min(k1, k2) + 1)
    return float(hypergeom.pmf(o, n_edges, k1, k2) @ (o / (k1 + k2 - o)))


def overlap_p_value(k1: int, k2: int, overlap: int, n_edges: int) -> float:
    """P(overlap >= o) for two random sets of these sizes.

    >>> round(overlap_p_value(3, 3, 2, 10), 6)
    0.183333
    """
    return float(hypergeom.sf(overlap - 1, n_edges, k1, k2))


def _place(node: Node) -> tuple[str, int, str]:
    return node.kind, node.layer, node.slot


@lru_cache(maxsize=16)
def edge_strata(graph: Graph) -> Int[np.ndarray, " edge"]:
    """Stratum of every edge: (source kind and layer) x (destination kind, layer and q/k/v).

    >>> int(edge_strata(Graph(n_layers=1, n_heads=2)).max()) + 1
    8
    """
    ids: dict[tuple, int] = {}
    strata = np.array(
        [ids.setdefault((_place(e.src), _place(e.dst)), len(ids)) for e in graph.edges]
    )
    strata.flags.writeable = False
    return strata


def stratified_chance(
    first: Bool[np.ndarray, " edge"],
    second: Bool[np.ndarray, " edge"],
    strata: Int[np.ndarray, " edge"],
) -> tuple[float, float]:
    """(expected Jaccard, P(overlap >= observed)) where edges are exchangeable within strata only.

    A stratum is for instance an edge type x layer pair. Independent hypergeometric overlaps, added
    by convolution.
    """
    pmf = np.ones(1)
    widths, in_first, in_second = (
        np.bincount(part, minlength=int(strata.max()) + 1)
        for part in (strata, strata[first], strata[second])
    )
    for stratum in np.flatnonzero((in_first > 0) & (in_second > 0)):
        k1, k2 = in_first[stratum], in_second[stratum]
        pmf = np.convolve(pmf, hypergeom.pmf(np.arange(min(k1, k2) + 1), widths[stratum], k1, k2))
    expected = np.nan_to_num(jaccard(int(first.sum()), int(second.sum()), np.arange(len(pmf))))
    tail = pmf[int((first & second).sum()) :].sum()
    return float(pmf @ expected), float(min(tail, 1.0))
