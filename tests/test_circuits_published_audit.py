"""Tables of a published circuit's audit, on a planted model whose circuit is known."""

import numpy as np
import pytest

from circuitvar.circuits.model import load_model
from circuitvar.circuits.published import load_published, planted_circuit
from circuitvar.circuits.published_audit import conditions_table, rediscovery_table, role_recall
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.sampling import sample_batch


def test_a_planted_circuit_holds_everywhere_and_is_found_again():
    model, task = load_model("planted:induction"), get_planted("induction").task
    circuit = planted_circuit("induction", model.graph)
    rng = np.random.default_rng(0)
    batches = {
        pool: sample_batch(task, 12, model.tokenizer, rng=rng, pool=pool)[0].batch
        for pool in ("a", "b")
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
