"""Evaluation: definitions by hand, areas of known curves, completeness, crossed pairs."""

import numpy as np
import pandas as pd
import pytest
import torch

from circuitvar.circuits.evaluate.crossed import crossed_batch, crossed_tail
from circuitvar.circuits.evaluate.curves import area, curve_areas, faithfulness_curve
from circuitvar.circuits.evaluate.evaluate import (
    complement,
    completeness,
    evaluate,
    evaluate_circuits,
    evaluate_masks,
    per_example,
    summarize,
)
from circuitvar.circuits.find.select import circuit_from_mask, top_n
from circuitvar.circuits.find.select_connected import MIB_FRACTIONS
from circuitvar.circuits.types import Faithfulness
from circuitvar.tasks.tokens.metrics import get_metric
from tests.circuits.toy_scoring import toy_batch, toy_model


def full_circuit(model):
    return circuit_from_mask(model.graph, np.ones(model.graph.n_edges, bool), rule="everything")


def by_hand(circuit, full, empty):
    n = len(circuit)
    return Faithfulness(
        circuit=np.array(circuit, float),
        full=np.array(full, float),
        empty=np.array(empty, float),
        flipped=np.zeros(n, bool),
        correct=np.ones(n, bool),
        kl=np.zeros(n),
        metric="logit_diff",
        ablation="patching",
        templates=("",) * n,
    )


def test_both_ratios_by_hand():
    result = by_hand([3.0, 1.0], [4.0, 2.0], [0.0, -2.0])
    assert result.value == pytest.approx((2 - -1) / (3 - -1))
    np.testing.assert_allclose(per_example(result), [0.75, 0.75])
    uneven = summarize(by_hand([2.0, 1.0, 5.0], [4.0, 1.0, 6.0], [0.0, 0.0, 6.0]))
    assert uneven["faithfulness"] == pytest.approx((8 - 6) / (11 - 6))
    assert uneven["mean_of_ratios"] == pytest.approx((0.5 + 1.0) / 2)
    assert uneven["n"] == 3


def test_full_circuit_is_faithful_and_the_empty_one_is_not():
    model, batch = toy_model("gpt2"), toy_batch(n=6)
    full = evaluate(model, full_circuit(model), batch, metric="logit_diff")
    assert full.value == pytest.approx(1.0, abs=1e-4)
    assert full.kl.max() < 1e-5
    assert not full.flipped.any()
    none = evaluate_masks(
        model, np.zeros((1, model.graph.n_edges), bool), batch, metric="logit_diff"
    )[0]
    assert none.value == 0.0
    with torch.no_grad():
        corrupt = model.hf(batch.corrupt).logits[:, -1]
        clean = model.hf(batch.clean).logits[:, -1]
    metric = get_metric("logit_diff")
    np.testing.assert_allclose(none.empty, metric.fn(corrupt, batch), atol=1e-4)
    np.testing.assert_allclose(none.full, metric.fn(clean, batch), atol=1e-4)
    expected = get_metric("kl").fn(corrupt, batch, clean)
    np.testing.assert_allclose(none.kl, expected, atol=1e-4)
    np.testing.assert_array_equal(none.flipped, (corrupt.argmax(-1) != clean.argmax(-1)).numpy())


def test_results_do_not_depend_on_the_batch_size():
    model, batch = toy_model("gpt2"), toy_batch(n=5)
    scores = np.random.default_rng(0).normal(size=model.graph.n_edges)
    circuit = top_n(model.graph, scores, 60)
    for ablation in ("patching", "mean"):
        whole, cut = (
            evaluate(model, circuit, batch, metric="kl", ablation=ablation, batch_size=size)
            for size in (64, 2)
        )
        np.testing.assert_allclose(whole.circuit, cut.circuit, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(whole.circuit, whole.kl, atol=1e-6)


def test_completeness_runs_the_complement():
    model, batch = toy_model("gpt2"), toy_batch(n=4)
    everything = full_circuit(model)
    assert complement(everything).size == 0
    out = completeness(model, everything, batch, metric="logit_diff")
    assert out.value == pytest.approx(0.0, abs=1e-6)
    assert out.choices["ablated set"] == "the circuit"
    run = evaluate_circuits(model, [everything], batch, metric="logit_diff")[0]
    assert len(run.choices) == 6


def test_unknown_ablation_is_refused():
    model = toy_model("gpt2")
    with pytest.raises(ValueError, match="unknown ablation 'nose'; choose one of patching"):
        evaluate(model, full_circuit(model), toy_batch(), metric="kl", ablation="nose")


def test_areas_of_an_ideal_and_of_a_proportional_curve():
    x = np.array(MIB_FRACTIONS)
    ideal = pd.DataFrame({"share": x, "live_share": x, "faithfulness": np.ones(10)})
    areas = curve_areas(ideal)
    assert areas["cpr_linear"] == pytest.approx(0.999)
    assert areas["cpr_log"] == pytest.approx(1.0)
    assert areas["cmd_linear"] == areas["cmd_log"] == 0.0
    random = curve_areas(ideal.assign(faithfulness=x))
    assert random["cpr_linear"] == pytest.approx((1 - 0.001**2) / 2)
    assert random["cmd_linear"] == pytest.approx(0.999 - (1 - 0.001**2) / 2)
    # Overshoot counts as distance for CMD but as performance for CPR.
    over = curve_areas(ideal.assign(faithfulness=1.5))
    assert over["cmd_log"] == pytest.approx(0.5)
    assert over["cpr_log"] == pytest.approx(1.5)


def test_area_is_independent_of_row_order_and_names_a_bad_axis():
    x, y = np.array([1.0, 0.001, 0.1]), np.array([1.0, 0.2, 0.7])
    assert area(x, y) == area(x[::-1], y[::-1])
    with pytest.raises(ValueError, match="axis must be 'linear' or 'log', got 'x'"):
        area(x, y, axis="x")
    with pytest.raises(ValueError, match="no place on a log axis"):
        area(np.array([0.0, 1.0]), np.ones(2), axis="log")


def test_curve_reports_asked_and_live_sizes_and_ends_at_the_full_model():
    model, batch = toy_model("gpt2"), toy_batch(n=4)
    scores = np.random.default_rng(0).normal(size=model.graph.n_edges)
    curve = faithfulness_curve(model, scores, batch, metric="logit_diff")
    assert list(curve["share"]) == list(MIB_FRACTIONS)
    assert (curve["live"] <= curve["selected"]).all()
    assert (curve["live"] < curve["selected"]).any()
    assert curve["faithfulness"].iloc[-1] == pytest.approx(1.0, abs=1e-4)
    for share, row in zip(MIB_FRACTIONS, curve.itertuples(), strict=True):
        alone = evaluate(
            model,
            top_n(model.graph, scores, int(share * model.graph.n_edges)),
            batch,
            metric="logit_diff",
        )
        assert row.faithfulness == pytest.approx(alone.value, abs=1e-5)


def test_crossed_pairs_never_pair_an_example_with_itself_and_bound_the_mean():
    model, batch = toy_model("gpt2"), toy_batch(n=5)
    rng = np.random.default_rng(0)
    crossed, pairs = crossed_batch(batch, 100, rng=rng)
    assert len(pairs) == 20
    assert (pairs[:, 0] != pairs[:, 1]).all()
    np.testing.assert_array_equal(crossed.corrupt, batch.corrupt[torch.as_tensor(pairs[:, 1])])
    scores = rng.normal(size=model.graph.n_edges)
    tail = crossed_tail(model, top_n(model.graph, scores, 80), batch, rng=rng, share=0.1)
    assert tail.mean < tail.tail_mean <= tail.worst
    assert tail.tail_mean == pytest.approx(np.sort(tail.kl)[-2:].mean())
    assert crossed_tail(model, full_circuit(model), batch, rng=rng).worst < 1e-4
    with pytest.raises(ValueError, match="nothing to cross"):
        crossed_batch(toy_batch(n=1), 5, rng=rng)


def test_batches_are_cut_to_the_memory_that_source_values_need(monkeypatch):
    from circuitvar.circuits.run import ablated_run as backdrop

    model, batch = toy_model("gpt2"), toy_batch(n=5)
    assert backdrop.examples_at_once(model, batch) == 64
    per_example = len(model.graph.sources) * 7 * 16 * 4
    monkeypatch.setattr(backdrop, "STACK_BYTES", 3 * per_example + 1)
    assert backdrop.examples_at_once(model, batch) == 3
