"""Published circuits: the shipped files are valid, and expand to the edges their rules say."""

import json

import numpy as np
import pytest

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import prune_dangling
from circuitvar.circuits.published.published import (
    FOLDER,
    load_published,
    parse_published,
    planted_circuit,
    published_circuit,
    published_names,
)
from circuitvar.tasks.planted.catalog import PLANTED


def raw(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", published_names())
def test_every_shipped_circuit_fits_its_model_in_every_variant(name):
    published = load_published(name)
    assert published.key == name
    assert published.citation
    for variant in published.variants:
        circuit = published_circuit(published, published.graph, variant=variant.key)
        np.testing.assert_array_equal(prune_dangling(published.graph, circuit.kept), circuit.kept)
        nodes = {n for edge in circuit.edge_names for n in edge.replace("<", "->").split("->")}
        listed = {node for nodes in published.roles.values() for node in nodes}
        heads = {node for node in nodes if node.startswith("a")}
        assert heads == {node for node in listed if node.startswith("a")}


def test_the_ioi_circuit_has_26_heads_in_seven_roles():
    ioi = load_published("ioi-gpt2")
    assert sum(len(nodes) for nodes in ioi.roles.values()) == 26 == len(ioi.role_of)
    assert len(ioi.roles) == 7
    heads = published_circuit(ioi, ioi.graph, variant="heads")
    mlps = published_circuit(ioi, ioi.graph, variant="mlps")
    assert not (heads.kept & ~mlps.kept).any()
    names = set(heads.edge_names)
    assert {"a9.h9->logits", "a8.h6->a9.h9<q>", "a5.h5->a7.h3<k>", "input->a9.h9<v>"} <= names
    assert "a8.h6->a9.h9<k>" not in names
    assert not any(name.startswith("m") or "->m" in name for name in names)
    # 13 output heads; 4 S-inhibition heads into 13 queries, all in later layers.
    assert sum(name.endswith("->logits") for name in names) == 13
    assert sum("<q>" in name and name.startswith(("a7", "a8")) for name in names) == 52
    assert {"m9->logits", "a9.h9->m9", "m10->m11", "a11.h2->m11"} <= set(mlps.edge_names)
    assert "m8->a8.h6<q>" not in mlps.edge_names


def test_docstring_edges_are_those_of_the_paper():
    docstring = load_published("docstring-attn-only-4l")
    names = set(published_circuit(docstring, docstring.graph).edge_names)
    assert len(names) == 2 + 1 + 4 + 1 + 4 + 2 * 6
    assert {"a1.h4->a3.h0<q>", "a2.h0->a3.h6<k>", "a0.h5->a2.h0<q>", "input->a0.h5<v>"} <= names


def test_greater_than_variants_differ_in_the_queries_of_the_mid_heads():
    greater = load_published("greater-than-gpt2")
    paper, queries = (
        published_circuit(greater, greater.graph, variant=v) for v in ("paper", "clean-queries")
    )
    assert "m7->a9.h1<q>" in queries.edge_names
    assert not any("<q>" in name and "->a9" in name for name in paper.edge_names)
    assert {"a0.h1->m0", "a0.h1->m3", "a9.h1->m9", "m8->logits"} <= set(paper.edge_names)
    assert "a0.h3->m1" not in paper.edge_names


def test_roles_nodes_and_shapes_are_checked():
    data = raw("ioi-gpt2")
    with pytest.raises(ValueError, match="breaks the schema at top level: 'model'"):
        parse_published({k: v for k, v in data.items() if k != "model"})
    with pytest.raises(ValueError, match="breaks the schema at connections/0/slots"):
        parse_published(data | {"connections": [{"from": "input", "to": "logits", "slots": "x"}]})
    with pytest.raises(ValueError, match=r"node 'a12\.h0' of role 'r' is not in a model"):
        parse_published(data | {"roles": {"r": ["a12.h0"]}})
    with pytest.raises(ValueError, match="'mover' is neither a role nor a node"):
        parse_published(data | {"connections": [{"from": "input", "to": "mover"}]})
    with pytest.raises(ValueError, match="default variant 'x' is not listed"):
        parse_published(data | {"default": "x"})
    ioi = load_published("ioi-gpt2")
    with pytest.raises(ValueError, match="is a circuit of gpt2"):
        published_circuit(ioi, Graph(4, 4))
    with pytest.raises(ValueError, match="unknown variant of ioi-gpt2 'x'; choose one of heads"):
        published_circuit(ioi, ioi.graph, variant="x")
    with pytest.raises(ValueError, match="unknown published circuit 'nothing'; choose one of"):
        load_published("nothing")


def test_a_users_file_loads_like_a_shipped_one(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(raw("induction-gpt2") | {"key": "mine"}))
    assert load_published(tmp_path / "mine.json").key == "mine"


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: p.key)
def test_planted_circuits_are_available_as_published_ones(planted):
    from circuitvar.circuits.loading.load import load_model

    graph = load_model(f"planted:{planted.key}").graph
    circuit = planted_circuit(f"planted:{planted.key}", graph)
    assert set(circuit.edge_names) == planted.task.known_edges
