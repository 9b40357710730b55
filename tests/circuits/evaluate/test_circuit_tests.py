"""The tests of a circuit on a model: a true circuit passes, random ones do not."""

import numpy as np
import pytest
import torch

from circuitvar.circuits.evaluate.circuit_tests import run_circuit_tests
from circuitvar.circuits.evaluate.evaluate import completeness, evaluate, evaluate_masks
from circuitvar.circuits.evaluate.null_circuits import (
    NULL_FAMILIES,
    outside_circuits,
    random_connected,
)
from circuitvar.circuits.evaluate.null_model import random_weight_model, relative_effects
from circuitvar.circuits.find.select import circuit_from_mask
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.prune import prune_masks
from circuitvar.circuits.run.run_circuit import circuit_scores
from circuitvar.circuits.types import CircuitTestChoice
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.tokens.batching import take
from circuitvar.tasks.tokens.sampling import sample_batch, tokenize
from circuitvar.tasks.types import PromptPair
from tests.circuits.toy_scoring import toy_batch, toy_model


@pytest.mark.parametrize("metric", ["logit_diff", "kl"])
def test_scores_of_circuits_equal_their_evaluation(metric):
    model, batch = toy_model("gpt2"), toy_batch(n=5)
    masks = np.random.default_rng(0).random((4, model.graph.n_edges)) < 0.5
    scores, full = circuit_scores(model, masks, batch, metric=metric, batch_size=2)
    results = evaluate_masks(model, masks, batch, metric=metric)
    np.testing.assert_allclose(scores, [r.circuit for r in results], atol=1e-4)
    np.testing.assert_allclose(full, results[0].full, atol=1e-4)


def test_frame_has_every_test_and_power_next_to_every_non_rejection():
    model, batch = toy_model("gpt2"), toy_batch(n=12)
    rng = np.random.default_rng(0)
    kept = random_connected(model.graph, 30, 1, rng=rng)[0]
    circuit = circuit_from_mask(model.graph, kept, rule="random connected")
    choice = CircuitTestChoice(draws=30, permutations=99)
    result = run_circuit_tests(model, circuit, batch, metric="logit_diff", rng=rng, choice=choice)
    frame = result.frame
    assert list(frame["test"]) == [
        "equivalence",
        "equivalence (TOST)",
        "independence",
        "sufficiency",
        "partial necessity",
        "minimality",
    ]
    for row in frame.itertuples():
        assert 0 <= row.power <= 1
        assert row.rejected or "power" in row.reading
    assert len(result.minimality) == 30
    assert set(result.minimality["edge"]) == set(circuit.edge_names)
    # One of many random circuits of its size is not better than 90 % of them.
    assert not frame.set_index("test").loc["sufficiency", "rejected"]


def test_same_seed_same_result_and_large_circuits_are_sampled():
    model, batch = toy_model("gpt2"), toy_batch(n=8)
    kept = random_connected(model.graph, 40, 1, rng=np.random.default_rng(1))[0]
    circuit = circuit_from_mask(model.graph, kept, rule="random connected")
    frames = [
        run_circuit_tests(
            model,
            circuit,
            batch,
            metric="logit_diff",
            rng=np.random.default_rng(5),
            choice=CircuitTestChoice(draws=10, permutations=39, max_edges=7),
        )
        for _ in range(2)
    ]
    assert frames[0].frame.equals(frames[1].frame)
    assert len(frames[0].minimality) == 7


def test_empty_and_whole_circuits_are_refused():
    model = toy_model("gpt2")
    for value in (False, True):
        circuit = circuit_from_mask(
            model.graph, np.full(model.graph.n_edges, value), rule="all or nothing"
        )
        with pytest.raises(ValueError, match="an empty circuit or the whole graph"):
            run_circuit_tests(
                model, circuit, toy_batch(), metric="kl", rng=np.random.default_rng(0)
            )


def test_random_weight_model_keeps_every_matrix_up_to_order_and_changes_the_logits():
    model = toy_model("gpt2")
    other = random_weight_model(model, rng=np.random.default_rng(0))
    for (name, a), b in zip(model.hf.named_parameters(), other.hf.parameters(), strict=True):
        if a.ndim >= 2:
            np.testing.assert_array_equal(
                a.detach().flatten().sort()[0], b.detach().flatten().sort()[0]
            )
        else:
            assert torch.equal(a, b), name
    batch = toy_batch()
    assert not torch.allclose(model.hf(batch.clean).logits, other.hf(batch.clean).logits, atol=0.1)
    again = random_weight_model(model, rng=np.random.default_rng(0))
    assert again.digest == other.digest != model.digest


@pytest.fixture(scope="module")
def planted_induction():
    planted = get_planted("induction")
    model = load_model("planted:induction")
    batch = sample_batch(planted.task, 120, model, rng=np.random.default_rng(0))[0].batch
    return model, batch, np.isin(model.graph.edge_names, list(planted.task.known_edges))


PASSED = {
    # Rejection is bad news for equivalence, independence and minimality, good news elsewhere.
    "equivalence": False,
    "equivalence (TOST)": True,
    "independence": False,
    "sufficiency": True,
    "partial necessity": True,
    "minimality": False,
}


def planted_case(key):
    model, task = load_model(f"planted:{key}"), get_planted(key).task
    batch = sample_batch(task, 80, model, rng=np.random.default_rng(0))[0].batch
    return model, batch, np.isin(model.graph.edge_names, list(task.known_edges))


def verdicts(model, batch, mask, **options):
    circuit = circuit_from_mask(model.graph, mask, rule="test", prune=False)
    choice = CircuitTestChoice(**{"draws": 60, "permutations": 39, **options})
    rng = np.random.default_rng(0)
    result = run_circuit_tests(model, circuit, batch, metric="logit_diff", rng=rng, choice=choice)
    return result.frame.set_index("test")


PLANTED_CASES = {
    # Tests that a random connected circuit fails at least once in four draws.
    "induction": {"equivalence", "equivalence (TOST)", "sufficiency", "minimality"},
    "two-route": set(PASSED) - {"independence"},
    "gated": set(PASSED) - {"independence"},
    "noise": set(PASSED) - {"partial necessity"},
}


@pytest.mark.parametrize("key", PLANTED_CASES)
def test_planted_circuits_pass_all_tests_and_random_ones_of_their_size_fail(key):
    model, batch, kept = planted_case(key)
    assert verdicts(model, batch, kept, draws=200)["rejected"].to_dict() == PASSED
    failed = []
    for mask in random_connected(model.graph, int(kept.sum()), 4, rng=np.random.default_rng(3)):
        found = verdicts(model, batch, mask)["rejected"].to_dict()
        failed.append({test for test in PASSED if found[test] != PASSED[test]})
    assert all(failed)
    assert set.union(*failed) >= PLANTED_CASES[key]


def test_every_test_fails_random_circuits_of_some_planted_model():
    assert set.union(*PLANTED_CASES.values()) == set(PASSED)


def test_knock_outs_of_small_graphs_need_a_reference_outside_the_circuit(planted_induction):
    model, batch, kept = planted_induction
    # Half of the random 5-edge circuits of the model share an edge with the 5 true ones, and some
    # share the one that everything passes: they do the same damage, which is no win.
    whole = verdicts(model, batch, kept, reference="model").loc["partial necessity"]
    assert whole["note"].endswith("random circuits of 5 edges (connected) of the whole model")
    assert not whole["rejected"]
    assert 0.6 < whole["statistic"] < 0.9
    outside = verdicts(model, batch, kept).loc["partial necessity"]
    assert outside["note"].endswith("random circuits of 5 edges (connected) outside the circuit")
    assert outside["statistic"] == 1.0


def test_a_circuit_of_most_edges_has_no_reference_outside_and_is_not_shown_necessary():
    # The integer model uses 15 of its 23 edges: 8 are outside, so no circuit of 15 is.
    model, batch, kept = planted_case("integer")
    frame = verdicts(model, batch, kept)
    row = frame.loc["partial necessity"]
    assert row["note"].endswith("of the whole model")
    assert not row["rejected"]
    others = frame["rejected"].to_dict() | {"partial necessity": True}
    assert others == PASSED


def test_a_stratum_that_is_the_circuit_makes_the_stratified_null_the_circuit_itself():
    model, batch, kept = planted_case("noise")
    row = verdicts(model, batch, kept, family="strata").loc["sufficiency"]
    assert row["statistic"] == 0.0  # ties only


def test_models_with_shuffled_weights_are_a_null_family(planted_induction):
    model, batch, kept = planted_induction
    batch = take(batch, np.arange(30))
    frame = verdicts(model, batch, kept, family="random-weights", draws=40)
    assert frame.loc["sufficiency", "statistic"] > 0.9  # hardly a shuffled model is as faithful
    assert "models with shuffled weights" in frame.loc["partial necessity", "note"]
    assert 0 < frame.loc["sufficiency", "n"] <= 40
    near, far = relative_effects(model, kept, batch, metric="logit_diff")
    assert (near, far) == (pytest.approx(0, abs=1e-6), pytest.approx(1))


def test_unknown_families_and_references_are_refused(planted_induction):
    model, batch, kept = planted_induction
    with pytest.raises(ValueError, match="unknown null family 'x'; choose one of edges"):
        verdicts(model, batch, kept, family="x")
    with pytest.raises(ValueError, match="reference must be 'outside' or 'model'"):
        verdicts(model, batch, kept, reference="x")


@pytest.mark.parametrize("family", NULL_FAMILIES)
@pytest.mark.parametrize("heads", [(4, None), (4, 2)], ids=["heads", "grouped"])
def test_circuits_from_outside_have_the_size_and_no_edge_in_common(family, heads):
    graph = Graph(n_layers=2, n_heads=heads[0], n_kv_heads=heads[1])
    rng = np.random.default_rng(0)
    for size in (1, 5, graph.n_edges // 2):
        kept = random_connected(graph, size, 1, rng=rng)[0]
        masks = outside_circuits(graph, kept, 6, family=family, rng=rng)
        assert not (masks & kept).any()
        assert (masks.sum(axis=1) == size).all()
    small = random_connected(graph, 5, 1, rng=rng)[0]
    if family == "connected":
        drawn = outside_circuits(graph, small, 6, family=family, rng=rng)
        np.testing.assert_array_equal(prune_masks(graph, drawn), drawn)
    large = np.arange(graph.n_edges) < graph.n_edges // 2 + 1
    with pytest.raises(ValueError, match=r"no circuit of its size\s+avoids it"):
        outside_circuits(graph, large, 2, family=family, rng=rng)


def test_the_planted_circuit_is_faithful_and_complete(planted_induction):
    model, batch, kept = planted_induction
    circuit = circuit_from_mask(model.graph, kept, rule="planted")
    assert circuit.size == kept.sum()
    assert evaluate(model, circuit, batch, metric="logit_diff").value == pytest.approx(1.0)
    left = completeness(model, circuit, batch, metric="logit_diff")
    assert left.value == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("edges", "metric"),
    [
        # Word vector (4, 1): m0 reads it alone and writes (9, -1); -13 = (1 - 1) - (4 + 9).
        (("input->logits", "input->m0", "m0->logits"), -13.0),
        # The head alone writes (4, 9).
        (("input->a0.h0<v>", "a0.h0->logits"), 5.0),
        # m1 reads the word alone: (4, 1) M1 = (3, 6).
        (("input->m1", "m1->logits"), 3.0),
    ],
)
def test_faithfulness_of_the_integer_model_by_hand(edges, metric):
    model = load_model("planted:integer")
    pair = PromptPair("one", "none", (" yes",), (" no",))
    batch = tokenize([pair], model.tokenizer).batch
    mask = np.isin(model.graph.edge_names, edges)
    circuit = circuit_from_mask(model.graph, mask, rule="by hand")
    result = evaluate(model, circuit, batch, metric="logit_diff")
    assert (result.full[0], result.empty[0]) == (pytest.approx(102.0), pytest.approx(0.0))
    assert result.circuit[0] == pytest.approx(metric)
    assert result.value == pytest.approx(metric / 102)
