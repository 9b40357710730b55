"""Reading and writing circuits: round trips, peers' layouts, refusals that name the edge."""

import json

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.circuits.files.edge_file import EdgeFile, expand_nodes, from_names
from circuitvar.circuits.files.interchange import read_edges, write_edges
from circuitvar.circuits.files.interchange_mib import (
    SHARES,
    Submission,
    read_submission,
    write_submission,
)
from circuitvar.circuits.find.select import top_n
from circuitvar.circuits.graph import Graph

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
    torch.save({"cfg": {}, "edges_scores": torch.zeros(1, 1)}, tmp_path / "thin.pt")
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


def eap_ig_pt(graph, rng, **changes):
    """The dictionary that EAP-IG's `Graph.to_pt` saves."""
    shape = graph.exists.shape
    scores = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    return {
        "cfg": {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 8},
        "src_nodes": [node.name for node in graph.sources],
        "dst_nodes": [node.name for node in graph.destinations],
        "edges_scores": scores * torch.from_numpy(graph.exists),
        "edges_in_graph": torch.zeros(shape, dtype=torch.bool),
        "nodes_in_graph": torch.zeros(shape[0], dtype=torch.bool),
        **changes,
    }


def test_importance_files_hold_scores_and_no_circuit(tmp_path):
    data = eap_ig_pt(GRAPH, np.random.default_rng(0))
    torch.save(data, tmp_path / "i.pt")
    back = read_edges(tmp_path / "i.pt", GRAPH)
    assert back.kept is None
    np.testing.assert_allclose(back.scores, data["edges_scores"][GRAPH.exists].numpy())
    write_edges(tmp_path / "i.json", back)
    again = read_edges(tmp_path / "i.json", GRAPH)
    assert again.kept is None
    np.testing.assert_allclose(again.scores, back.scores)


def test_binary_circuits_of_a_submission_need_no_scores(tmp_path):
    data = eap_ig_pt(GRAPH, np.random.default_rng(0))
    kept = np.random.default_rng(1).random(GRAPH.n_edges) < 0.3
    data["edges_in_graph"] = torch.from_numpy(GRAPH.matrix(kept))
    del data["edges_scores"]
    torch.save(data, tmp_path / "b.pt")
    back = read_edges(tmp_path / "b.pt", GRAPH)
    assert back.scores is None
    np.testing.assert_array_equal(back.kept, kept)
    edges = {n: {"in_graph": bool(k)} for n, k in zip(GRAPH.edge_names, kept, strict=True)}
    (tmp_path / "b.json").write_text(json.dumps({"cfg": data["cfg"], "nodes": {}, "edges": edges}))
    np.testing.assert_array_equal(read_edges(tmp_path / "b.json", GRAPH).kept, kept)


def test_tensors_of_another_graph_are_refused_naming_the_first_bad_edge(tmp_path):
    rng = np.random.default_rng(0)
    data = eap_ig_pt(GRAPH, rng)
    data["src_nodes"][3] = "a7.h7"
    torch.save(data, tmp_path / "o.pt")
    with pytest.raises(ValueError, match=r"o\.pt does not fit the model: edge 'a7\.h7->a1\.h0<q>'"):
        read_edges(tmp_path / "o.pt", GRAPH)
    scores = data["edges_scores"].clone()
    scores[-1, 0] = 1.0  # the last MLP into the first query: no edge
    torch.save(eap_ig_pt(GRAPH, rng, edges_scores=scores), tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"x\.pt does not fit the model: edge 'm1->a0\.h0<q>'"):
        read_edges(tmp_path / "x.pt", GRAPH)
    torch.save(eap_ig_pt(GRAPH, rng, edges_in_graph=torch.zeros(2, 2)), tmp_path / "s.pt")
    with pytest.raises(ValueError, match="node lists say"):
        read_edges(tmp_path / "s.pt", GRAPH)


def test_graphml_of_another_graph_is_refused_naming_the_first_bad_edge(tmp_path):
    drawn = nx.MultiDiGraph()
    drawn.add_edge("a0.h1", "m1")
    drawn.add_edge("a1.h0", "a0.h0", slot="q")
    nx.write_graphml(drawn, tmp_path / "c.graphml")
    with pytest.raises(
        ValueError, match=r"c\.graphml does not fit the model: edge 'a1\.h0->a0\.h0<q>'"
    ):
        read_edges(tmp_path / "c.graphml", GRAPH)


def test_node_files_are_expanded_and_neuron_files_refused(tmp_path):
    path = tmp_path / "n.json"
    off = {name: {"score": 0.0, "in_graph": False} for name in GRAPH.edge_names}
    nodes = {"input": {"in_graph": True}, "a0.h1": {"in_graph": True, "score": 2.0}}
    path.write_text(json.dumps({"nodes": nodes, "edges": off}))
    np.testing.assert_array_equal(read_edges(path, GRAPH).kept, expand_nodes(GRAPH, ("a0.h1",)))
    nodes["a0.h1"] = {"in_graph": False, "score": 2.0}
    path.write_text(json.dumps({"nodes": nodes, "edges": off}))
    with pytest.raises(ValueError, match=r"n\.json scores nodes, not edges"):
        read_edges(path, GRAPH)
    nodes["a0.h1"] = {"in_graph": True, "neurons": [True, False]}
    path.write_text(json.dumps({"nodes": nodes, "edges": off}))
    with pytest.raises(ValueError, match=r"keeps some neurons of node 'a0\.h1' only"):
        read_edges(path, GRAPH)
    path.write_text(json.dumps({"nodes": {"input": {"in_graph": True}}, "edges": off}))
    assert not read_edges(path, GRAPH).kept.any()


ACDC_NAMES = ("input->a0.h1<v>", "a0.h1->logits", "m0->m1")


@pytest.mark.parametrize(
    "text",
    [
        # TorchIndex as it prints itself, one edge per line with its effect
        "(('blocks.1.hook_resid_post', [:], 'blocks.0.attn.hook_result', [:, :, 1]), 0.5)\n"
        "(('blocks.0.hook_v_input', [:, :, 1], 'blocks.0.hook_resid_pre', [:]), 0.25)\n"
        "(('blocks.1.hook_resid_mid', [:], 'blocks.0.hook_mlp_out', [:]), -1)\n",
        # the printed list
        "[(('blocks.1.hook_resid_post', (None,), 'blocks.0.attn.hook_result',"
        " (None, None, 1)), 0.5),\n"
        " (('blocks.0.hook_v_input', (None, None, 1), 'hook_embed', (None,)), 0.25),"
        " (('blocks.1.hook_mlp_in', (None,), 'blocks.0.hook_mlp_out', (None,)), -1)]",
        # a printed dict of edges that are present or not, indices with COLON
        "{('blocks.1.hook_resid_post', '[COLON]', 'blocks.0.attn.hook_result',"
        " '[COLON, COLON, 1]'): True,\n"
        "('blocks.0.hook_v_input', '[COLON, COLON, 1]', 'hook_embed', '[COLON]'): True,\n"
        "('blocks.1.hook_mlp_in', '[COLON]', 'blocks.0.hook_mlp_out', '[COLON]'): True,\n"
        "('blocks.1.hook_mlp_in', '[COLON]', 'blocks.0.hook_resid_pre', '[COLON]'): False}",
        # pairs of nodes
        "(('blocks.1.hook_resid_post', (None,)), ('blocks.0.attn.hook_result', (None, None, 1)))\n"
        "(('blocks.0.hook_v_input', (None, None, 1)), ('hook_pos_embed', (None,)))\n"
        "(('blocks.1.hook_mlp_in', (None,)), ('blocks.0.hook_mlp_out', (None,)))",
        # lines of a dict
        "('blocks.1.hook_resid_post', [:], 'blocks.0.attn.hook_result', [:, :, 1]): True,\n"
        "('blocks.0.hook_v_input', [:, :, 1], 'blocks.0.hook_resid_pre', [:]): 1.5,\n"
        "('blocks.1.hook_resid_mid', [:], 'blocks.0.hook_mlp_out', [:]): True,\n"
        "('blocks.1.hook_resid_mid', [:], 'blocks.0.attn.hook_result', [:, :, 0]): False",
    ],
    ids=["lines", "list", "dict", "pairs", "dict lines"],
)
def test_printed_acdc_edges_are_read_in_every_form(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    back = read_edges(tmp_path / "a.txt", GRAPH)
    assert set(back.circuit.edge_names) == set(ACDC_NAMES)
    if "0.25" in text:
        scores = [back.scores[GRAPH.edge_index[name]] for name in ACDC_NAMES]
        assert scores == [0.25, 0.5, -1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("('a', 'b')\n", "x.txt, line 1: .* is no edge; write"),
        ("[('a', 1, 2), 3]", "x.txt, edge 1: .* is no edge"),
        ("[('a',", "x.txt is no list or dict of edges"),
        ("\n('a', os.system('x'))", "x.txt, line 2"),
        (
            "('blocks.1.hook_resid_post', [:], 'blocks.7.hook_mlp_out', [:])",
            "x.txt does not fit the model: edge 'm7->logits'",
        ),
    ],
)
def test_bad_acdc_text_is_refused_with_its_place(tmp_path, text, message):
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_edges(tmp_path / "x.txt", GRAPH)


@pytest.mark.parametrize("ending", ["json", "pt"])
def test_mib_submissions_survive_a_round_trip(tmp_path, ending):
    graph = Graph(n_layers=3, n_heads=4)
    scores = np.random.default_rng(0).normal(size=graph.n_edges).astype(np.float32).astype(float)
    folder = tmp_path / "ioi_pocket"
    importances = Submission(EdgeFile(graph, None, scores, "test"), {})
    paths = write_submission(folder, importances, graph, ending=ending)
    assert [path.name for path in paths] == [f"importances.{ending}"]
    back = read_submission(folder, graph)
    np.testing.assert_allclose(back.importances.scores, scores, rtol=1e-6)
    circuits = {share: top_n(graph, scores, int(share * graph.n_edges)) for share in SHARES}
    write_submission(tmp_path / "nine", Submission(None, circuits), graph, ending=ending)
    found = read_submission(tmp_path / "nine", graph).circuits
    assert tuple(found) == SHARES
    for share in SHARES:
        np.testing.assert_array_equal(found[share].kept, circuits[share].kept)


def test_bad_submissions_say_why(tmp_path):
    with pytest.raises(ValueError, match=r"holds 0 \.json or \.pt files; a submission has one"):
        read_submission(tmp_path, GRAPH)
    write_edges(tmp_path / "c.json", some_file(GRAPH, scores=False))
    with pytest.raises(ValueError, match=r"c\.json must score every edge"):
        read_submission(tmp_path, GRAPH)
    whole = top_n(GRAPH, np.ones(GRAPH.n_edges), GRAPH.n_edges)
    nine = Submission(None, dict.fromkeys(SHARES, whole))
    with pytest.raises(ValueError, match=r"larger than 0.1 % of \d+ edges"):
        write_submission(tmp_path / "nine", nine, GRAPH)
    with pytest.raises(ValueError, match="circuits must be for the shares"):
        write_submission(tmp_path / "n", Submission(None, {0.5: whole}), GRAPH)
    with pytest.raises(ValueError, match="either scores or circuits"):
        write_submission(tmp_path / "n", Submission(None, {}), GRAPH)
    with pytest.raises(ValueError, match="needs one for every edge"):
        write_submission(tmp_path / "n", Submission(some_file(GRAPH, scores=False), {}), GRAPH)
    for number in range(9):
        write_edges(tmp_path / f"{number}.json", EdgeFile(GRAPH, whole.kept, None, "all"))
    (tmp_path / "c.json").unlink()
    with pytest.raises(ValueError, match=r"is larger than 0\.1 %"):
        read_submission(tmp_path, GRAPH)
