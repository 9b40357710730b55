"""Greedy selection from the logits: grow one connected circuit backwards, best edge first."""

import heapq

import numpy as np
from jaxtyping import Float

from circuitvar.circuits.find.select import check_size, circuit_from_mask, score_word, strength
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.types import Circuit


def greedy(
    graph: Graph,
    scores: Float[np.ndarray, " edge"],
    n: int,
    *,
    signed: bool = False,
    prune: bool = True,
) -> Circuit:
    """Best-first search from the logits.

    Repeatedly take the highest-ranked edge that enters the circuit found so far, then offer the
    edges into its source (for a head: into its q, k and v). Every chosen edge leads to the
    logits; edges that the input does not reach are then removed. Greedy rule of Hanna et al.
    2024 (arXiv 2403.17806). Fewer than `n` edges are chosen only when no further edge is
    connected.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> greedy(graph, np.arange(graph.n_edges, dtype=float), 5).edge_names
    ('input->m0', 'input->logits', 'm0->logits')

    Raises
    ------
    ValueError
        If a score is NaN or `n` is not between 0 and the number of edges.
    """
    check_size(n, graph.n_edges)
    values = strength(scores, signed=signed)
    into = [np.flatnonzero(graph.edge_dst == d) for d in range(len(graph.destinations))]
    reads = reads_of(graph)
    mask = np.zeros(graph.n_edges, dtype=bool)
    offered = np.zeros(len(graph.destinations), dtype=bool)
    frontier: list[tuple[float, int]] = []

    def offer(destination: int) -> None:
        if not offered[destination]:
            offered[destination] = True
            for column in into[destination]:
                heapq.heappush(frontier, (-float(values[column]), int(column)))

    offer(len(graph.destinations) - 1)
    for _ in range(n):
        if not frontier:
            break
        _, column = heapq.heappop(frontier)
        mask[column] = True
        for destination in np.flatnonzero(reads[graph.edge_src[column]]):
            offer(int(destination))
    rule = f"greedy from the logits by {score_word(signed)}, n={n}"
    return circuit_from_mask(graph, mask, rule=rule, requested=n, prune=prune)
