"""Circuits that connect: grown back from the logits, or the smallest top-n that is good enough."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from circuitvar.circuits.find.select import (
    Edges,
    check_size,
    circuit_from_mask,
    score_word,
    strength,
    top_n,
)
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.size import size_of_share
from circuitvar.circuits.types import Circuit

MIB_FRACTIONS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Size grid of the MIB circuit track (arXiv 2504.13151)."""


def smallest_connected_n(
    graph: Graph, scores: Float[np.ndarray, "replicate edge"], *, signed: bool = False
) -> Int[np.ndarray, " replicate"]:
    """The smallest n for which the top-n edges of each row contain a path from input to logits.

    n is 1 + the bottleneck of the widest path: over all paths, the smallest possible rank of the
    worst edge, found in one sweep over the sources in order of writing.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> smallest_connected_n(graph, -np.arange(graph.n_edges)[None], signed=True)
    array([5])
    """
    values = strength(np.atleast_2d(np.asarray(scores)), signed=signed)
    order = np.argsort(-values, axis=1, kind="stable")
    rank = np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(rank, order, np.arange(values.shape[1])[None], axis=1)
    reads = reads_of(graph)
    worst = np.full((len(values), len(graph.sources)), values.shape[1])
    worst[:, 0] = -1
    for source in range(1, len(graph.sources)):
        columns = np.flatnonzero(np.isin(graph.edge_dst, np.flatnonzero(reads[source])))
        through = np.maximum(rank[:, columns], worst[:, graph.edge_src[columns]])
        worst[:, source] = through.min(axis=1)
    last = np.flatnonzero(graph.edge_dst == len(graph.destinations) - 1)
    return np.maximum(rank[:, last], worst[:, graph.edge_src[last]]).min(axis=1) + 1


def smallest_connected(
    graph: Graph, scores: Edges, *, signed: bool = False, prune: bool = True
) -> Circuit:
    """The top-n circuit of the smallest n that connects the input to the logits."""
    n = int(smallest_connected_n(graph, np.asarray(scores)[None], signed=signed)[0])
    rule = f"smallest connected top-n {score_word(signed)}, n={n}"
    return replace(top_n(graph, scores, n, signed=signed, prune=prune), rule=rule)


def smallest_faithful(
    graph: Graph,
    scores: Edges,
    error: Callable[[Circuit], float],
    *,
    epsilon: float,
    sizes: Sequence[int] | None = None,
    signed: bool = False,
) -> Circuit:
    """The smallest top-n circuit whose `error` on held-out prompts is at most `epsilon`.

    Error need not fall monotonically in n, so the search is stated: the smallest size of the grid
    (default: MIB's ten shares) that passes, then bisection between it and the grid size before.

    Raises
    ------
    ValueError
        If no size of the grid reaches `epsilon`.
    """
    if sizes is None:
        sizes = sorted({max(1, size_of_share(graph.n_edges, share)) for share in MIB_FRACTIONS})
    below, passing, lowest = 0, 0, np.inf
    for passing in sizes:
        here = error(top_n(graph, scores, passing, signed=signed))
        lowest = min(lowest, here)
        if here <= epsilon:
            break
        below = passing
    else:
        raise ValueError(
            f"no circuit of the sizes {list(sizes)} has error <= {epsilon:g} (lowest: "
            f"{lowest:g}); raise epsilon or allow larger sizes"
        )
    while passing - below > 1:
        middle = (below + passing) // 2
        if error(top_n(graph, scores, middle, signed=signed)) <= epsilon:
            passing = middle
        else:
            below = middle
    rule = f"smallest top-n {score_word(signed)} with error <= {epsilon:g}, n={passing}"
    return replace(top_n(graph, scores, passing, signed=signed), rule=rule)


def greedy(
    graph: Graph, scores: Edges, n: int, *, signed: bool = False, prune: bool = True
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
