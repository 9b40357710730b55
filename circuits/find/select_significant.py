"""Significance-based selection: circuits that carry an error rate instead of a size.

The statistics (max-T adjusted p-values, inner and outer sets) are computed elsewhere and come in
as arrays, so that this file knows nothing about resampling.
"""

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.find.select import circuit_from_mask, score_word, strength
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.types import Circuit


def significant(
    graph: Graph,
    scores: Float[np.ndarray, " edge"],
    p_adjusted: Float[np.ndarray, " edge"],
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


def inner_circuit(
    graph: Graph, inner: Bool[np.ndarray, " edge"], *, k: int, confidence: float = 0.95
) -> Circuit:
    """Edges that belong to the true top-k with the stated confidence, minus dangling ones."""
    rule = f"inner set of the top-{k}, {100 * confidence:g} % simultaneous confidence"
    return circuit_from_mask(graph, inner, rule=rule, requested=k)


def outer_circuit(
    graph: Graph, outer: Bool[np.ndarray, " edge"], *, k: int, confidence: float = 0.95
) -> Circuit:
    """Edges that cannot be excluded from the true top-k, minus dangling ones."""
    rule = f"outer set of the top-{k}, {100 * confidence:g} % simultaneous confidence"
    return circuit_from_mask(graph, outer, rule=rule, requested=k)
