"""The fast path against TransformerLens hooks, on every family, with padding on both sides."""

import numpy as np
import pytest
import torch

from circuitvar.circuits.methods.gradient.eap import clean_corrupted, eap, eap_ig_inputs
from circuitvar.circuits.methods.patching.exact import exact, node_damage
from circuitvar.circuits.types import ScoreOptions
from tests.circuits.toy_scoring import (
    FAMILIES,
    KL,
    LOGIT_DIFF,
    matrix_of,
    padded,
    toy_batch,
    toy_model,
)
from tests.oracles import reference

OPTIONS = ScoreOptions()


def relative(ours, theirs):
    ours = matrix_of(ours)
    return float((ours - theirs).norm() / theirs.norm())


def reference_exact(model, batch, metric):
    """All edges at once: one row per edge and example."""
    n_edges = model.graph.n_edges
    values = reference.source_outputs(model, batch.corrupt, batch.mask)
    patched = torch.eye(n_edges, dtype=torch.bool).repeat_interleave(len(batch), dim=0)
    rows = reference.repeat(batch, n_edges)
    patch = values.repeat(n_edges, 1, 1, 1)
    logits = reference.run_patched(model, rows.clean, rows.mask, patched, patch)
    clean = model.hf(batch.clean, attention_mask=batch.mask.long()).logits.detach()
    at = torch.arange(len(batch))
    base = clean[at, batch.last]
    read = logits[torch.arange(len(rows)), rows.last]
    patched_metric = metric.fn(read, rows, base.repeat(n_edges, 1)).reshape(n_edges, -1)
    change = (patched_metric - metric.fn(base, batch, base)).T
    return -change if metric.higher_is_better else change


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_methods_equal_the_reference_with_and_without_padding(family):
    model, batch = toy_model(family), toy_batch(2)
    theirs = reference.eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    for twin in (batch, padded(batch, 2, "left"), padded(batch, 3, "right")):
        assert relative(eap(model, twin, metric=LOGIT_DIFF, options=OPTIONS), theirs) <= 1e-4


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("metric", [LOGIT_DIFF, KL], ids=lambda m: m.key)
def test_exact_equals_the_reference_with_and_without_padding(family, metric):
    model, batch = toy_model(family), toy_batch(2)
    theirs = reference_exact(model, batch, metric)
    for twin in (batch, padded(batch, 2, "left"), padded(batch, 3, "right")):
        assert relative(exact(model, twin, metric=metric, options=OPTIONS), theirs) <= 1e-4


@pytest.mark.parametrize("side", ["left", "right"])
def test_reference_does_not_see_padding(side):
    model, batch = toy_model("qwen3"), toy_batch(2)
    plain = reference.eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    wide = reference.eap(model, padded(batch, 3, side), metric=LOGIT_DIFF, options=OPTIONS)
    assert relative(wide, plain) <= 1e-4


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "gemma2"])
def test_path_methods_equal_the_reference_on_the_same_embeddings(family):
    model, batch = toy_model(family), toy_batch(2)
    clean, corrupt = (
        reference.source_outputs(model, tokens, batch.mask)[:, :, 0]
        for tokens in (batch.clean, batch.corrupt)
    )
    path = tuple(corrupt + k / 3 * (clean - corrupt) for k in range(3))
    for method, inputs, options in (
        (eap_ig_inputs, path, ScoreOptions(steps=3)),
        (clean_corrupted, (clean, corrupt), OPTIONS),
    ):
        theirs = reference.eap(model, batch, metric=KL, options=OPTIONS, inputs=inputs)
        assert relative(method(model, batch, metric=KL, options=options), theirs) <= 1e-4


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "gemma3"])
def test_node_patching_equals_patching_all_edges_of_the_node(family):
    model, batch = toy_model(family), toy_batch(2)
    ours = node_damage(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    values = reference.source_outputs(model, batch.corrupt, batch.mask)
    clean = LOGIT_DIFF.fn(model.hf(batch.clean).logits[:, -1], batch)
    for source in range(len(model.graph.sources)):
        # Patched edges carry the corrupted value; what lies behind reacts in this very run.
        patched = torch.from_numpy(model.graph.edge_src == source).expand(len(batch), -1)
        logits = reference.run_patched(model, batch.clean, batch.mask, patched, values)
        change = clean - LOGIT_DIFF.fn(logits[:, -1], batch)
        np.testing.assert_allclose(ours[:, source], change.detach(), atol=2e-5)


def test_hooks_are_gone_after_success_and_after_an_exception():
    model, batch = toy_model("gpt2"), toy_batch(2)
    points = model.bridge.hook_dict.values()

    def count():
        return sum(len(p.fwd_hooks) + len(p._forward_hooks) for p in points)

    before = count()
    reference.eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    assert count() == before
    with pytest.raises(IndexError):
        reference._run(model, batch.clean, batch.mask, lambda d, x, r: [][0])
    assert count() == before
    assert not model.bridge.cfg.use_split_qkv_input
    assert not model.bridge.cfg.use_attn_result
