"""Random circuits from outside a circuit: the reference set of partial necessity.

Shi et al. 2024 (arXiv 2410.13032) name two reference sets for the knock-out: circuits drawn from
the whole model, or from the complement of the circuit. In a small graph a random circuit of the
whole model often shares the edge that everything passes through, and then does the same damage as
the circuit: a true circuit cannot win. Circuits from outside share no edge with it.
"""

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.circuits.evaluate.null_circuits import NULL_FAMILIES, edges_into, random_path
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import prune_dangling
from circuitvar.circuits.strata import edge_strata
from circuitvar.tasks.lookup import unknown

FAILURES = 20
"""Paths too long for the size that are redrawn before single edges fill the circuit."""


def fits_outside(kept: Bool[np.ndarray, " edge"]) -> bool:
    """At least as many edges are outside the circuit as in it, so that sizes can be matched."""
    return 2 * int(np.asarray(kept, dtype=bool).sum()) <= len(kept)


def outside_circuits(
    graph: Graph,
    kept: Bool[np.ndarray, " edge"],
    draws: int,
    *,
    family: str = "connected",
    rng: np.random.Generator,
) -> Bool[np.ndarray, "draw edge"]:
    """Random circuits of the size of `kept` without any edge of it.

    `edges`: uniform over the edges outside. `strata`: as many per layer-and-type stratum as
    `kept` has. `connected`: grown from random paths from the logits to the input that avoid the
    circuit. Where paths or a stratum run out, random edges from outside fill the circuit: sizes
    always match, and filling only makes the random knock-out do more.

    Raises
    ------
    ValueError
        If the family is unknown or fewer edges are outside than in the circuit.
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
        masks = np.stack([_grow(graph, allowed, into, size, rng) for _ in range(draws)])
    else:
        masks = np.zeros((draws, graph.n_edges), dtype=bool)
        if family == "strata":
            _draw_in_strata(edge_strata(graph), free, masks, rng)
    for mask in masks:
        left = np.flatnonzero(free & ~mask)
        mask[rng.choice(left, size - int(mask.sum()), replace=False)] = True
    return masks


def _draw_in_strata(
    strata: Int[np.ndarray, " edge"],
    free: Bool[np.ndarray, " edge"],
    masks: Bool[np.ndarray, "draw edge"],
    rng: np.random.Generator,
) -> None:
    counts = np.bincount(strata[~free], minlength=strata.max() + 1)
    for stratum in np.flatnonzero(counts):
        members = np.flatnonzero((strata == stratum) & free)
        for mask in masks:
            mask[rng.choice(members, min(counts[stratum], len(members)), replace=False)] = True


def _grow(
    graph: Graph,
    allowed: Bool[np.ndarray, " edge"],
    into: list[np.ndarray],
    size: int,
    rng: np.random.Generator,
) -> Bool[np.ndarray, " edge"]:
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
        mask[column] = _joins(graph, mask, column)
    return mask


def _joins(graph: Graph, mask: Bool[np.ndarray, " edge"], column: int) -> bool:
    """The edge would lie on a path from the input to the logits of the circuit with it."""
    trial = mask.copy()
    trial[column] = True
    return bool(prune_dangling(graph, trial)[column])
