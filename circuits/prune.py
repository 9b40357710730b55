"""Removal of dangling edges: edges that lie on no path from the input to the logits.

Under counterfactual patching such edges cannot change the output (a node without in-circuit
input repeats its corrupted value; one without in-circuit output is never read), so circuits are
reported without them. Under zero and mean ablation they can, so removal is always an option.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.graph import Graph

ROWS_AT_ONCE = 256


@lru_cache(maxsize=16)
def reads_of(graph: Graph) -> Bool[np.ndarray, "src dst"]:
    """`reads[u, v]`: destination `v` is an input of the node that source `u` is written by.

    A head is one node with three destinations. With grouped-query attention the k and v
    destinations of k/v head g are inputs of every head of its group.
    """
    reads = np.zeros((len(graph.sources), len(graph.destinations)), dtype=bool)
    group = graph.n_heads // graph.kv_heads
    for s, src in enumerate(graph.sources):
        if src.kind == "attn":
            slots = (("q", src.head), ("k", src.head // group), ("v", src.head // group))
            names = [f"a{src.layer}.h{head}<{slot}>" for slot, head in slots]
        else:
            names = [src.name] * (src.kind == "mlp")
        for name in names:
            reads[s, graph.destination_index[name]] = True
    return reads


@lru_cache(maxsize=16)
def stages(graph: Graph) -> tuple[tuple[int, int], ...]:
    """Consecutive runs (first, stop) of sources none of which can read another of the same run."""
    width = graph.n_heads
    bounds = [(0, 1)]
    for layer in range(graph.n_layers):
        first = 1 + layer * (width + graph.has_mlp)
        bounds.append((first, first + width))
        if graph.has_mlp:
            bounds.append((first + width, first + width + 1))
    return tuple(bounds)


def _prune_chunk(
    graph: Graph, masks: Bool[np.ndarray, "replicate edge"]
) -> Bool[np.ndarray, "replicate edge"]:
    reads = reads_of(graph)
    rows, n_src, n_dst = len(masks), len(graph.sources), len(graph.destinations)
    kept = np.zeros((rows, n_src, n_dst), dtype=bool)
    kept[:, graph.edge_src, graph.edge_dst] = masks

    reached = np.zeros((rows, n_src), dtype=bool)  # there is a path from the input
    reached[:, 0] = True
    for first, stop in stages(graph)[1:]:
        inputs = np.flatnonzero(reads[first:stop].any(axis=0))
        fed = np.any(kept[:, :first, inputs] & reached[:, :first, None], axis=1)
        reached[:, first:stop] = (fed[:, None, :] & reads[first:stop, inputs]).any(axis=2)

    wanted = np.zeros((rows, n_dst), dtype=bool)  # there is a path to the logits
    wanted[:, -1] = True
    for first, stop in reversed(stages(graph)[1:]):
        useful = np.any(kept[:, first:stop, :] & wanted[:, None, :], axis=2)
        inputs = np.flatnonzero(reads[first:stop].any(axis=0))
        wanted[:, inputs] = (useful[:, :, None] & reads[first:stop, inputs]).any(axis=1)
    return masks & reached[:, graph.edge_src] & wanted[:, graph.edge_dst]


def prune_masks(
    graph: Graph, masks: Bool[np.ndarray, "replicate edge"]
) -> Bool[np.ndarray, "replicate edge"]:
    """Remove dangling edges from every row: what is left lies on a path from input to logits.

    This is the fixed point of removing nodes without an incoming edge (the input is exempt) and
    nodes without an outgoing edge (the logits are exempt) together with their edges.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> names = ("input->m0", "a0.h0->logits", "m0->logits")
    >>> kept = np.isin(graph.edge_names, names)
    >>> [graph.edge_names[i] for i in np.flatnonzero(prune_masks(graph, kept[None])[0])]
    ['input->m0', 'm0->logits']

    Raises
    ------
    ValueError
        If the rows do not have one column per edge of the graph.
    """
    masks = np.asarray(masks, dtype=bool)
    if masks.ndim != 2 or masks.shape[1] != graph.n_edges:
        raise ValueError(
            f"masks must be [replicate, edge] with {graph.n_edges} edges, got shape {masks.shape}"
        )
    chunks = [
        _prune_chunk(graph, masks[start : start + ROWS_AT_ONCE])
        for start in range(0, len(masks), ROWS_AT_ONCE)
    ]
    return np.concatenate(chunks) if chunks else masks.copy()


def prune_dangling(graph: Graph, kept: Bool[np.ndarray, " edge"]) -> Bool[np.ndarray, " edge"]:
    """`prune_masks` for one selection of edges."""
    return prune_masks(graph, np.asarray(kept, dtype=bool)[None])[0]
