"""Valid circuits one by one, and which of them contain no smaller one."""

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.audit.identifiability.count.branch_and_count import Cylinders, valid_cylinders
from circuitvar.audit.identifiability.nets import Count, Question, Space, in_space, layer_masks

LIMIT = 2_000_000


def list_valid(
    question: Question, *, max_edges: int | None = None, limit: int = LIMIT
) -> Bool[np.ndarray, "circuit edge"]:
    """All valid circuits of the whole space as rows over the edges.

    `max_edges` lists only those with at most that many edges, output edges included.

    Raises
    ------
    ValueError
        More than `limit` of them.
    """
    parts, n = [], 0
    for families in valid_cylinders(question, closed=False, max_edges=max_edges):
        n += len(families.prefix)
        if n > limit:
            raise ValueError(
                f"more than {limit:,} valid circuits; set max_edges, raise limit or sample_valid"
            )
        parts.append(circuits_of(question, families, families.choices))
    return np.concatenate(parts) if parts else np.zeros((0, question.net.n_edges), dtype=bool)


def circuits_of(
    question: Question, families: Cylinders, choices: Int[np.ndarray, " family"]
) -> Bool[np.ndarray, "family edge"]:
    """Edge rows of circuits whose neurons in `order` take the packed parent sets `choices`."""
    neurons, sources = question.net.weights[-2].shape
    a, p = families.prefixes.n_parents, families.prefix
    last = np.zeros((len(p), neurons, sources), dtype=bool)
    output = np.zeros((len(p), neurons), dtype=bool)
    every = np.arange(len(p))
    for j in range(neurons):
        node = families.order[p, j]
        chosen = (choices >> (j * a)) & (2**a - 1)
        output[every, node] = chosen > 0
        for bit in range(a):
            last[every, node, families.prefixes.parents[p, bit]] = (chosen >> bit) & 1
    return np.column_stack([families.prefixes.kept[p], last.reshape(len(p), -1), output])


def active_nodes(
    question: Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Int[np.ndarray, " circuit"]:
    """Number of hidden nodes each circuit uses."""
    masks = layer_masks(kept, question.net.widths)
    return sum((m.any(axis=2).sum(axis=1) for m in masks[:-1]), start=np.zeros(len(kept), int))


def inside(
    question: Question, kept: Bool[np.ndarray, "circuit edge"], space: Space
) -> Bool[np.ndarray, " circuit"]:
    """Whether each circuit belongs to `space`."""
    widths = question.net.widths
    allowed = [in_space(space, a, widths) for a in range(sum(widths[1:-1]) + 1)]
    return np.array(allowed)[active_nodes(question, kept)]


def only_in_space(
    question: Question, kept: Bool[np.ndarray, "circuit edge"], space: Space
) -> Bool[np.ndarray, "inside edge"]:
    """The rows of `kept` that belong to `space`."""
    return kept[inside(question, kept, space)]


def inclusion_minimal(kept: Bool[np.ndarray, "circuit edge"]) -> Bool[np.ndarray, "minimal edge"]:
    """The circuits that contain no other circuit of the list, smallest first.

    >>> inclusion_minimal(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], bool)).astype(int).tolist()
    [[1, 0, 0], [0, 1, 1]]
    """
    size = kept.sum(axis=1)
    left = kept[np.argsort(size, kind="stable")]
    found = []
    while len(left):
        smallest = left[0]
        found.append(smallest)
        left = left[~left[:, smallest].all(axis=1)]
    return np.array(found, dtype=bool).reshape(-1, kept.shape[1])


def count_minimal(question: Question, *, limit: int = LIMIT) -> Count:
    """Number of inclusion-minimal valid circuits (edges, output edges included; whole space).

    Exact where all valid circuits can be listed. Otherwise a lower bound: a valid circuit is
    minimal or contains a minimal one of its size or less, so the minimal ones among all circuits
    of at most s edges are all minimal; s grows until `limit` circuits would be listed.
    """
    try:
        minimal = inclusion_minimal(list_valid(question, limit=limit))
        return Count("inclusion-minimal circuits", len(minimal), "exact", how="listed")
    except ValueError:
        pass
    best, size = 0, 3
    for size in range(3, question.net.n_edges + 1):
        try:
            kept = list_valid(question, max_edges=size, limit=min(limit, 200_000))
        except ValueError:
            break
        best = len(inclusion_minimal(kept))
    how = f"minimal among all circuits of fewer than {size} edges"
    return Count("inclusion-minimal circuits", best, "lower bound", how=how)
