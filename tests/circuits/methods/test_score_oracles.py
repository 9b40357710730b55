"""Known answers and identities that every scoring method must satisfy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from circuitvar.circuits.loading.load import wrap
from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.methods.gradient.eap import (
    clean_corrupted,
    eap,
    eap_ig_activations,
    eap_ig_inputs,
    integration_rule,
)
from circuitvar.circuits.methods.patching.exact import exact, prepare
from circuitvar.circuits.methods.patching.rerun import after_attention as close_layer
from circuitvar.circuits.methods.patching.rerun import (
    continue_from,
    perturbed_attention,
    perturbed_mlp,
)
from circuitvar.circuits.model.architecture import NoMLP
from circuitvar.circuits.model.sources import mean_writes, writes
from circuitvar.circuits.model.trunk import run_tokens
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import Method, ScoreOptions
from circuitvar.tasks.tokens.batching import take
from circuitvar.tasks.types import Batch
from tests.circuits.toy_scoring import (
    KL,
    LOGIT_DIFF,
    build,
    matrix_of,
    padded,
    toy_batch,
    toy_model,
)

OPTIONS = ScoreOptions()


def hand_set_model():
    """One layer, one head, width 4, integer weights, no norms: every edge by hand.

    Attention is uniform (q = k = 0). v copies dimension 0; the head writes v to dimension 1; the
    MLP is y2 = 3 x0 + 5 x1; the logits are l0 = 1 x0 + 2 x1 + 1 x2, l1 = 0.
    """
    config = transformers.GPT2Config(
        n_embd=4, n_layer=1, n_head=1, vocab_size=4, n_positions=4, n_inner=4,
        activation_function="linear", attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
        tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    hf = transformers.GPT2LMHeadModel(config)
    block = hf.transformer.h[0]
    block.ln_1, block.ln_2, hf.transformer.ln_f = nn.Identity(), nn.Identity(), nn.Identity()
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.zero_()
        # Token t is t in dimension 0.
        hf.transformer.wte.weight[:, 0] = torch.arange(4.0)
        block.attn.c_attn.weight[0, 8] = 1.0
        block.attn.c_proj.weight[0, 1] = 1.0
        block.mlp.c_fc.weight[0, 0], block.mlp.c_fc.weight[1, 1] = 3.0, 5.0
        block.mlp.c_proj.weight[0, 2], block.mlp.c_proj.weight[1, 2] = 1.0, 1.0
        hf.lm_head.weight[0, 0], hf.lm_head.weight[0, 1], hf.lm_head.weight[0, 2] = 1.0, 2.0, 1.0
    return wrap(hf, name="by hand")


def hand_batch():
    """Tokens 1, 2 -> 3, 2: position 0 changes by +2, the read-out is position 1."""
    return Batch(
        clean=torch.tensor([[1, 2]]), corrupt=torch.tensor([[3, 2]]),
        mask=torch.ones(1, 2, dtype=torch.bool), answers=torch.tensor([[0]]),
        wrong_answers=torch.tensor([[1]]), last=torch.tensor([1]), index=torch.tensor([0]),
        templates=("",),
    )  # fmt: skip


def test_hand_set_integer_model():
    """Only the value at position 0 moves: dv = 2, mean over two positions moves the head by 1.

    The head's 1 enters the logits with weight 2 and the MLP with weight 5, of which the logits
    read 1. So patching input->v or anything behind it adds 1 * (2 + 5); damage is minus that.
    """
    model, batch = hand_set_model(), hand_batch()
    want = dict.fromkeys(model.graph.edge_names, 0.0)
    want |= {"input->a0.h0<v>": -7.0, "a0.h0->m0": -5.0, "a0.h0->logits": -2.0, "m0->logits": -5.0}
    for method in METHODS:
        if method.unit == "native" and method.key != "exact-node":
            continue
        scores = matrix_of(method.fn(model, batch, metric=LOGIT_DIFF, options=OPTIONS))[0].tolist()
        if method.key == "exact-node":
            lifted = {"input": -7.0, "a0.h0": -7.0, "m0": -5.0}
            assert scores == [lifted[edge.src.name] for edge in model.graph.edges]
        elif method.key == "eap-ig-activations":
            # Of the three groups, the head's and the MLP's interpolation cut the path through them.
            thirds = {"input->a0.h0<v>": -7 * 2 + 5, "a0.h0->m0": -10, "a0.h0->logits": -6}
            thirds["m0->logits"] = -15
            for edge, score in zip(model.graph.edge_names, scores, strict=True):
                assert score == pytest.approx(thirds.get(edge, 0.0) / 3, abs=1e-6)
        else:
            assert dict(zip(model.graph.edge_names, scores, strict=True)) == pytest.approx(
                want, abs=1e-4
            )


def linear_model(seed=0):
    """Attention fixed to uniform (q = k = 0), no norms, linear MLPs."""
    hf = build("gpt2", seed=seed, activation_function="linear")
    with torch.no_grad():
        for block in hf.transformer.h:
            block.ln_1, block.ln_2 = nn.Identity(), nn.Identity()
            block.attn.c_attn.weight[:, :32] = 0.0
            block.attn.c_attn.bias[:32] = 0.0
    hf.transformer.ln_f = nn.Identity()
    return wrap(hf, name="linear")


@pytest.mark.parametrize("ablation", ["patching", "zero", "mean", "mean-positional"])
def test_first_order_is_exact_on_a_linear_model(ablation):
    model, batch = linear_model(), toy_batch()
    options = ScoreOptions(ablation=ablation)
    first = eap(model, batch, metric=LOGIT_DIFF, options=options).values
    true = exact(model, batch, metric=LOGIT_DIFF, options=options)
    np.testing.assert_allclose(first, true, atol=2e-5 * float(true.abs().max()))
    if ablation == "patching":
        for method in (eap_ig_inputs, clean_corrupted):
            other = matrix_of(method(model, batch, metric=LOGIT_DIFF, options=options))
            np.testing.assert_allclose(other, true, atol=2e-5 * float(true.abs().max()))


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "gemma2"])
def test_edges_out_of_the_input_sum_to_the_direct_derivative(family):
    from circuitvar.circuits.loading.self_check import self_check

    assert all(check.passed for check in self_check(toy_model(family)))


def test_integrated_gradients_are_complete():
    """Edges out of the input sum to the metric's drop, better with every step."""
    model, batch = toy_model("llama"), toy_batch()
    from_input = torch.from_numpy(model.graph.edge_src == 0)
    with torch.no_grad():
        clean, corrupt = (
            LOGIT_DIFF.fn(model.hf(tokens).logits[:, -1], batch)
            for tokens in (batch.clean, batch.corrupt)
        )
    errors = []
    for options in (ScoreOptions(steps=2), ScoreOptions(steps=40, rule="gauss-legendre")):
        scores = eap_ig_inputs(model, batch, metric=LOGIT_DIFF, options=options).values
        errors.append(float((scores[:, from_input].sum(1) - (clean - corrupt)).abs().max()))
    assert errors[1] < 1e-3 < errors[0]


def test_integration_rules_integrate_polynomials():
    for rule, degree in (("left", 0), ("midpoint", 1), ("gauss-legendre", 7)):
        points, weights = integration_rule(rule, 4)
        for power in range(degree + 1):
            assert weights @ points**power == pytest.approx(1 / (power + 1))
    assert integration_rule("left", 4)[0][0] == 0.0


# RMS norms run in float32 whatever the weights are, so their differences need a longer step.
@pytest.mark.parametrize(
    ("family", "step", "rtol"),
    [("gpt2", 1e-4, 1e-5), ("gpt_neox", 1e-4, 1e-5), ("qwen3", 1e-2, 1e-2), ("gemma2", 1e-2, 1e-2)],
)
def test_finite_differences_of_resumed_runs_give_eap(family, step, rtol):
    model = wrap(build(family).double(), name=family)
    batch, graph = toy_batch(2), model.graph
    scores = eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS).values
    patching = prepare(model, batch, LOGIT_DIFF, OPTIONS)
    names = ("input->a0.h1<q>", "a0.h2->a1.h1<k>", "m0->a1.h0<v>", "m1->a2.h3<q>", "a1.h1->m2")
    for name in names:
        edge = graph.edges[graph.edge_index[name]]
        delta = patching.deltas[graph.source_index[edge.src.name]][None]
        damage = []
        for t in (step, -step):
            clean, layer = patching.clean, edge.dst.layer
            if edge.dst.kind == "mlp":
                x = perturbed_mlp(clean, layer, t * delta)
            else:
                at = perturbed_attention(clean, layer, edge.dst.slot, edge.dst.head, t * delta)
                x = close_layer(clean, layer, at)
            damage.append(patching.damage(continue_from(clean, layer + 1, x))[0])
        slope = ((damage[0] - damage[1]) / (2 * step)).detach()
        np.testing.assert_allclose(
            scores[:, graph.edge_index[name]], slope, rtol=rtol, atol=rtol * 1e-2
        )


@pytest.mark.parametrize("key", [method.key for method in METHODS])
def test_scores_do_not_depend_on_batching_or_order(key):
    model, batch, method = toy_model("gpt2"), toy_batch(5), get_method(key)
    whole = score_edges(model, batch, method, metric=LOGIT_DIFF)
    pieces = score_edges(model, batch, method, metric=LOGIT_DIFF, batch_size=2)
    # Second differences of float32 runs carry their rounding, times 1 / (2 step^2).
    atol = 3e-4 if key == "hvp" else 1e-5
    np.testing.assert_allclose(pieces.values, whole.values, atol=atol)
    np.testing.assert_allclose(pieces.metric_clean, whole.metric_clean, atol=1e-5)
    last = score_edges(model, take(batch, slice(3, 5)), method, metric=LOGIT_DIFF)
    np.testing.assert_allclose(last.values, whole.values[3:], atol=atol)
    again = score_edges(model, batch, method, metric=LOGIT_DIFF)
    np.testing.assert_array_equal(again.values, whole.values)


@pytest.mark.parametrize("key", ["eap", "eap-ig-inputs", "exact"])
def test_scores_do_not_depend_on_the_number_of_threads(key):
    model, batch, before = toy_model("gpt2"), toy_batch(5), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(score_edges(model, batch, get_method(key), metric=LOGIT_DIFF).values)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("ablation", ["patching", "mean", "mean-positional", "zero"])
def test_padding_changes_nothing(side, ablation):
    model, batch = toy_model("gemma3"), toy_batch(3)
    options = ScoreOptions(ablation=ablation)
    for method in (exact, eap):
        plain = matrix_of(method(model, batch, metric=LOGIT_DIFF, options=options))
        wide = method(model, padded(batch, 3, side), metric=LOGIT_DIFF, options=options)
        wide = matrix_of(wide)
        np.testing.assert_allclose(wide, plain, atol=2e-4 * float(plain.abs().max()))


def test_means_are_over_real_tokens_of_every_node():
    """Unequal lengths: token by token, and position by position from the first real token."""
    model, batch = toy_model("gpt2"), toy_batch(2)
    mask = batch.mask.clone()
    mask[1, 4:] = False
    trace, _ = run_tokens(model.architecture, batch.corrupt, mask)
    z = writes(model.architecture, trace).heads[1].detach()
    flat = mean_writes(model.architecture, batch.corrupt, mask, positional=False, batch_size=1)
    np.testing.assert_allclose(flat.heads[1][0, 0], z[mask].mean(0), atol=1e-6)
    by_pos = mean_writes(model.architecture, batch.corrupt, mask, positional=True)
    np.testing.assert_allclose(by_pos.heads[1][0, 2], z[:, 2].mean(0), atol=1e-6)
    np.testing.assert_allclose(by_pos.heads[1][0, 6], z[0, 6], atol=1e-6)


def test_exact_scores_of_a_subset_in_any_order():
    model, batch = toy_model("gpt_neox"), toy_batch(2)
    every = exact(model, batch, metric=KL, options=OPTIONS)
    edges = (200, 3, 249, 77, 4)
    some = exact(model, batch, metric=KL, options=replace(OPTIONS, edges=edges))
    np.testing.assert_allclose(some, every[:, list(edges)], atol=1e-6)
    scored = score_edges(
        model, batch, get_method("eap"), metric=LOGIT_DIFF, options=replace(OPTIONS, edges=edges)
    )
    assert scored.columns == edges
    assert scored.values.shape == (2, 5)


def test_identical_twins_score_zero():
    model, batch = toy_model("gpt2"), toy_batch(2)
    same = replace(batch, corrupt=batch.clean)
    for method in METHODS:
        if method.key in ("random", "ifr", "weight-norm", "hvp"):
            continue
        scores = method.fn(model, same, metric=LOGIT_DIFF, options=OPTIONS)
        np.testing.assert_allclose(matrix_of(scores), 0.0, atol=2e-6)


def test_attention_only_model_scores():
    hf = build("gpt2")
    for block in hf.transformer.h:
        block.mlp = NoMLP()
    model, batch = wrap(hf, name="attention only"), toy_batch(2)
    true = exact(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    assert true.shape == (2, model.graph.n_edges)
    scores = eap_ig_activations(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    assert torch.isfinite(scores).all()
    assert torch.isfinite(eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS).values).all()


def test_model_is_left_as_it_was():
    model, batch = wrap(build("gpt2"), name="fresh"), toy_batch(2)
    first = next(model.hf.parameters())
    first.requires_grad_(False)
    flags = [p.requires_grad for p in model.hf.parameters()]
    for method in METHODS:
        score_edges(model, batch, method, metric=LOGIT_DIFF)

    def failing(logits, batch, reference=None):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        eap(model, batch, metric=replace(LOGIT_DIFF, fn=failing), options=OPTIONS)
    assert [p.requires_grad for p in model.hf.parameters()] == flags
    assert all(p.grad is None for p in model.hf.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.hf.modules())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ablation": "mean"}, "defined for patching only, not for 'mean' ablation: its path"),
        ({"steps": 0}, "at least 1 step, not 0"),
        ({"rule": "simpson"}, "must be left, midpoint or gauss-legendre, not 'simpson'"),
        ({"edges": (3, 900)}, r"columns from 0 to 261, got \[900\]"),
    ],
)
def test_undefined_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        score_edges(
            toy_model("gpt2"),
            toy_batch(2),
            get_method("eap-ig-inputs"),
            metric=LOGIT_DIFF,
            options=ScoreOptions(**change),
        )


def test_metrics_without_a_useful_gradient_are_refused():
    model, batch = toy_model("gpt2"), toy_batch(2)
    with pytest.raises(ValueError, match="'eap' would score every edge 0"):
        score_edges(model, batch, get_method("eap"), metric=KL)
    flat = replace(LOGIT_DIFF, key="accuracy", differentiable=False)
    with pytest.raises(ValueError, match="metric 'accuracy' has no gradient"):
        score_edges(model, batch, get_method("clean-corrupted"), metric=flat)


def test_scores_that_are_not_finite_name_method_edge_and_example():
    def broken(model, batch, *, metric, options):
        scores = torch.zeros(len(batch), model.graph.n_edges)
        scores[batch.index == 3, 20] = torch.nan
        return scores

    model = toy_model("gpt2")
    edge = model.graph.edge_names[20]
    method = Method("mine", "", broken, "")
    with pytest.raises(
        ValueError, match=rf"'mine' gave nan for edge {edge} \(layer 1\) on example 3"
    ):
        score_edges(model, toy_batch(5), method, metric=LOGIT_DIFF, batch_size=2)


def test_scores_of_the_wrong_shape_and_unknown_methods_are_refused():
    short = Method("short", "", lambda *a, **k: torch.zeros(2, 3), "")
    with pytest.raises(
        ValueError, match=r"shape \(2, 3\); expected \[example, edge\] = \(2, 262\)"
    ):
        score_edges(toy_model("gpt2"), toy_batch(2), short, metric=LOGIT_DIFF)
    with pytest.raises(ValueError, match="unknown method 'eaap'; choose one of exact"):
        get_method("eaap")
    with pytest.raises(ValueError, match="could not be imported"):
        get_method("no.such.module:method")


def test_a_users_function_is_a_method():
    method = get_method("tests.oracles.reference:eap")
    model, batch = toy_model("gpt2"), toy_batch(2)
    seen = []
    theirs = score_edges(
        model, batch, method, metric=LOGIT_DIFF, batch_size=1,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    ours = score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF)
    np.testing.assert_allclose(theirs.values, ours.values, atol=1e-5)
    np.testing.assert_allclose(theirs.metric_clean, ours.metric_clean, atol=1e-5)
    np.testing.assert_allclose(theirs.metric_corrupt, ours.metric_corrupt, atol=1e-5)
    assert seen == [(1, 2), (2, 2)]
    assert ours.provenance["options"]["ablation"] == "patching"
    assert ours.provenance["model_digest"] == model.digest
