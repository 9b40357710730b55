"""Find a small net's circuit again when something irrelevant changes: order, batch or prompts.

Discovery is greedy pruning. What changes between re-runs is the order in which edges are tried
(the method's own seed), the batch of truth-table rows the circuit is checked on, or noise on the
inputs (other prompts for the same labels). Training seeds are compared in `match_units`.
"""

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.audit.identifiability.nets import (
    BooleanNet,
    Question,
    is_topology,
    is_valid,
    layer_masks,
    pose,
)
from circuitvar.tasks.language import input_rows
from circuitvar.tasks.lookup import unknown

SOURCES = ("edge orders", "batches", "prompts")
NOISE = 0.1
"""Standard deviation of the noise on inputs; inputs are 0 and 1."""


def rediscover(
    question: Question, source: str, n: int, *, noise: float = NOISE, rng: np.random.Generator
) -> Bool[np.ndarray, "run edge"]:
    """Up to `n` circuits found while only `source` changes.

    `edge orders`: a random order per run, all rows. `batches`: as many rows as the truth table
    has, drawn with replacement. `prompts`: every row once, with Gaussian noise and its clean
    label; sets of prompts on which the full net itself fails are left out, so fewer than `n` (or
    no) circuits may come back. The last two try edges from the output backwards, as ACDC does
    (arXiv 2304.14997), so that nothing but the data varies.

    Raises
    ------
    ValueError
        An unknown source, a question not about the truth table, or a full net that does not meet
        the criterion.
    """
    if source not in SOURCES:
        raise unknown("source", source, SOURCES)
    if source == "edge orders":
        return prune_greedily(question, n, rng=rng)
    net = question.net
    rows = input_rows(net.widths[0])
    labels = _labels(question)
    if source == "batches":
        return _batches(question, rows, labels, n, rng)
    found = []
    for _ in range(n):
        noisy = rows + noise * rng.normal(size=rows.shape)
        one = _about(question, noisy, labels)
        if is_valid(one, np.ones((1, net.n_edges), dtype=bool))[0]:
            found.append(prune_in_order(one, backwards(net))[0])
    return np.array(found, dtype=bool).reshape(-1, net.n_edges)


def backwards(net: BooleanNet) -> np.ndarray:
    """Edges from the output back to the inputs, as one order."""
    return np.arange(net.n_edges)[None, ::-1]


def _labels(question: Question) -> np.ndarray:
    rows = input_rows(question.net.widths[0])
    known = {tuple(x): y for x, y in zip(question.rows.tolist(), question.labels, strict=True)}
    if set(known) != set(map(tuple, rows.tolist())):
        raise ValueError("re-runs over data need a question about the whole truth table")
    return np.array([known[tuple(x)] for x in rows.tolist()])


def _about(question: Question, rows: np.ndarray, labels: np.ndarray) -> Question:
    """The same question about other rows."""
    how = {"criterion": question.criterion, "ablation": question.ablation}
    return pose(question.net, labels.tolist(), rows=rows, **how)


def _batches(question: Question, rows, labels, n: int, rng) -> np.ndarray:
    """Batches with the same distinct rows give the same circuit, which is found once."""
    drawn = rng.integers(len(rows), size=(n, len(rows)))
    seen: dict[tuple[int, ...], np.ndarray] = {}
    found = []
    for batch in drawn:
        key = tuple(np.unique(batch).tolist())
        if key not in seen:
            some = list(key)
            one = _about(question, rows[some], labels[some])
            seen[key] = prune_in_order(one, backwards(question.net))[0]
        found.append(seen[key])
    return np.array(found, dtype=bool).reshape(-1, question.net.n_edges)


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
