"""Tables of a published circuit's audit, on a planted model whose circuit is known."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from circuitvar.circuits.evaluate.evaluate import evaluate
from circuitvar.circuits.loading.load import load_model, wrap
from circuitvar.circuits.model.architecture import NoMLP
from circuitvar.circuits.published.published import (
    load_published,
    planted_circuit,
    published_circuit,
    published_names,
)
from circuitvar.circuits.published.published_audit import (
    conditions_table,
    rediscovery_table,
    role_recall,
)
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.tokens.sampling import sample_batch
from tests.circuits.toy_scoring import toy_batch


def test_a_planted_circuit_holds_everywhere_and_is_found_again():
    model, task = load_model("planted:induction"), get_planted("induction").task
    circuit = planted_circuit("induction", model.graph)
    rng = np.random.default_rng(0)
    batches = {
        pool: sample_batch(task, 12, model, rng=rng, pool=pool)[0].batch for pool in ("a", "b")
    }
    table = conditions_table(
        model, circuit, batches, metric="logit_diff", ablations=("patching", "zero")
    )
    assert list(table["condition"]) == ["a", "a", "b", "b"]
    assert list(table["ablation"]) == ["patching", "zero"] * 2
    patched = table[table["ablation"] == "patching"]
    np.testing.assert_allclose(patched["faithfulness"], 1.0)
    np.testing.assert_allclose(patched["complement"], 0.0, atol=1e-6)
    assert sum(name.startswith("choice: ") for name in table) == 6

    truth = np.where(circuit.kept, 1.0, 0.0)
    noise = np.random.default_rng(1).random(model.graph.n_edges)
    found = rediscovery_table(model, circuit, {"true": truth, "noise": noise}).set_index("method")
    assert found.loc["true", "edge_jaccard"] == 1.0
    assert found.loc["true", "p_random"] < 1e-5 < found.loc["noise", "p_random"]
    assert found.loc["noise", "edges_b"] == circuit.size


def test_role_recall_counts_the_strong_nodes_of_each_role():
    ioi = load_published("ioi-gpt2")
    graph = ioi.graph
    movers = [graph.source_index[node] for node in ioi.roles["name mover"]]
    scores = np.where(np.isin(graph.edge_src, movers), -1.0, 0.0)
    table = role_recall(ioi, scores).set_index("role")
    assert table.loc["name mover", "share"] == 1.0
    assert table.loc["induction", "found"] == 0
    assert table.loc["previous token", "missing"] == "a2.h2 a4.h11"
    assert table["nodes"].sum() == 26
    assert table.loc["S-inhibition", "share"] == pytest.approx(0.0)


def random_model(n_layers: int, n_heads: int, *, mlp: bool = True):
    """A model of a published circuit's shape with random weights and few dimensions."""
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=n_layers, n_head=n_heads, n_embd=2 * n_heads, n_positions=16, vocab_size=30
    )
    hf = GPT2LMHeadModel(config)
    for block in hf.transformer.h if not mlp else ():
        block.mlp = NoMLP()
    return wrap(hf, name="random weights")


def test_shipped_circuits_fit_and_run_on_models_of_their_shape():
    # GPT2Config() is the configuration of GPT-2 small.
    assert (GPT2Config().n_layer, GPT2Config().n_head) == (12, 12)
    models = {"gpt2": random_model(12, 12), "attn-only-4l": random_model(4, 8, mlp=False)}
    batch = toy_batch(n=3, vocab=30)
    for name in published_names():
        published = load_published(name)
        model = models[published.model]
        assert get_task(published.task).key == published.task
        for variant in published.variants:
            circuit = published_circuit(published, model.graph, variant=variant.key)
            result = evaluate(model, circuit, batch, metric="logit_diff")
            assert np.isfinite(result.circuit).all()
            assert (result.circuit != result.empty).any()


def test_rediscovery_is_judged_on_held_out_prompts():
    model, task = load_model("planted:gated"), get_planted("gated").task
    circuit = planted_circuit("gated", model.graph)
    batch = sample_batch(task, 12, model, rng=np.random.default_rng(0), pool="b")[0].batch
    truth = circuit.kept.astype(float)
    table = rediscovery_table(
        model, circuit, {"true": truth, "wrong": 1 - truth}, heldout=batch
    ).set_index("method")
    assert table.loc["true", "faithfulness_found"] == pytest.approx(1)
    assert table.loc["wrong", "faithfulness_found"] == pytest.approx(0, abs=1e-6)
    assert set(table["faithfulness"].round(6)) == {1.0}
    assert table.loc["wrong", "edges_shared"] == 0
    assert table.loc["true", "edge_coefficient"] == table.loc["true", "node_coefficient"] == 1
