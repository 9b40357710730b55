"""Matching heads across training seeds: undoes a renaming, and says what matching alone gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.audit.agreement.match_heads import _dense, _rename, match_heads, seed_axis_matched
from circuitvar.circuits.graph import Graph

GRAPH = Graph(n_layers=3, n_heads=3)


def renamed(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same model with the heads of every layer in another order."""
    dense = _dense(GRAPH, scores)
    for layer in range(GRAPH.n_layers):
        dense = _rename(GRAPH, dense, layer, rng.permutation(GRAPH.n_heads))
    return dense[GRAPH.edge_src, GRAPH.edge_dst]


@given(st.integers(0, 1000))
def test_a_renaming_is_undone(seed):
    rng = np.random.default_rng(seed)
    scores = rng.standard_t(3, size=GRAPH.n_edges)
    np.testing.assert_array_equal(match_heads(GRAPH, renamed(scores, rng), scores), scores)


def test_renamed_copies_are_perfectly_stable_and_random_ones_are_not():
    rng = np.random.default_rng(0)
    scores = rng.standard_t(2, size=GRAPH.n_edges)
    copies = np.stack([scores, renamed(scores, rng), renamed(scores, rng)])
    assert seed_axis_matched(GRAPH, copies, 20, rng=rng).phi.value == 1.0
    unrelated = rng.standard_t(2, size=(6, GRAPH.n_edges))
    axis = seed_axis_matched(GRAPH, unrelated, 20, rng=rng)
    assert axis.phi.value < 0.4
    # Matching lifts chance above that of unmatched random sets: it is an upper estimate.
    assert axis.chance > 20 / GRAPH.n_edges / (2 - 20 / GRAPH.n_edges)


def test_grouped_query_heads_are_refused():
    graph = Graph(n_layers=1, n_heads=4, n_kv_heads=2)
    with pytest.raises(ValueError, match="compare its seeds without matching"):
        match_heads(graph, np.zeros(graph.n_edges), np.zeros(graph.n_edges))
