"""The slow, obvious enumeration: every mask, tested against the textual conditions.

It is the oracle of `branch_and_count` and the only way to apply criteria that are not a box
(accuracy over noisy rows, agreement under interventions).
"""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.nets import layer_masks

MAX_EDGES = 20


def all_topologies(widths: Sequence[int]) -> Bool[np.ndarray, "circuit edge"]:
    """Every topology of a small net with one output, one row each.

    Kept are the edge masks where each input has an out-edge, the output an in-edge, and each
    hidden node an in-edge exactly when it has an out-edge.

    Raises
    ------
    ValueError
        More than 20 edges.

    >>> len(all_topologies((2, 2, 2, 1)))
    69
    """
    n_edges = sum(a * b for a, b in itertools.pairwise(widths))
    if n_edges > MAX_EDGES:
        raise ValueError(
            f"{n_edges} edges give 2^{n_edges} masks; brute force stops at {MAX_EDGES} edges, "
            "use count_valid or list_valid"
        )
    bits = np.arange(2**n_edges)[:, None] >> np.arange(n_edges)
    kept = (bits & 1).astype(bool)
    return kept[is_topology(kept, widths)]


def is_topology(
    kept: Bool[np.ndarray, "circuit edge"], widths: Sequence[int]
) -> Bool[np.ndarray, " circuit"]:
    """Whether each mask meets the conditions on its nodes."""
    masks = layer_masks(kept, widths)
    fine = np.asarray(masks[0].any(axis=1)).all(axis=1)
    fine &= np.asarray(masks[-1].any(axis=2)).all(axis=1)
    for before, after in itertools.pairwise(masks):
        fine &= (before.any(axis=2) == after.any(axis=1)).all(axis=1)
    return np.asarray(fine)
