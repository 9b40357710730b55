"""Selection rules and pruning, against slow obvious versions."""

import heapq

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.circuits.find.rules import select
from circuitvar.circuits.find.select import (
    significant,
    threshold,
    top_fraction,
    top_n,
    top_n_masks,
    top_set_circuit,
)
from circuitvar.circuits.find.select_connected import (
    greedy,
    smallest_connected,
    smallest_connected_n,
    smallest_faithful,
)
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import prune_dangling, prune_masks, reads_of

GRAPHS = (
    Graph(n_layers=2, n_heads=2),
    Graph(n_layers=3, n_heads=4, n_kv_heads=2),
    Graph(n_layers=2, n_heads=3, parallel=True),
    Graph(n_layers=3, n_heads=2, has_mlp=False),
)


def nodes_read_by(graph, destination):
    """Names of the source nodes that a destination is an input of, from the names alone."""
    name = destination.name
    if "<" not in name:
        return {name}
    group = graph.n_heads // graph.kv_heads if destination.slot in "kv" else 1
    heads = range(destination.head * group, (destination.head + 1) * group)
    return {f"a{destination.layer}.h{h}" for h in heads}


def prune_slowly(graph, kept):
    """Remove nodes without in-edges or out-edges, one round at a time, until nothing changes."""
    names = {graph.edge_names[i] for i in np.flatnonzero(kept)}
    edges = {e.name: (e.src.name, nodes_read_by(graph, e.dst)) for e in graph.edges}
    while True:
        has_in = set().union(*(edges[n][1] for n in names)) | {"input"}
        has_out = {edges[n][0] for n in names} | {"logits"}
        alive = has_in & has_out
        left = {n for n in names if edges[n][0] in alive and edges[n][1] & alive}
        if left == names:
            return np.array([n in names for n in graph.edge_names])
        names = left


def as_networkx(graph, kept):
    """Kept edges between nodes; an edge into a shared k or v reaches every head of its group."""
    drawn = nx.MultiDiGraph()
    drawn.add_nodes_from(["input", "logits"])
    for column in np.flatnonzero(kept):
        edge = graph.edges[column]
        drawn.add_edges_from(
            (edge.src.name, name, {"column": int(column)})
            for name in nodes_read_by(graph, edge.dst)
        )
    return drawn


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_edges_that_stay_lie_on_a_path_of_networkx(graph, share):
    rng = np.random.default_rng(4)
    for kept in rng.random((20, graph.n_edges)) < share:
        drawn = as_networkx(graph, kept)
        reached = nx.descendants(drawn, "input") | {"input"}
        wanted = nx.ancestors(drawn, "logits") | {"logits"}
        on_path = np.zeros(graph.n_edges, dtype=bool)
        on_path[[c for s, d, c in drawn.edges(data="column") if s in reached and d in wanted]] = (
            True
        )
        np.testing.assert_array_equal(prune_dangling(graph, kept), on_path)


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_the_smallest_connected_circuit_is_the_first_with_a_path_of_networkx(graph):
    scores = np.random.default_rng(5).normal(size=(6, graph.n_edges))
    for row, n in zip(scores, smallest_connected_n(graph, scores), strict=True):
        found = [
            nx.has_path(as_networkx(graph, top_n_masks(row[None], size)[0]), "input", "logits")
            for size in (n - 1, n)
        ]
        assert found == [False, True]


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_pruning_equals_the_fixed_point_of_removing_one_round_at_a_time(graph, share):
    rng = np.random.default_rng(3)
    masks = rng.random((40, graph.n_edges)) < share
    fast = prune_masks(graph, masks)
    slow = np.array([prune_slowly(graph, m) for m in masks])
    np.testing.assert_array_equal(fast, slow)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_pruning_is_idempotent_and_monotone(seed, share):
    graph = GRAPHS[1]
    rng = np.random.default_rng(seed)
    small = rng.random(graph.n_edges) < share
    large = small | (rng.random(graph.n_edges) < 0.2)
    pruned = prune_dangling(graph, small)
    np.testing.assert_array_equal(prune_dangling(graph, pruned), pruned)
    assert not (pruned & ~small).any()
    assert not (pruned & ~prune_dangling(graph, large)).any()


def test_full_graph_loses_nothing_and_empty_stays_empty():
    for graph in GRAPHS:
        assert prune_dangling(graph, np.ones(graph.n_edges, bool)).all()
        assert not prune_dangling(graph, np.zeros(graph.n_edges, bool)).any()


def test_a_key_edge_feeds_every_head_of_its_group():
    graph = Graph(n_layers=1, n_heads=4, n_kv_heads=2, has_mlp=False)
    kept = np.isin(graph.edge_names, ["input->a0.h1<k>", "a0.h3->logits"])
    assert prune_dangling(graph, kept).sum() == 2
    kept = np.isin(graph.edge_names, ["input->a0.h0<k>", "a0.h3->logits"])
    assert prune_dangling(graph, kept).sum() == 0
    assert reads_of(graph).sum() == 4 * 3


def test_masks_of_the_wrong_width_are_refused():
    with pytest.raises(ValueError, match="with 46 edges, got shape"):
        prune_masks(GRAPHS[0], np.ones((2, 3), bool))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 30), signed=st.booleans())
def test_top_n_equals_a_stable_sort_with_ties(seed, n, signed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-4, 5, size=(5, 30)).astype(float)
    masks = top_n_masks(scores, n, signed=signed)
    key = scores if signed else np.abs(scores)
    for row in range(5):
        order = sorted(range(30), key=lambda e, row=row: (-key[row, e], e))
        assert set(np.flatnonzero(masks[row])) == {e for e in order[:n] if scores[row, e] != 0}


def test_edges_of_score_zero_fill_no_circuit_but_the_whole_graph():
    graph = GRAPHS[0]
    scores = np.zeros(graph.n_edges)
    scores[[3, 5]] = 1.0, -2.0
    assert np.flatnonzero(top_n(graph, scores, 10, prune=False).kept).tolist() == [3, 5]
    assert top_fraction(graph, scores, 0.5, prune=False).selected == 2
    assert top_fraction(graph, scores, 1.0).size == graph.n_edges


def test_top_n_masks_are_nested_in_n():
    scores = np.random.default_rng(0).integers(0, 6, size=(3, 50)).astype(float)
    previous = top_n_masks(scores, 0)
    for n in range(1, 51):
        masks = top_n_masks(scores, n)
        assert (masks.sum(axis=1) == np.minimum(n, (scores != 0).sum(axis=1))).all()
        assert not (previous & ~masks).any()
        previous = masks


def test_top_n_refuses_nan_and_sizes_beyond_the_graph():
    graph = GRAPHS[0]
    scores = np.zeros(graph.n_edges)
    with pytest.raises(ValueError, match="n must be between 0 and the number of edges, 46"):
        top_n(graph, scores, 47)
    scores[7] = np.nan
    with pytest.raises(ValueError, match=r"score at \(0, 7\) is NaN"):
        top_n(graph, scores, 3)


def test_sizes_are_reported_before_and_after_pruning():
    graph = GRAPHS[0]
    scores = np.linspace(1, 2, graph.n_edges)
    circuit = top_n(graph, scores, 10)
    assert (circuit.requested, circuit.selected) == (10, 10)
    assert circuit.size == prune_dangling(graph, top_n_masks(scores[None], 10)[0]).sum() < 10
    assert top_n(graph, scores, 10, prune=False).size == 10
    assert circuit.rule == "top-n |score|, n=10"
    assert top_fraction(graph, scores, 0.5).requested == 23
    assert "50 % of edges" in top_fraction(graph, scores, 0.5).rule


def test_signed_and_absolute_ranking_differ_on_negative_scores():
    graph = GRAPHS[0]
    scores = np.ones(graph.n_edges)
    scores[-1] = -5.0
    assert top_n(graph, scores, 1, prune=False).kept[-1]
    assert top_n(graph, scores, 1, prune=False, signed=True).kept[0]


def test_threshold_keeps_all_ties_at_the_cut():
    graph = GRAPHS[0]
    scores = np.array([0.5, -0.5, 0.49] + [0.0] * (graph.n_edges - 3))
    assert threshold(graph, scores, 0.5, prune=False).selected == 2
    assert threshold(graph, scores, 0.5, signed=True, prune=False).selected == 1
    assert threshold(graph, scores, 0.0).size == graph.n_edges


def greedy_slowly(graph, scores, n):
    taken, inside = [], {"logits"}
    while len(taken) < n:
        frontier = [
            (-abs(scores[i]), i)
            for i, e in enumerate(graph.edges)
            if i not in taken and nodes_read_by(graph, e.dst) & inside
        ]
        if not frontier:
            break
        _, best = heapq.nsmallest(1, frontier)[0]
        taken.append(best)
        inside.add(graph.edges[best].src.name)
    return taken


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_greedy_equals_the_exhaustive_search_for_the_best_connected_edge(graph):
    rng = np.random.default_rng(1)
    scores = rng.integers(-5, 6, size=graph.n_edges).astype(float)
    for n in (1, 5, 20, graph.n_edges):
        circuit = greedy(graph, scores, n, prune=False)
        assert set(np.flatnonzero(circuit.kept)) == set(greedy_slowly(graph, scores, n))
        assert circuit.selected == n


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_smallest_connected_size_is_the_first_with_a_path(graph):
    scores = np.random.default_rng(5).normal(size=(6, graph.n_edges))
    sizes = smallest_connected_n(graph, scores)
    for row, n in zip(scores, sizes, strict=True):
        assert top_n(graph, row, int(n)).size > 0
        assert top_n(graph, row, int(n) - 1).size == 0
        found = smallest_connected(graph, row)
        np.testing.assert_array_equal(found.kept, top_n(graph, row, int(n)).kept)


def test_smallest_faithful_finds_the_boundary_of_a_monotone_error():
    graph = GRAPHS[1]
    scores = np.random.default_rng(2).normal(size=graph.n_edges)
    found = smallest_faithful(graph, scores, lambda c: 1 - c.selected / 100, epsilon=0.37)
    assert found.requested == 63
    with pytest.raises(ValueError, match="raise epsilon or allow larger sizes"):
        smallest_faithful(graph, scores, lambda c: 1.0, epsilon=0.5)


def test_significant_edges_need_a_small_p_and_with_sign_a_positive_score():
    graph = GRAPHS[0]
    scores = np.ones(graph.n_edges)
    scores[0] = -1.0
    p = np.full(graph.n_edges, 0.04)
    p[1] = 0.06
    assert significant(graph, scores, p, prune=False).selected == graph.n_edges - 1
    signed = significant(graph, scores, p, signed=True, prune=False)
    assert signed.selected == graph.n_edges - 2
    p[3] = 1.2
    with pytest.raises(ValueError, match=r"p-value of edge .* is 1.2"):
        significant(graph, scores, p)


def test_inner_and_outer_sets_carry_their_k():
    graph = GRAPHS[0]
    everything = np.ones(graph.n_edges, bool)
    assert top_set_circuit(graph, everything, "inner", k=12).requested == 12
    assert "outer set of the top-12" in top_set_circuit(graph, everything, "outer", k=12).rule


def test_rules_by_name_agree_with_the_functions():
    graph = GRAPHS[0]
    scores = np.random.default_rng(2).normal(size=graph.n_edges)
    np.testing.assert_array_equal(
        select(graph, scores, "greedy", 9).kept, greedy(graph, scores, 9).kept
    )
    np.testing.assert_array_equal(
        select(graph, scores, "connected").kept, smallest_connected(graph, scores).kept
    )
    with pytest.raises(ValueError, match="unknown selection rule 'best'; choose one of top-n"):
        select(graph, scores, "best", 3)
    with pytest.raises(ValueError, match="amount must be whole"):
        select(graph, scores, "top-n", 3.5)
