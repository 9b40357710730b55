"""How much do two circuits share, and how surprising is it?

Overlap at the level of edges and of nodes, the overlap coefficient, Jaccard at matched size, and
p-values under two nulls: edges drawn at random, and edges drawn at random within layer-and-type
strata. The first is nearly always rejected; the second is the one that says something.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import hypergeom

from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.strata import edge_strata


@dataclass(frozen=True)
class Overlap:
    """What two circuits on the same graph have in common."""

    edges_a: int
    edges_b: int
    edges_shared: int
    edge_jaccard: float
    edge_coefficient: float
    """Shared edges as a share of the smaller circuit."""
    chance_jaccard: float
    """Expected Jaccard of random edge sets of these two sizes."""
    p_random: float
    """P(at least this many shared edges) for random edge sets of these sizes."""
    p_stratified: float
    """The same with random edges drawn within layer-and-type strata."""
    nodes_a: int
    nodes_b: int
    nodes_shared: int
    node_jaccard: float
    node_coefficient: float


def circuit_nodes(graph: Graph, kept: Bool[np.ndarray, " edge"]) -> Bool[np.ndarray, " src"]:
    """Sources that take part in a circuit: written by a kept edge, or read into by one.

    With grouped-query attention an edge into a shared k or v counts for a head of the group only
    if that head also writes a kept edge or is reached through its own q.
    """
    kept = np.asarray(kept, dtype=bool)
    writes = np.zeros(len(graph.sources), dtype=bool)
    writes[graph.edge_src[kept]] = True
    fed = np.zeros(len(graph.destinations), dtype=bool)
    fed[graph.edge_dst[kept]] = True
    reads = reads_of(graph)
    own = reads.sum(axis=0) == 1
    return writes | (reads[:, own] & fed[own]).any(axis=1)


def ratio(part: int, whole: int) -> float:
    """part / whole, NaN when there is nothing to share."""
    return part / whole if whole else float("nan")


def chance_jaccard(n: int, k1: int, k2: int) -> float:
    """E[Jaccard] of independent uniform sets of sizes k1 and k2 out of n (hypergeometric overlap).

    >>> round(chance_jaccard(10, 3, 3), 7)
    0.2008333
    """
    if k1 == 0 and k2 == 0:
        return float("nan")
    shared = np.arange(max(0, k1 + k2 - n), min(k1, k2) + 1)
    return float((hypergeom.pmf(shared, n, k1, k2) * shared / (k1 + k2 - shared)).sum())


def overlap_p(n: int, k1: int, k2: int, shared: int) -> float:
    """P(overlap >= shared) of uniform sets of sizes k1 and k2 out of n.

    >>> round(overlap_p(10, 3, 3, 2), 6)
    0.183333
    """
    return float(hypergeom.sf(shared - 1, n, k1, k2))


def stratified_overlap_p(
    graph: Graph, a: Bool[np.ndarray, " edge"], b: Bool[np.ndarray, " edge"]
) -> float:
    """P(overlap >= observed) when each stratum's edges are drawn at random within it.

    The distribution of the total is the convolution of one hypergeometric per stratum.
    """
    strata = edge_strata(graph)
    width = int(strata.max()) + 1
    totals = np.bincount(strata, minlength=width)
    in_a = np.bincount(strata[a], minlength=width)
    in_b = np.bincount(strata[b], minlength=width)
    total = np.ones(1)
    for s in np.flatnonzero((in_a > 0) & (in_b > 0)):
        shared = np.arange(min(in_a[s], in_b[s]) + 1)
        total = np.convolve(total, hypergeom.pmf(shared, totals[s], in_a[s], in_b[s]))
    return float(min(1.0, total[int((a & b).sum()) :].sum()))


def compare(graph: Graph, a: Bool[np.ndarray, " edge"], b: Bool[np.ndarray, " edge"]) -> Overlap:
    """Overlap of two circuits on one graph.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> everything = np.ones(graph.n_edges, dtype=bool)
    >>> compare(graph, everything, everything).edge_jaccard
    1.0

    Raises
    ------
    ValueError
        If a mask does not have one entry per edge of the graph.
    """
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    for mask in (a, b):
        if mask.shape != (graph.n_edges,):
            raise ValueError(f"mask must have {graph.n_edges} entries, got shape {mask.shape}")
    k1, k2, shared = int(a.sum()), int(b.sum()), int((a & b).sum())
    nodes_a, nodes_b = circuit_nodes(graph, a), circuit_nodes(graph, b)
    n1, n2, both = int(nodes_a.sum()), int(nodes_b.sum()), int((nodes_a & nodes_b).sum())
    return Overlap(
        edges_a=k1,
        edges_b=k2,
        edges_shared=shared,
        edge_jaccard=ratio(shared, k1 + k2 - shared),
        edge_coefficient=ratio(shared, min(k1, k2)),
        chance_jaccard=chance_jaccard(graph.n_edges, k1, k2),
        p_random=overlap_p(graph.n_edges, k1, k2, shared),
        p_stratified=stratified_overlap_p(graph, a, b),
        nodes_a=n1,
        nodes_b=n2,
        nodes_shared=both,
        node_jaccard=ratio(both, n1 + n2 - both),
        node_coefficient=ratio(both, min(n1, n2)),
    )


def size_matched_jaccard(
    graph: Graph,
    kept: Bool[np.ndarray, " edge"],
    scores: Float[np.ndarray, " edge"],
    *,
    signed: bool = False,
) -> Overlap:
    """Overlap of a circuit with the equally large top-n of some scores, before pruning.

    Removes the part of a low Jaccard that is due to the two sizes alone.
    """
    kept = np.asarray(kept, dtype=bool)
    matched = top_n_masks(np.asarray(scores)[None], int(kept.sum()), signed=signed)[0]
    return compare(graph, kept, matched)
