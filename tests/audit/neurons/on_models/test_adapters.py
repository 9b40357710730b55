"""Units of a model as arrays, concepts of a token batch, substitution runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.data.token_concepts import token_concepts
from circuitvar.audit.neurons.linear.linear_explanation import linear_explanations, simulate
from circuitvar.audit.neurons.on_models.adapters import (
    live_units,
    neuron_probing_set,
    substitution_scores,
    token_probing_set,
)
from circuitvar.circuits.units.unit_activations import (
    metric_with_neurons,
    mlp_neurons,
    readout_attention,
)
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.pocket.tokenizer import build_tokenizer
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.tokens.sampling import sample_batch
from circuitvar.tasks.tokens.tokens import tokenize
from tests.circuits.toy_scoring import FAMILIES, build, padded, toy_batch, toy_model


@pytest.mark.parametrize("family", FAMILIES)
def test_units_of_every_family_rebuild_the_mlp_and_sum_to_one(family):
    model, batch = toy_model(family), toy_batch()
    acts, names = mlp_neurons(model, batch, batch_size=2)
    heads, head_names = readout_attention(model, batch, batch_size=2)
    assert acts.shape[2] == len(names) == len(set(names))
    assert len(head_names) == heads.shape[2] == 12
    np.testing.assert_allclose(heads.sum(axis=1), 1, atol=1e-5)
    metric = get_metric("log_prob")
    intact = metric_with_neurons(model, batch, metric, {})
    same = {names[i]: acts[..., i] for i in (0, len(names) - 1)}
    np.testing.assert_allclose(metric_with_neurons(model, batch, metric, same), intact, atol=1e-4)
    zero = {name: np.zeros_like(value) for name, value in same.items()}
    assert np.abs(metric_with_neurons(model, batch, metric, zero) - intact).max() > 1e-3


def test_units_agree_with_the_bridge():
    model, batch = toy_model("gpt2"), toy_batch()
    acts, _ = mlp_neurons(model, batch)
    heads, _ = readout_attention(model, batch)
    _, cache = model.bridge.run_with_cache(batch.clean)
    width = acts.shape[2] // 3
    for layer in range(3):
        post = cache[f"blocks.{layer}.mlp.out.hook_in"].detach().numpy()
        np.testing.assert_allclose(acts[..., layer * width : (layer + 1) * width], post, atol=1e-5)
        pattern = cache[f"blocks.{layer}.attn.hook_pattern"].detach().numpy()
        rows = np.arange(len(batch))
        expected = pattern[rows, :, batch.last.numpy()].transpose(0, 2, 1)
        np.testing.assert_allclose(heads[..., 4 * layer : 4 * layer + 4], expected, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_no_unit(side):
    model, batch = toy_model("llama"), toy_batch()
    wide = padded(batch, 3, side)
    acts, _ = mlp_neurons(model, batch)
    moved, _ = mlp_neurons(model, wide)
    np.testing.assert_allclose(moved[wide.mask.numpy()], acts[batch.mask.numpy()], atol=1e-5)


def test_hooks_are_gone_after_an_error_and_names_are_checked():
    model, batch = toy_model("gpt2"), toy_batch()
    intact = metric_with_neurons(model, batch, get_metric("log_prob"), {})
    with pytest.raises(RuntimeError):
        metric_with_neurons(model, batch, get_metric("log_prob"), {"m0.n0": np.zeros((3, 99))})
    again = metric_with_neurons(model, batch, get_metric("log_prob"), {})
    np.testing.assert_array_equal(intact, again)
    with pytest.raises(ValueError, match=r"'a0\.h1' is not an MLP neuron"):
        metric_with_neurons(model, batch, get_metric("log_prob"), {"a0.h1": np.zeros((3, 7))})


@pytest.fixture(scope="module")
def ioi():
    """Sixty prompts, their pairs, and a random model that reads the pocket vocabulary."""
    from circuitvar.circuits.loading.load import wrap

    tokenizer = build_tokenizer()
    pairs = get_task("ioi").sample(60, rng=np.random.default_rng(0))
    batch = tokenize(pairs, tokenizer).batch
    model = wrap(build("gpt2", vocab_size=len(tokenizer)), name="toy", tokenizer=tokenizer)
    return model, batch, pairs


def test_prompts_that_a_tokenizer_dropped_shift_no_attribute(ioi):
    """`batch.index` counts draws; the pairs that come with a batch are the kept ones."""
    model, _, pairs = ioi
    bad = replace(pairs[0], corrupt="one word")
    task = replace(get_task("ioi"), sample=lambda n, **_: (bad, *pairs[1:3], bad, *pairs[3:]))
    drawn, kept = sample_batch(task, 40, model, rng=0)
    assert len(drawn.dropped) and drawn.batch.index.max() >= 40
    found = token_concepts(drawn.batch, model.tokenizer, pairs=kept, min_prompts=1)
    at_end = found.position == drawn.batch.last.numpy()[found.example]
    named = [i for i, name in enumerate(found.names) if name.startswith("END & ")]
    assert named
    for i in named:
        key, value = found.names[i].removeprefix("END & ").split("=")
        mine = [
            dict(kept[example].attributes).get(key) == value for example in found.example[at_end]
        ]
        np.testing.assert_array_equal(found.values[at_end, i], mine)
    with pytest.raises(ValueError, match=r"60 prompts for a batch of 40; give those of it"):
        token_concepts(drawn.batch, model.tokenizer, pairs=pairs)


def test_token_concepts_mark_what_they_say(ioi):
    model, batch, pairs = ioi
    found = token_concepts(batch, model.tokenizer, pairs=pairs)
    assert len(found.names) == len(set(found.names)) == found.values.shape[1]
    column = {name: found.values[:, i] for i, name in enumerate(found.names)}
    tokens = batch.clean.numpy()[found.example, found.position]
    assert batch.mask.numpy()[found.example, found.position].all()
    assert (tokens != model.tokenizer.bos_token_id).all()
    for role in ("IO", "S2", "END"):
        mask = batch.roles[role].numpy()[found.example, found.position]
        np.testing.assert_array_equal(column[f"role {role}"], mask)
    s2 = column["role S2"]
    assert column["seen before"][s2].all() and column["capitalised"][s2].all()
    assert not column["seen before"][column["role IO"]].any()
    assert column["occurs again later"][column["role S1"]].all()
    abba = [dict(pairs[int(i)].attributes)["order"] == "ABBA" for i in batch.index]
    expected = column["role END"] & np.array(abba)[found.example]
    np.testing.assert_array_equal(column["END & order=ABBA"], expected)
    assert {"role", "position", "class", "token", "history", "prompt"} == set(found.families)
    with pytest.raises(ValueError, match="pass more prompts"):
        token_concepts(batch, model.tokenizer, min_prompts=1000)


def test_probing_sets_have_prompts_as_clusters_and_templates_as_strata(ioi):
    model, batch, _ = ioi
    concepts = token_concepts(batch, model.tokenizer)
    neurons = neuron_probing_set(model, batch, concepts)
    heads = token_probing_set(*readout_attention(model, batch), batch, concepts)
    assert neurons.n_groups == heads.n_groups == 60
    assert set(neurons.strata_names) == set(batch.templates)
    acts, names = mlp_neurons(model, batch)
    row = 17
    np.testing.assert_array_equal(
        neurons.acts[row], acts[concepts.example[row], concepts.position[row]]
    )
    assert neurons.units == names and heads.units[5] == "a1.h1"
    dead = probing_set(np.column_stack([neurons.acts[:, 0], np.ones(neurons.n_samples)]),
                       neurons.concepts)  # fmt: skip
    assert live_units(dead).units == ("unit0",)
    with pytest.raises(ValueError, match="every unit is constant"):
        live_units(probing_set(np.ones((4, 1)), np.eye(4)))


def test_substitution_by_the_true_values_scores_one(ioi):
    """An explanation whose concepts are the activations themselves restores everything."""
    model, batch, _ = ioi
    concepts = token_concepts(batch, model.tokenizer)
    data = neuron_probing_set(model, batch, concepts)
    strongest = np.argsort(-np.asarray(data.acts).std(axis=0))[:4]
    acts = np.asarray(data.acts)[:, strongest]
    low, high = acts.min(axis=0), acts.max(axis=0)
    exact = (acts - low) / (high - low)
    units = tuple(data.units[i] for i in strongest)
    oracle = probing_set(acts, exact, groups=data.groups, units=units)
    rng = np.random.default_rng(0)
    found = linear_explanations(oracle, rng=rng)
    np.testing.assert_allclose(simulate(found, exact), acts, atol=0.05 * float(high.max()))
    scores, joint = substitution_scores(
        model, batch, get_metric("logit_diff"), concepts, exact, found, units, rng=rng
    )
    assert min(score.value for score in scores.values()) > 0.9
    assert joint.value > 0.9
    assert torch.is_grad_enabled()
