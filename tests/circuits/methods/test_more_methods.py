"""Known answers for the methods beyond the EAP family."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from circuitvar.circuits.loading.load import wrap
from circuitvar.circuits.loading.self_check import gradient_error, logit_residual
from circuitvar.circuits.methods.baselines import (
    activation_size,
    random_scores,
    virtual_weight_norms,
)
from circuitvar.circuits.methods.gradient.atp_star import atp_star
from circuitvar.circuits.methods.gradient.eap import eap_conductance
from circuitvar.circuits.methods.gradient.hvp import hvp, second_order
from circuitvar.circuits.methods.gradient.ifr import information_flow_routes
from circuitvar.circuits.methods.gradient.relp import relp, with_rules
from circuitvar.circuits.methods.patching.exact import exact
from circuitvar.circuits.model.architecture import NoMLP, head_output_weights
from circuitvar.circuits.types import ScoreOptions
from tests.circuits.methods.test_score_oracles import linear_model
from tests.circuits.toy_scoring import KL, LOGIT_DIFF, build, matrix_of, toy_batch, toy_model
from tests.oracles.reference import destination_inputs, source_outputs

OPTIONS = ScoreOptions()


@pytest.mark.parametrize("method", [eap_conductance, relp, hvp], ids=lambda f: f.__name__)
def test_exact_on_a_linear_model(method):
    model, batch = linear_model(), toy_batch()
    true = exact(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    ours = matrix_of(method(model, batch, metric=LOGIT_DIFF, options=OPTIONS))
    np.testing.assert_allclose(ours, true, atol=2e-4 * float(true.abs().max()))


def test_conductance_is_complete_at_every_destination_of_the_logits():
    """Edges into the logits: the sum over sources of the change of what the logits read."""
    model, batch = toy_model("gpt2"), toy_batch()
    into = torch.from_numpy(model.graph.edge_dst == len(model.graph.destinations) - 1)
    with torch.no_grad():
        values = [
            LOGIT_DIFF.fn(model.hf(t).logits[:, -1], batch) for t in (batch.clean, batch.corrupt)
        ]
    options = ScoreOptions(steps=200)
    scores = eap_conductance(model, batch, metric=LOGIT_DIFF, options=options)
    np.testing.assert_allclose(scores[:, into].sum(1), values[0] - values[1], atol=0.03)


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "gemma2"])
def test_rules_change_the_gradient_and_not_the_model(family):
    model = toy_model(family)
    ruled = replace(model, architecture=with_rules(model.architecture))
    assert logit_residual(ruled) < 1e-5
    from circuitvar.circuits.loading.self_check import random_batch

    assert gradient_error(ruled, random_batch(model)) < 1e-4
    batch = toy_batch()
    scores = relp(model, batch, metric=LOGIT_DIFF, options=OPTIONS).values
    assert torch.isfinite(scores).all()


def test_recomputed_attention_is_exact_when_nothing_behind_it_bends():
    """Two layers, the last without MLP or final norm: behind its z everything is linear."""
    hf = build("gpt2", n_layer=2)
    hf.transformer.h[1].mlp, hf.transformer.ln_f = NoMLP(), nn.Identity()
    model, batch = wrap(hf, name="toy"), toy_batch()
    true = exact(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    ours = atp_star(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    columns = [
        i
        for i, edge in enumerate(model.graph.edges)
        if edge.dst.layer == 1 and edge.dst.slot in ("q", "k")
    ]
    np.testing.assert_allclose(ours[:, columns], true[:, columns].abs(), atol=2e-5)
    assert float(true[:, columns].abs().max()) > 1e-2


def test_atp_star_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="'atp-star' would score every edge 0"):
        atp_star(toy_model("gpt2"), toy_batch(2), metric=KL, options=OPTIONS)
    shallow = wrap(build("gpt2", n_layer=1), name="one layer")
    with pytest.raises(ValueError, match="at least 2 layers"):
        atp_star(shallow, toy_batch(2), metric=LOGIT_DIFF, options=OPTIONS)


def test_curvature_corrects_small_patches():
    """Close to the clean run the second-order score must be nearer to exact than the first."""
    model = toy_model("qwen3")
    with torch.no_grad():
        weight = model.architecture.embed.weight
        near = weight.clone()
    hf = build("qwen3")
    clean = toy_batch()
    with torch.no_grad():
        # Token 39 becomes a near copy of the token it replaces.
        hf.model.embed_tokens.weight[39] = 0.8 * near[clean.clean[0, 4]] + 0.2 * near[1]
    corrupt = clean.clean.clone()
    corrupt[0, 4] = 39
    batch = replace(clean, corrupt=corrupt)
    model = wrap(hf, name="near")
    true = exact(model, batch, metric=LOGIT_DIFF, options=OPTIONS)[0]
    first, second = (t[0] for t in second_order(model, batch, metric=LOGIT_DIFF, options=OPTIONS))
    assert float((first + second - true).norm()) < 0.7 * float((first - true).norm())


def test_information_flow_shares_by_hand_and_in_sum():
    model, batch = toy_model("llama"), toy_batch(2)
    scores = information_flow_routes(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    graph = model.graph
    column = graph.destination_index["m1"]
    sources = source_outputs(model, batch.clean, batch.mask)[
        :, :, : graph.n_sources_before(graph.destinations[column])
    ]
    x = destination_inputs(model, batch.clean, batch.mask)[:, :, column]
    gain = x.abs().sum(-1, keepdim=True) - (x[:, :, None] - sources).abs().sum(-1)
    gain = gain.clamp(min=0)
    want = (gain / gain.sum(-1, keepdim=True)).mean(1)
    np.testing.assert_allclose(
        scores[:, torch.from_numpy(graph.edge_dst == column)], want, atol=1e-5
    )
    for dst in range(len(graph.destinations)):
        total = scores[:, torch.from_numpy(graph.edge_dst == dst)].sum(1)
        assert ((total - 1).abs() < 1e-5).all() or (total <= 1 + 1e-5).all()


def test_baselines_by_hand():
    model, batch = toy_model("gpt2"), toy_batch(2)
    change = source_outputs(model, batch.corrupt, batch.mask)
    change = (change - source_outputs(model, batch.clean, batch.mask)).norm(dim=-1).sum(1)
    sizes = activation_size(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    np.testing.assert_allclose(sizes, change[:, model.graph.edge_src], atol=1e-4)
    block = model.hf.transformer.h
    w_out = head_output_weights(model.architecture, model.architecture.layers[0])[2]
    w_k = (block[1].ln_1.weight[:, None] * block[1].attn.c_attn.weight)[:, 16 + 4 : 16 + 8]
    norms = virtual_weight_norms(model)
    at = model.graph.edge_index["a0.h2->a1.h1<k>"]
    assert float(norms[at]) == pytest.approx(float((w_out @ w_k).norm().detach()), rel=1e-5)
    at = model.graph.edge_index["m0->m1"]
    virtual = block[0].mlp.c_proj.weight @ (
        block[1].ln_2.weight[:, None] * block[1].mlp.c_fc.weight
    )
    assert float(norms[at]) == pytest.approx(float(virtual.norm().detach()), rel=1e-4)


def test_random_scores_belong_to_seed_and_example():
    model, batch = toy_model("gpt2"), toy_batch(4)
    first, again = (random_scores(model, batch, metric=KL, options=OPTIONS) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = random_scores(model, batch, metric=KL, options=ScoreOptions(seed=1))
    assert abs(float(np.corrcoef(first.ravel(), other.ravel())[0, 1])) < 0.1
    assert abs(float(first.mean())) < 0.1
    assert float(first.std()) == pytest.approx(1.0, abs=0.1)
