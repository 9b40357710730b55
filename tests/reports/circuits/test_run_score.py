"""`circuitvar score`: granularity, roles and chosen edges, from the driver to the files."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from circuitvar.circuits.scores.score_files import read_scores
from circuitvar.reports.circuits.run_score import run_score
from circuitvar.reports.options import POCKET, ScoreChoice
from circuitvar.tasks.catalog import get_task

IOI = get_task("ioi")


def score(out, **options):
    choice = ScoreChoice(**{"n": 6, "method": "eap", **options})
    return run_score(IOI, where=POCKET, choice=choice, out=out, quiet=True)


def test_nodes_are_the_sums_of_their_edges_and_exact_nodes_are_patched(tmp_path):
    edges = score(tmp_path / "e")[""]
    nodes = score(tmp_path / "n", granularity="node")[""]
    graph = edges.graph
    for i, name in enumerate(nodes.names):
        out = [edge.src.name == name for edge in graph.edges]
        np.testing.assert_allclose(nodes.values[:, i], edges.values[:, out].sum(1), atol=1e-4)
    exact = score(tmp_path / "x", granularity="node", method="exact-node")[""]
    assert exact.values.shape == nodes.values.shape
    # Patching the input for all its readers is running the corrupted prompt.
    gap = edges.metric_clean - edges.metric_corrupt
    np.testing.assert_allclose(exact.values[:, exact.names.index("input")], gap, atol=1e-3)


def test_neurons_sum_to_the_edges_out_of_their_mlp(tmp_path):
    neurons = score(tmp_path / "u", granularity="neuron")[""]
    nodes = score(tmp_path / "n", granularity="node")[""]
    per_layer = neurons.values.reshape(6, 4, -1).sum(axis=2)
    wanted = nodes.values[:, [nodes.names.index(f"m{layer}") for layer in range(4)]]
    np.testing.assert_allclose(per_layer, wanted, atol=1e-4)
    stored = load_file(tmp_path / "u" / "scores.safetensors")["scores"]
    np.testing.assert_array_equal(stored, neurons.values)
    table = pd.read_csv(tmp_path / "u" / "neurons.csv")
    assert tuple(table["neuron"]) == neurons.names
    assert table["neuron"].iloc[-1] == "m3.n383"


def test_roles_are_kept_apart_and_chosen_edges_are_the_only_ones(tmp_path):
    chosen = tmp_path / "edges.txt"
    chosen.write_text("m3->logits\ninput->a0.h1<q>\n", encoding="utf-8")
    found = score(tmp_path / "r", roles=("IO", "S1"), edges=chosen)
    assert list(found) == ["IO", "S1"]
    for role, scores in found.items():
        stored = read_scores(tmp_path / "r" / f"role-{role}")
        assert stored.values.shape == (6, 2)
        np.testing.assert_array_equal(stored.values, scores.values)
    everywhere = score(tmp_path / "a")[""]
    whole = score(tmp_path / "c", edges=chosen)[""]
    np.testing.assert_allclose(whole.values, everywhere.values[:, whole.columns], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"granularity": "layer"}, "unknown granularity 'layer'; choose one of edge, node"),
        ({"granularity": "neuron", "method": "exact"}, "not by 'exact'; use --method eap"),
        ({"roles": ("IO", "XX")}, "role 'XX' is not marked"),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        score(tmp_path / "out", **options)
    assert not list(tmp_path.rglob("*.safetensors"))
