"""How much do two circuits share, and how surprising is it?

Overlap at the level of edges and of nodes, the overlap coefficient, and p-values under two nulls:
edges drawn at random, and edges drawn at random within layer-and-type strata. The first is nearly
always rejected; the second is the one that says something.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits import overlap
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.overlap import edge_strata
from circuitvar.circuits.prune import reads_of


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
        edge_jaccard=float(overlap.jaccard(k1, k2, shared)),
        edge_coefficient=float(overlap.overlap_coefficient(k1, k2, shared)),
        chance_jaccard=overlap.chance_jaccard(k1, k2, graph.n_edges),
        p_random=overlap.overlap_p_value(k1, k2, shared, graph.n_edges),
        p_stratified=overlap.stratified_chance(a, b, edge_strata(graph))[1],
        nodes_a=n1,
        nodes_b=n2,
        nodes_shared=both,
        node_jaccard=float(overlap.jaccard(n1, n2, both)),
        node_coefficient=float(overlap.overlap_coefficient(n1, n2, both)),
    )
