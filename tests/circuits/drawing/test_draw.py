"""Drawings: one artist per edge, stable positions, aggregation above a thousand edges."""

import itertools

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, PathPatch

from circuitvar.circuits.drawing.draw import (
    AGGREGATE_ABOVE,
    aggregate,
    draw_circuit,
    layout,
    shown_nodes,
)
from circuitvar.circuits.evaluate.null_circuits import random_connected
from circuitvar.circuits.graph import Graph

GRAPH = Graph(n_layers=12, n_heads=12)
GROUPED = Graph(n_layers=3, n_heads=4, n_kv_heads=2)


def circuit(graph, size):
    return random_connected(graph, size, 1, rng=np.random.default_rng(size))[0]


def drawn(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


@pytest.mark.parametrize("size", [20, 100, 1000])
def test_every_edge_is_drawn_and_strong_ones_are_wider(size, tmp_path):
    kept = circuit(GRAPH, size)
    weights = np.random.default_rng(0).random(GRAPH.n_edges)
    figure = draw_circuit(GRAPH, kept, weights=weights, title="test")
    lines = drawn(figure, PathPatch)
    assert len(lines) == size
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    figure.savefig(tmp_path / "circuit.svg")
    assert (tmp_path / "circuit.svg").stat().st_size > 1000


def test_labels_name_the_nodes_and_their_roles():
    kept = np.isin(GRAPH.edge_names, ["input->a9.h9<v>", "a9.h9->logits"])
    figure = draw_circuit(GRAPH, kept, roles={"a9.h9": "name mover"})
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"input", "a9.h9\nname mover", "logits"} == texts
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["value", "logits"]


def test_large_circuits_are_aggregated_and_say_so():
    kept = circuit(GRAPH, AGGREGATE_ABOVE + 1)
    figure = draw_circuit(GRAPH, kept)
    counts = aggregate(GRAPH, kept)
    assert len(drawn(figure, FancyArrowPatch)) == len(counts)
    assert sum(on for on, _ in counts.values()) == AGGREGATE_ABOVE + 1
    assert any("1,001 edges, aggregated" in t.get_text() for t in figure.axes[0].texts)
    everything = aggregate(GRAPH, np.ones(GRAPH.n_edges, bool))
    assert all(on == possible for on, possible in everything.values())
    assert sum(possible for _, possible in everything.values()) == GRAPH.n_edges


@pytest.mark.parametrize(
    "graph", [GRAPH, GROUPED, Graph(2, 3, parallel=True), Graph(2, 2, has_mlp=False)], ids=str
)
def test_layout_puts_every_source_below_its_destinations(graph):
    places = layout(graph)
    assert set(places) == {node.name for node in graph.sources} | {"logits"}
    assert len({(p.x, p.y) for p in places.values()}) == len(places)
    for edge in graph.edges:
        assert places[edge.src.name].y < places["logits"].y
        if edge.dst.kind == "mlp":
            assert places[edge.src.name].y < places[edge.dst.name].y


def test_grouped_circuits_draw_shared_keys_at_a_head_of_the_group():
    for size in (5, 30, 80):
        kept = circuit(GROUPED, size)
        figure = draw_circuit(GROUPED, kept)
        assert len(drawn(figure, PathPatch)) == size
        assert "input" in shown_nodes(GROUPED, kept)


def test_empty_circuits_and_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_circuit(GROUPED, np.zeros(GROUPED.n_edges, bool))
    with pytest.raises(ValueError, match=r"kept must have .* entries, got shape \(3,\)"):
        draw_circuit(GROUPED, np.ones(3, bool))


def test_long_edges_run_beside_the_nodes_they_pass():
    graph = Graph(n_layers=4, n_heads=3)
    places = layout(graph, ["input", "a0.h0", "a1.h0", "m1", "a2.h1", "a3.h2"])
    lone = [places[f"a{layer}.h{head}"].x for layer, head in ((0, 0), (1, 0), (2, 1), (3, 2))]
    assert all(left != right for left, right in itertools.pairwise(lone))
    full = layout(graph)
    mlps = {place.x for name, place in full.items() if name.startswith("m")}
    assert len(mlps) == 1
    assert max(place.x for name, place in full.items() if name.startswith("a")) < mlps.pop() - 0.03
    bare = layout(Graph(n_layers=2, n_heads=3, has_mlp=False))
    assert max(place.x for place in bare.values()) > 0.8  # no column is kept free
