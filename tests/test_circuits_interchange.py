"""Reading and writing circuits: round trips, peers' layouts, refusals that name the edge."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.interchange import (
    EdgeFile,
    expand_nodes,
    from_names,
    read_edges,
    write_edges,
)

GRAPH = Graph(n_layers=2, n_heads=2)
GROUPED = Graph(n_layers=2, n_heads=4, n_kv_heads=2)


def some_file(graph, seed=0, scores=True):
    rng = np.random.default_rng(seed)
    kept = rng.random(graph.n_edges) < 0.4
    values = rng.normal(size=graph.n_edges).astype(np.float32).astype(float) if scores else None
    return EdgeFile(graph, kept, values, "made up")


@pytest.mark.parametrize("ending", ["json", "pt", "csv"])
def test_circuits_and_scores_survive_a_round_trip(tmp_path, ending):
    file = some_file(GRAPH)
    write_edges(tmp_path / f"c.{ending}", file)
    back = read_edges(tmp_path / f"c.{ending}", GRAPH)
    np.testing.assert_array_equal(back.kept, file.kept)
    np.testing.assert_allclose(back.scores, file.scores, rtol=1e-6)
    assert back.circuit.size == file.kept.sum()
    assert back.circuit.rule == f"read from c.{ending}"


@pytest.mark.parametrize("ending", ["txt", "graphml", "csv"])
@pytest.mark.parametrize("graph", [GRAPH, GROUPED], ids=["gpt2", "grouped"])
def test_edge_lists_survive_a_round_trip(tmp_path, ending, graph):
    file = some_file(graph, scores=False)
    write_edges(tmp_path / f"c.{ending}", file)
    back = read_edges(tmp_path / f"c.{ending}", graph)
    np.testing.assert_array_equal(back.kept, file.kept)


def test_graphml_keeps_scores_of_kept_edges(tmp_path):
    file = some_file(GRAPH)
    write_edges(tmp_path / "c.graphml", file)
    back = read_edges(tmp_path / "c.graphml", GRAPH)
    np.testing.assert_array_equal(np.isnan(back.scores), ~file.kept)
    np.testing.assert_allclose(back.scores[file.kept], file.scores[file.kept])


def test_the_json_layout_is_the_one_of_eap_ig(tmp_path):
    write_edges(tmp_path / "c.json", some_file(GRAPH))
    data = json.loads((tmp_path / "c.json").read_text())
    assert set(data) == {"cfg", "nodes", "edges"}
    assert data["cfg"]["n_layers"] == 2
    assert set(data["edges"]["input->a0.h0<q>"]) == {"score", "in_graph"}
    assert data["nodes"]["logits"] == {"in_graph": True}


def test_pt_files_hold_tensors_in_graph_order_and_pickles_are_refused(tmp_path):
    file = some_file(GRAPH)
    write_edges(tmp_path / "c.pt", file)
    data = torch.load(tmp_path / "c.pt", weights_only=True)
    assert data["edges_scores"].shape == GRAPH.exists.shape
    assert data["dst_nodes"][0] == "a0.h0<q>"
    torch.save({"cfg": Graph(1, 1)}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil.pt cannot be read as plain tensors"):
        read_edges(tmp_path / "evil.pt", GRAPH)
    torch.save({"cfg": {}}, tmp_path / "thin.pt")
    with pytest.raises(ValueError, match=r"thin.pt lacks 'src_nodes'"):
        read_edges(tmp_path / "thin.pt", GRAPH)
    with pytest.raises(ValueError, match="n_layers = 2, the model has 3"):
        read_edges(tmp_path / "c.pt", Graph(3, 2))


def test_acdc_lines_are_read_and_computation_edges_skipped(tmp_path):
    (tmp_path / "acdc.txt").write_text(
        "# edges kept by ACDC\n"
        "('blocks.1.hook_resid_post', (None,), 'blocks.0.attn.hook_result', (None, None, 1))\n"
        "('blocks.0.attn.hook_q', (None, None, 0), 'blocks.0.hook_q_input', (None, None, 0))\n"
        "('blocks.0.hook_v_input', (None, None, 1), 'hook_pos_embed', (None,))\n"
        "('blocks.1.hook_mlp_in', (None,), 'blocks.0.hook_mlp_out', (None,))\n"
    )
    back = read_edges(tmp_path / "acdc.txt", GRAPH)
    names = ("input->a0.h1<v>", "a0.h1->logits", "m0->m1")
    assert set(back.circuit.edge_names) == set(names)
    (tmp_path / "bad.txt").write_text(
        "('blocks.1.hook_resid_post', (None,), 'blocks.0.attn.hook_result', (None, None, 7))\n"
    )
    with pytest.raises(ValueError, match=r"bad.txt, line 1: .* needs a head between 0 and 1"):
        read_edges(tmp_path / "bad.txt", GRAPH)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "edge,score\ninput->a0.h0<q>,1\na1.h0->a0.h0<q>,2\n"),
        ("c.txt", "input->a0.h0<q>\na1.h0->a0.h0<q>\n"),
        ("c.json", json.dumps(["input->a0.h0<q>", "a1.h0->a0.h0<q>"])),
        ("c.json", json.dumps({"edges": {"a1.h0->a0.h0<q>": {"score": 1, "in_graph": True}}})),
    ],
)
def test_a_file_that_does_not_fit_is_refused_naming_the_first_bad_edge(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} does not fit the model: edge 'a1.h0->a0.h0<q>'"):
        read_edges(tmp_path / name, GRAPH)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "name\nx\n", "one must be 'edge'"),
        ("a.csv", "edge,score\nm0->logits,high\n", "score of edge 'm0->logits' is 'high'"),
        ("a.csv", "edge,in_circuit\nm0->logits,maybe\n", "use true or false"),
        ("a.csv", "edge\nm0->logits\nm0->logits\n", "edge 'm0->logits' is repeated"),
        ("a.csv", "edge,score\nm0->logits,nan\n", "the score of edge 'm0->logits' is NaN"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "{}", "neither an EAP-IG graph"),
        ("a.graphml", "<no", "not valid GraphML"),
        ("a.xls", "", "unknown kind of circuit file"),
    ],
)
def test_unreadable_files_say_why(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_edges(tmp_path / name, GRAPH)


def test_missing_files_and_score_only_files(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_edges(tmp_path / "none.csv", GRAPH)
    (tmp_path / "s.csv").write_text("edge,score\nm0->logits,0.5\n")
    back = read_edges(tmp_path / "s.csv", GRAPH)
    assert back.scores[GRAPH.edge_index["m0->logits"]] == 0.5
    with pytest.raises(ValueError, match="holds scores but no circuit"):
        _ = back.circuit


def test_grouped_graphs_have_no_eap_ig_form(tmp_path):
    with pytest.raises(ValueError, match="one k and v per head"):
        write_edges(tmp_path / "c.json", some_file(GROUPED))


def test_node_circuits_expand_to_all_edges_between_kept_nodes(tmp_path):
    kept = expand_nodes(GRAPH, ("a0.h1", "m1"))
    names = {GRAPH.edge_names[i] for i in np.flatnonzero(kept)}
    slots = {f"input->a0.h1<{s}>" for s in "qkv"}
    outer = {"input->m1", "input->logits", "a0.h1->logits", "m1->logits"}
    assert names == slots | outer | {"a0.h1->m1"}
    (tmp_path / "n.json").write_text(
        json.dumps({"nodes": {"a0.h1": {"in_graph": True}, "m1": True, "m0": False}})
    )
    np.testing.assert_array_equal(read_edges(tmp_path / "n.json", GRAPH).kept, kept)
    with pytest.raises(ValueError, match=r"node 'a9\.h9' is not in this graph"):
        expand_nodes(GRAPH, ("a9.h9",))


def test_a_shared_key_is_kept_when_any_head_of_its_group_is():
    kept = expand_nodes(GROUPED, ("a0.h3",))
    names = {GROUPED.edge_names[i] for i in np.flatnonzero(kept)}
    assert {"input->a0.h3<q>", "input->a0.h1<k>", "input->a0.h1<v>"} <= names
    assert "input->a0.h0<k>" not in names


@given(st.lists(st.sampled_from(GRAPH.edge_names), unique=True))
def test_names_and_masks_are_the_same_thing(names):
    file = from_names(GRAPH, dict.fromkeys(names, True), None, source="test")
    assert set(file.circuit.edge_names) == set(names)
