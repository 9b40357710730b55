"""A discovery method for small nets: drop edges in random order while the circuit stays valid.

Re-runs with other orders are the "same method, other noise" that audits of transformers see; here
the set of all valid circuits is known, so method noise and true degeneracy can be told apart.
"""

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.audit.identifiability.count import is_topology
from circuitvar.audit.identifiability.nets import Question, is_valid, layer_masks


def prune_greedily(
    question: Question, n: int, *, rng: np.random.Generator
) -> Bool[np.ndarray, "run edge"]:
    """`n` runs from the full net; each tries every edge once, in its own random order.

    Raises
    ------
    ValueError
        The full net itself does not meet the criterion.
    """
    orders = rng.permuted(np.tile(np.arange(question.net.n_edges), (n, 1)), axis=1)
    return prune_in_order(question, orders)


def prune_in_order(
    question: Question, orders: Int[np.ndarray, "run edge"]
) -> Bool[np.ndarray, "run edge"]:
    """From the full net, one run per row of `orders`: drop each edge if the rest stays valid.

    Raises
    ------
    ValueError
        The full net itself does not meet the criterion.
    """
    n, edges = orders.shape
    kept = np.ones((n, edges), dtype=bool)
    if n and not is_valid(question, kept[:1])[0]:
        raise ValueError(
            f"the full net does not meet the criterion ({question.criterion.title}); "
            "nothing to prune"
        )
    for step in range(edges):
        proposal = kept.copy()
        proposal[np.arange(n), orders[:, step]] = False
        proposal = remove_dangling(proposal, question.net.widths)
        fine = np.flatnonzero(is_topology(proposal, question.net.widths))
        fine = fine[is_valid(question, proposal[fine])]
        kept[fine] = proposal[fine]
    return kept


def remove_dangling(
    kept: Bool[np.ndarray, "circuit edge"], widths: tuple[int, ...]
) -> Bool[np.ndarray, "circuit edge"]:
    """Drop edges into nodes without an out-edge and out of nodes without an in-edge."""
    masks = [m.copy() for m in layer_masks(kept, widths)]
    for i in range(1, len(masks)):
        masks[i] &= np.any(masks[i - 1], axis=2)[:, None, :]
    for i in range(len(masks) - 2, -1, -1):
        masks[i] &= np.any(masks[i + 1], axis=1)[:, :, None]
    return np.column_stack([m.reshape(len(kept), -1) for m in masks])
