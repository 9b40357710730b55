"""Roles, nodes and neurons: parts of the same sums."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.circuits.units.granularity import neuron_scores, node_scores
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model


def marked(n=3):
    """Token 2 differs, token 4 differs, the others do not."""
    batch = toy_batch(n)
    first = torch.zeros_like(batch.mask)
    first[:, :4] = True
    return replace(batch, roles={"first": first, "second": ~first})


@pytest.mark.parametrize("key", ["eap", "eap-ig-inputs", "clean-corrupted", "relp"])
def test_roles_of_a_partition_sum_to_the_whole(key):
    model, batch = toy_model("llama"), marked()
    whole = score_edges(model, batch, get_method(key), metric=LOGIT_DIFF)
    parts = {}
    for role in batch.roles:
        options = ScoreOptions(role=role)
        parts[role] = score_edges(
            model, batch, get_method(key), metric=LOGIT_DIFF, options=options, batch_size=2
        )
    total = sum(part.values for part in parts.values())
    np.testing.assert_allclose(total, whole.values, atol=1e-5)
    assert parts["first"].provenance["options"]["role"] == "first"


def test_every_patching_method_takes_roles():
    model, batch = toy_model("gpt2"), marked(2)
    nowhere = replace(batch, roles={"none": torch.zeros_like(batch.mask)})
    options = ScoreOptions(role="none")
    for method in METHODS:
        if method.key in ("ifr", "random", "weight-norm"):
            with pytest.raises(ValueError, match="patches nothing"):
                score_edges(model, nowhere, method, metric=LOGIT_DIFF, options=options)
            continue
        scores = score_edges(model, nowhere, method, metric=LOGIT_DIFF, options=options)
        # Second differences divide the rounding of float32 by a small number.
        np.testing.assert_allclose(scores.values, 0.0, atol=5e-5 if method.key == "hvp" else 2e-6)


def test_unknown_roles_are_refused():
    with pytest.raises(
        ValueError, match="role 'verb' is not marked in these examples; they have first"
    ):
        score_edges(
            toy_model("gpt2"), marked(), get_method("eap"), metric=LOGIT_DIFF,
            options=ScoreOptions(role="verb"),
        )  # fmt: skip


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "qwen3"])
def test_neurons_sum_to_their_mlp(family):
    model, batch = toy_model(family), toy_batch()
    nodes = node_scores(score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF))
    units = neuron_scores(model, batch, metric=LOGIT_DIFF, options=ScoreOptions())
    columns = [model.graph.source_index[f"m{layer}"] for layer in range(3)]
    np.testing.assert_allclose(units.sum(-1), nodes[:, columns], atol=1e-5)
    assert not any(m._forward_pre_hooks for m in model.hf.modules())


def test_node_scores_are_direct_derivatives():
    """sum over readers of score[u, v] = -(a_u(corrupt) - a_u(clean)) . dM/da_u."""
    model, batch = toy_model("gpt2"), toy_batch()
    nodes = node_scores(score_edges(model, batch, get_method("eap"), metric=LOGIT_DIFF))
    block, seen = model.hf.transformer.h[1].mlp, []
    handle = block.register_forward_hook(lambda _, __, out: seen.append(out))
    clean = LOGIT_DIFF.fn(model.hf(batch.clean).logits[:, -1], batch)
    model.hf(batch.corrupt)
    handle.remove()
    slope = torch.autograd.grad(clean.sum(), seen[0])[0]
    want = -((seen[1] - seen[0]) * slope).sum((1, 2)).detach()
    np.testing.assert_allclose(nodes[:, model.graph.source_index["m1"]], want, atol=1e-5)


def test_partial_scores_have_no_node_scores():
    scores = score_edges(
        toy_model("gpt2"), toy_batch(), get_method("eap"), metric=LOGIT_DIFF,
        options=ScoreOptions(edges=(1, 2)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="need the scores of all edges"):
        node_scores(scores)
