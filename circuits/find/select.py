"""Score-then-select: turn edge scores into a circuit by rank, threshold or significance.

Scores are arrays [edge] or [replicate, edge] in the order of `Graph.edges`. Ranking is by |score|
unless `signed=True`, which ranks by signed damage (edges that support the behaviour first).
Ties go to the edge with the smaller column, so the same scores give the same circuit everywhere.
An edge whose score is exactly 0 is never kept by rank. P-values and sets of edges come in as
arrays, so that this file knows nothing about resampling.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import prune_dangling
from circuitvar.circuits.size import size_of_share
from circuitvar.circuits.types import Circuit

Edges = Float[np.ndarray, " edge"]
Mask = Bool[np.ndarray, " edge"]


def strength(
    scores: Float[np.ndarray, "*rows edge"], *, signed: bool = False
) -> Float[np.ndarray, "*rows edge"]:
    """What edges are ranked by: |score|, or the signed score.

    Raises
    ------
    ValueError
        If a score is NaN.
    """
    values = np.asarray(scores)
    if np.isnan(values).any():
        where = np.argwhere(np.isnan(values))[0]
        raise ValueError(
            f"score at {tuple(int(i) for i in where)} is NaN: scores must be numbers; "
            "rescore, or drop the edge from the graph"
        )
    return values if signed else np.abs(values)


def check_size(n: int, n_edges: int) -> None:
    """Refuse a number of edges that the graph does not have."""
    if not 0 <= n <= n_edges:
        raise ValueError(f"n must be between 0 and the number of edges, {n_edges}; got {n}")


def top_n_masks(
    scores: Float[np.ndarray, "replicate edge"], n: int, *, signed: bool = False
) -> Bool[np.ndarray, "replicate edge"]:
    """The `n` highest-ranked edges of every row, before any pruning.

    An edge whose score is exactly 0 is never kept, so a row may hold fewer than `n`: edges that
    were not scored or cannot matter must not fill up a circuit, which would look like agreement.
    Ties at the boundary go to the smaller column. O(edges) per row.

    >>> top_n_masks(np.array([[3.0, -4.0, 1.0, 3.0]]), 2).astype(int)
    array([[1, 1, 0, 0]])

    Raises
    ------
    ValueError
        If a score is NaN or `n` is not between 0 and the number of edges.
    """
    values = strength(np.atleast_2d(np.asarray(scores)), signed=signed)
    n_edges = values.shape[1]
    check_size(n, n_edges)
    if n == 0 or n == n_edges:
        return (values != 0) & (n == n_edges)
    boundary = np.partition(values, n_edges - n, axis=1)[:, n_edges - n]
    kept = values >= boundary[:, None]
    for row in np.flatnonzero(kept.sum(axis=1) > n):
        tied = np.flatnonzero(values[row] == boundary[row])
        surplus = int(kept[row].sum()) - n
        kept[row, tied[len(tied) - surplus :]] = False
    return kept & (values != 0)


def circuit_from_mask(
    graph: Graph, mask: Mask, *, rule: str, requested: int | None = None, prune: bool = True
) -> Circuit:
    """A circuit from chosen edges; `rule` says in words how they were chosen.

    Raises
    ------
    ValueError
        If the mask does not have one entry per edge of the graph.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != (graph.n_edges,):
        raise ValueError(f"mask must have {graph.n_edges} entries, got shape {mask.shape}")
    selected = int(mask.sum())
    return Circuit(
        graph=graph,
        kept=prune_dangling(graph, mask) if prune else mask.copy(),
        rule=rule,
        requested=selected if requested is None else requested,
        selected=selected,
    )


def score_word(signed: bool) -> str:
    """How the ranking is called in a rule's text."""
    return "score" if signed else "|score|"


def top_n(
    graph: Graph, scores: Edges, n: int, *, signed: bool = False, prune: bool = True
) -> Circuit:
    """The `n` highest-ranked edges, minus dangling ones.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> circuit = top_n(graph, np.arange(graph.n_edges, dtype=float), 5)
    >>> circuit.requested, circuit.selected, circuit.size
    (5, 5, 3)
    """
    mask = top_n_masks(np.asarray(scores)[None], n, signed=signed)[0]
    rule = f"top-n {score_word(signed)}, n={n}"
    return circuit_from_mask(graph, mask, rule=rule, requested=n, prune=prune)


def top_fraction(
    graph: Graph, scores: Edges, fraction: float, *, signed: bool = False, prune: bool = True
) -> Circuit:
    """The highest-ranked share of all edges, rounded down, minus dangling ones.

    A share of 1 is the whole graph, edges of score 0 included.

    Raises
    ------
    ValueError
        If `fraction` is not between 0 and 1.
    """
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
    n = size_of_share(graph.n_edges, fraction)
    mask = top_n_masks(np.asarray(scores)[None], n, signed=signed)[0] | (n == graph.n_edges)
    rule = f"top {100 * fraction:g} % of edges by {score_word(signed)}, n={n}"
    return circuit_from_mask(graph, mask, rule=rule, requested=n, prune=prune)


def threshold(
    graph: Graph, scores: Edges, cut: float, *, signed: bool = False, prune: bool = True
) -> Circuit:
    """Edges whose score is at least `cut`, in the unit of the scores, minus dangling ones.

    All edges tied at the cut are kept, so the size is whatever the scores give.
    """
    mask = strength(scores, signed=signed) >= cut
    return circuit_from_mask(graph, mask, rule=f"{score_word(signed)} >= {cut:g}", prune=prune)


def significant(
    graph: Graph,
    scores: Edges,
    p_adjusted: Edges,
    *,
    alpha: float = 0.05,
    signed: bool = False,
    prune: bool = True,
) -> Circuit:
    """Edges whose multiplicity-adjusted p-value is at most `alpha`, minus dangling ones.

    With `signed=True` only edges with a positive score (damage when patched) are kept. At
    large n nearly every edge differs from zero: test against a minimum effect, not against zero.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1], or `alpha` is no error rate.
    """
    p = np.asarray(p_adjusted, dtype=float)
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if bad.size:
        raise ValueError(
            f"p-value of edge {graph.edge_names[bad[0]]!r} is {p[bad[0]]}; must be in [0, 1]"
        )
    mask = (p <= check_alpha(alpha)) & (strength(scores, signed=signed) > 0)
    rule = f"adjusted p <= {alpha:g} by {score_word(signed)}"
    return circuit_from_mask(graph, mask, rule=rule, prune=prune)


def top_set_circuit(
    graph: Graph, edges: Mask, which: Literal["inner", "outer"], *, k: int, confidence: float = 0.95
) -> Circuit:
    """The inner or outer set of the true top-k, minus dangling edges.

    `inner`: edges that belong to it with the stated confidence; `outer`: those that cannot be
    excluded from it.
    """
    rule = f"{which} set of the top-{k}, {100 * confidence:g} % simultaneous confidence"
    return circuit_from_mask(graph, edges, rule=rule, requested=k)
