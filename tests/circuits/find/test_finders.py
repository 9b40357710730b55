"""Finders recover planted circuits; their parts obey their definitions."""

import numpy as np
import pytest
import torch

from circuitvar.circuits.evaluate.evaluate import evaluate, evaluate_masks
from circuitvar.circuits.evaluate.null_circuits import random_connected
from circuitvar.circuits.evaluate.optimal_ablation import evaluate_optimal, optimal_constants
from circuitvar.circuits.find.acdc import acdc_mask
from circuitvar.circuits.find.edge_pruning import (
    PruningOptions,
    gate,
    open_probability,
    train_gates,
)
from circuitvar.circuits.find.finders import FINDERS, get_finder
from circuitvar.circuits.find.mask_gradient import find_by_mask_gradient, mask_gradient_scores
from circuitvar.circuits.find.select import circuit_from_mask
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.run.ablated_run import mean_constants
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.tokens.sampling import sample_batch
from tests.circuits.toy_scoring import toy_batch, toy_model

LOGIT_DIFF = get_metric("logit_diff")


def planted(key, n=24, seed=0):
    record = get_planted(key)
    model = load_model(f"planted:{key}")
    rng = np.random.default_rng(seed)
    batch = sample_batch(record.task, n, model, rng=rng)[0].batch
    return model, batch, np.isin(model.graph.edge_names, list(record.task.known_edges))


@pytest.mark.parametrize("finder", FINDERS, ids=lambda f: f.key)
@pytest.mark.parametrize("key", ["induction", "two-route"])
def test_every_finder_recovers_the_planted_circuit(finder, key):
    model, batch, true = planted(key)
    size = int(true.sum())
    found = finder.fn(model, batch, metric=LOGIT_DIFF, size=size, seed=0)
    np.testing.assert_array_equal(found.kept, true)
    assert (found.requested, found.selected) == (size, size)


def test_acdc_equals_the_plain_loop_over_edges():
    model, batch = toy_model("gpt2"), toy_batch(n=4)
    graph = model.graph
    kept = np.ones(graph.n_edges, bool)
    current = 0.0
    order = sorted(range(graph.n_edges), key=lambda e: (-graph.edge_dst[e], -graph.edge_src[e]))
    for edge in order:
        trial = kept.copy()
        trial[edge] = False
        after = evaluate_masks(model, trial[None], batch, metric="kl")[0].kl.mean()
        if after - current < 0.02:
            kept, current = trial, after
    fast = acdc_mask(model, batch, 0.02)
    assert 0 < kept.sum() < graph.n_edges
    # Edges of dead nodes change nothing, so both removed them; rounding may tip one decision.
    assert (fast != kept).sum() <= 1


def test_higher_thresholds_remove_everything_and_zero_keeps_what_matters():
    model, batch, true = planted("induction")
    assert acdc_mask(model, batch, 1e6).sum() == 0
    assert acdc_mask(model, batch, 1e-3)[true].all()


def test_mask_gradients_sum_to_the_total_effect():
    # Five edges in a row: the metric is a polynomial of degree 5 in the common weight.
    model, batch, _ = planted("integer")
    scores = mask_gradient_scores(model, batch, metric=LOGIT_DIFF, steps=3)
    ends = evaluate_masks(
        model, np.zeros((1, model.graph.n_edges), bool), batch, metric="logit_diff"
    )[0]
    assert scores.sum() == pytest.approx(float((ends.full - ends.empty).mean()), rel=1e-4)
    lost = mask_gradient_scores(model, batch, metric=get_metric("kl"), steps=2)
    assert np.isfinite(lost).all()
    with pytest.raises(ValueError, match="metric 'flip' has no gradient; use logit_diff"):
        find_by_mask_gradient(model, batch, metric=get_metric("flip"), size=3, seed=0)


def test_no_parameter_is_left_with_a_gradient():
    model, batch, _ = planted("induction", n=6)
    before = [p.requires_grad for p in model.hf.parameters()]
    for key in ("acdc", "mask-gradient"):
        get_finder(key).fn(model, batch, metric=LOGIT_DIFF, size=4, seed=0)
    assert [p.requires_grad for p in model.hf.parameters()] == before
    assert all(p.grad is None for p in model.hf.parameters())


def test_gates_are_open_as_often_as_their_formula_says():
    log_alpha = torch.tensor([-2.0, 0.0, 1.0, 4.0])
    uniform = torch.rand(20_000, 4, generator=torch.Generator().manual_seed(0))
    share = (gate(log_alpha, uniform) > 0).double().mean(dim=0)
    np.testing.assert_allclose(share, open_probability(log_alpha), atol=0.015)
    assert gate(torch.tensor([10.0]), torch.tensor([0.5])).item() == 1.0


def test_edge_pruning_repeats_with_its_seed():
    model, batch, _ = planted("induction", n=12)
    options = PruningOptions(steps=8, warmup=4)
    first, again, other = (
        train_gates(model, batch, size=5, seed=seed, options=options) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert all(p.grad is None for p in model.hf.parameters())


def test_unknown_finders_are_refused():
    with pytest.raises(ValueError, match=r"unknown finder 'acdcc'.*did you mean 'acdc'"):
        get_finder("acdcc")


def test_optimal_constants_hurt_less_than_the_means_they_start_from():
    model, batch = toy_model("gpt2"), toy_batch(n=16)
    mask = random_connected(model.graph, 60, 1, rng=np.random.default_rng(0))[0]
    circuit = circuit_from_mask(model.graph, mask, rule="random")
    mean = evaluate(model, circuit, batch, metric="kl", ablation="mean")
    best = evaluate_optimal(
        model, circuit, batch, batch, metric="kl", rng=np.random.default_rng(0), steps=60
    )
    assert best.kl.mean() < 0.9 * mean.kl.mean()
    assert (best.ablation, best.choices["ablation value"]) == (
        "optimal",
        "constant fitted to minimise KL",
    )
    start = mean_constants(model, batch, positional=False)
    none = optimal_constants(model, circuit, batch, rng=np.random.default_rng(0), steps=0)
    np.testing.assert_allclose(none.embeddings, start.embeddings)
    with pytest.raises(ValueError, match="unknown ablation 'optimal'"):
        evaluate(model, circuit, batch, metric="kl", ablation="optimal")
