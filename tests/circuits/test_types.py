"""Scores, circuits and faithfulness show themselves and become frames."""

import numpy as np
import pytest

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.types import Circuit, EdgeScores, Faithfulness

GRAPH = Graph(n_layers=1, n_heads=1)
EDGES = GRAPH.edge_names


def scores(columns=None):
    values = np.arange(3 * (len(EDGES) if columns is None else len(columns)), dtype=np.float32)
    return EdgeScores(
        GRAPH, values.reshape(3, -1), np.ones(3), np.zeros(3), "eap", "logit_diff",
        ("a", "a", "b"), columns,
    )  # fmt: skip


def test_scores_show_their_shape_and_no_values():
    assert (
        repr(scores())
        == f"EdgeScores(method: eap; metric: logit_diff; examples: 3; edges: {len(EDGES)})"
    )
    assert f"mean of {EDGES[-1]}" in scores().summary()
    assert "templates" in scores()._repr_html_()


def test_scores_become_a_frame_of_examples_and_edge_names():
    frame = scores().to_frame()
    assert frame.shape == (3, len(EDGES))
    assert list(frame.columns) == list(EDGES)
    assert frame.mean().to_numpy() == pytest.approx(scores().mean)
    assert frame.groupby(level="template").size().to_dict() == {"a": 2, "b": 1}


def test_a_frame_of_some_columns_names_those():
    some = scores((2, 0))
    assert list(some.to_frame().columns) == [EDGES[2], EDGES[0]]
    assert f"mean of {EDGES[2]}" in some.summary()


def test_a_circuit_shows_its_size_and_rule():
    kept = np.zeros(len(EDGES), dtype=bool)
    kept[0] = True
    circuit = Circuit(GRAPH, kept, "top-n", 2, 2)
    assert repr(circuit) == f"Circuit(edges: 1 of {len(EDGES)}; rule: top-n)"
    assert EDGES[0] in circuit.summary()


def test_faithfulness_shows_its_value_and_has_a_row_per_example():
    faithfulness = Faithfulness(
        np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.zeros(2), np.array([True, False]),
        np.ones(2, dtype=bool), np.zeros(2), "logit_diff", "patching", ("a", "b"),
    )  # fmt: skip
    assert repr(faithfulness).startswith("Faithfulness(faithfulness: 0.6; metric: logit_diff")
    assert "predictions flipped  50%" in faithfulness.summary()
    frame = faithfulness.to_frame()
    assert frame["template"].tolist() == ["a", "b"]
    assert frame["circuit"].mean() / frame["full"].mean() == pytest.approx(faithfulness.value)
