"""Random circuits to compare with: the null families of circuit tests.

Three families, from least to most structure kept: random edges; random edges within layer-and-type
strata; random connected circuits. Which one was used must be said: random edges are nearly always
beaten and prove little. (The fourth family, a model with random weights, is another model.)

They are drawn from the whole model, or from outside the circuit: the two reference sets that Shi et
al. 2024 (arXiv 2410.13032) name for the knock-out. In a small graph a random circuit of the whole
model often shares the edge that everything passes through, and then does the same damage as the
circuit: a true circuit cannot win. Circuits from outside share no edge with it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.overlap import edge_strata
from circuitvar.circuits.prune import prune_dangling, reads_of
from circuitvar.tasks.lookup import unknown

Mask = Bool[np.ndarray, " edge"]
Masks = Bool[np.ndarray, "draw edge"]
NULL_FAMILIES = ("edges", "strata", "connected")
FAILURES = 20
"""Paths too long for the size that are redrawn before single edges fill the circuit."""


def random_edges(graph: Graph, size: int, draws: int, *, rng: np.random.Generator) -> Masks:
    """`draws` sets of exactly `size` edges, uniform over all sets of that size."""
    _check_size(graph, size)
    masks = np.zeros((draws, graph.n_edges), dtype=bool)
    for mask in masks:
        mask[rng.choice(graph.n_edges, size, replace=False)] = True
    return masks


def random_in_strata(
    graph: Graph, kept: Mask, draws: int, *, rng: np.random.Generator, free: Mask | None = None
) -> Masks:
    """Random sets with as many edges in each layer-and-type stratum as `kept` has.

    Only `free` edges are drawn: all of a stratum that has too few.
    """
    strata = edge_strata(graph)
    free = np.ones(graph.n_edges, dtype=bool) if free is None else free
    counts = np.bincount(strata[np.asarray(kept, dtype=bool)], minlength=strata.max() + 1)
    masks = np.zeros((draws, graph.n_edges), dtype=bool)
    for stratum in np.flatnonzero(counts):
        members = np.flatnonzero((strata == stratum) & free)
        for mask in masks:
            mask[rng.choice(members, min(counts[stratum], len(members)), replace=False)] = True
    return masks


def random_path(
    graph: Graph, *, rng: np.random.Generator, into: Sequence[np.ndarray] | None = None
) -> list[int]:
    """Edges of a random path: a walk from the logits back to the input.

    Each step takes an edge into the current node (for a head: into its q, k or v) uniformly;
    `into` lists those that may be taken, per source and last for the logits (default: all).
    """
    into = _edges_into_sources(graph) if into is None else into
    path, node = [], len(graph.sources)
    while node != 0:
        column = int(into[node][rng.integers(len(into[node]))])
        path.append(column)
        node = int(graph.edge_src[column])
    return path


def random_connected(graph: Graph, size: int, draws: int, *, rng: np.random.Generator) -> Masks:
    """Random circuits of exactly `size` edges, every one on a path from input to logits.

    Grown from random paths; a path that would overshoot is redrawn, and after 20 failures the
    rest is filled with uniform edges between nodes already in the circuit. Shi et al. 2024 grow
    until the size is at least the one asked for; here it is met exactly.

    Raises
    ------
    ValueError
        If `size` is not between 1 and the number of edges.
    """
    _check_size(graph, size)
    if size < 1:
        raise ValueError("a connected circuit has at least one edge; ask for size >= 1")
    return np.stack([_grow(graph, size, rng) for _ in range(draws)])


def null_circuits(
    graph: Graph, kept: Mask, draws: int, *, family: str = "connected", rng: np.random.Generator
) -> Masks:
    """Random circuits as large as `kept`, from one of `NULL_FAMILIES`."""
    size = int(np.asarray(kept, dtype=bool).sum())
    if size == 0:
        raise ValueError("the circuit is empty: there is no random circuit of its size")
    if family == "edges":
        return random_edges(graph, size, draws, rng=rng)
    if family == "strata":
        return random_in_strata(graph, kept, draws, rng=rng)
    if family == "connected":
        return random_connected(graph, size, draws, rng=rng)
    raise unknown("null family", family, NULL_FAMILIES)


def _check_size(graph: Graph, size: int) -> None:
    if not 0 <= size <= graph.n_edges:
        raise ValueError(f"size must be between 0 and {graph.n_edges} edges, got {size}")


@lru_cache(maxsize=16)
def _edges_into_sources(graph: Graph) -> tuple[np.ndarray, ...]:
    """Columns of the edges into each source's node; last entry: into the logits."""
    return tuple(edges_into(graph, np.ones(graph.n_edges, dtype=bool)))


def edges_into(graph: Graph, allowed: Mask) -> list[np.ndarray]:
    """Columns of the allowed edges into each source's node; last entry: into the logits."""
    logits = np.arange(len(graph.destinations)) == len(graph.destinations) - 1
    reads = np.vstack([reads_of(graph), logits])
    return [np.flatnonzero(allowed & row[graph.edge_dst]) for row in reads]


def _grow(graph: Graph, size: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(graph.n_edges, dtype=bool)
    count, failures = 0, 0
    while count < size and failures < FAILURES:
        path = random_path(graph, rng=rng)
        new = [column for column in path if not mask[column]]
        if count + len(new) > size:
            failures += 1
            continue
        mask[new] = True
        count += len(new)
    while count < size:
        inside = np.flatnonzero(_between_kept_nodes(graph, mask) & ~mask)
        if not inside.size:  # every such edge is in: open the circuit by its shortest new path
            path = _shortest_extension(graph, mask, rng)
            if len(path) > size - count:
                return _grow(graph, size, rng)
            mask[path] = True
            count += len(path)
            continue
        chosen = rng.choice(inside, min(size - count, len(inside)), replace=False)
        mask[chosen] = True
        count += len(chosen)
    return mask


def _between_kept_nodes(graph: Graph, mask: np.ndarray) -> np.ndarray:
    """Edges from a source in the circuit to a destination of a node in it (or the logits)."""
    inside = np.zeros(len(graph.sources), dtype=bool)
    inside[0] = True
    inside[graph.edge_src[mask]] = True
    readable = np.any(reads_of(graph) & inside[:, None], axis=0)
    readable[-1] = True
    return inside[graph.edge_src] & readable[graph.edge_dst]


def _shortest_extension(graph: Graph, mask: np.ndarray, rng: np.random.Generator) -> list[int]:
    """input -> new node -> logits, for a random node outside the circuit."""
    outside = np.setdiff1d(np.arange(1, len(graph.sources)), graph.edge_src[mask])
    node = int(rng.choice(outside))
    into = _edges_into_sources(graph)[node]
    first = into[graph.edge_src[into] == 0]
    last = np.flatnonzero(
        (graph.edge_src == node) & (graph.edge_dst == len(graph.destinations) - 1)
    )
    return [int(rng.choice(first)), int(last[0])]


def fits_outside(kept: Mask) -> bool:
    """At least as many edges are outside the circuit as in it, so that sizes can be matched."""
    return 2 * int(np.asarray(kept, dtype=bool).sum()) <= len(kept)


def outside_circuits(
    graph: Graph, kept: Mask, draws: int, *, family: str = "connected", rng: np.random.Generator
) -> Masks:
    """Random circuits of the size of `kept` without any edge of it.

    `edges`: uniform over the edges outside. `strata`: as many per layer-and-type stratum as
    `kept` has. `connected`: grown from random paths from the logits to the input that avoid the
    circuit. Where paths or a stratum run out, random edges from outside fill the circuit: sizes
    always match, and filling only makes the random knock-out do more.
    """
    free = ~np.asarray(kept, dtype=bool)
    size = int((~free).sum())
    if not fits_outside(kept):
        raise ValueError(
            f"{int(free.sum())} edges are outside the circuit of {size}: no circuit of its size "
            "avoids it; use the reference 'model'"
        )
    if family not in NULL_FAMILIES:
        raise unknown("null family", family, NULL_FAMILIES)
    if family == "connected":
        allowed = prune_dangling(graph, free)
        into = edges_into(graph, allowed)
        masks = np.stack([_grow_outside(graph, allowed, into, size, rng) for _ in range(draws)])
    elif family == "strata":
        masks = random_in_strata(graph, ~free, draws, rng=rng, free=free)
    else:
        masks = np.zeros((draws, graph.n_edges), dtype=bool)
    for mask in masks:
        left = np.flatnonzero(free & ~mask)
        mask[rng.choice(left, size - int(mask.sum()), replace=False)] = True
    return masks


def _grow_outside(
    graph: Graph, allowed: Mask, into: list[np.ndarray], size: int, rng: np.random.Generator
) -> Mask:
    """Random paths while they fit; then single edges that join nodes of the circuit."""
    mask = np.zeros(graph.n_edges, dtype=bool)
    size = min(size, int(allowed.sum()))
    failures = 0
    while mask.sum() < size and failures < FAILURES:
        new = [column for column in random_path(graph, rng=rng, into=into) if not mask[column]]
        if not new or mask.sum() + len(new) > size:
            failures += 1
            continue
        mask[new] = True
    for column in rng.permutation(np.flatnonzero(allowed & ~mask)):
        if mask.sum() >= size:
            break
        trial = mask.copy()
        trial[column] = True
        mask[column] = prune_dangling(graph, trial)[column]
    return mask
