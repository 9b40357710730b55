"""Edges, points of MLP neurons and head outputs as units, against closed forms and scores."""

import numpy as np
import pytest
import torch

from circuitvar.audit.neurons.data.token_concepts import token_concepts
from circuitvar.audit.neurons.on_models.adapters import (
    answer_direction,
    named_direction,
    neuron_probing_set,
    token_probing_set,
)
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.circuits.units.edge_activations import edge_contributions
from circuitvar.circuits.units.unit_activations import POINTS, head_outputs_along, mlp_neurons
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.planted.integer import A0, A1, M0, M1, READ
from circuitvar.tasks.planted.integer import WORDS as VECTORS
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.tokens.tokens import tokenize
from tests.circuits.toy_scoring import FAMILIES, KL, LOGIT_DIFF, padded, toy_batch, toy_model

GATED = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3")


def planted(key: str, n: int):
    """Model, pairs and batch of a planted model."""
    model = load_model(f"planted:{key}")
    pairs = get_planted(key).task.sample(n, rng=np.random.default_rng(0))
    return model, pairs, tokenize(pairs, model.tokenizer).batch


def test_edges_of_the_integer_model_by_hand():
    model, pairs, batch = planted("integer", 6)
    edges = ("input->logits", "m0->logits", "input->m1", "a1.h0->m1", "input->a1.h0<v>")
    acts, names = edge_contributions(model, batch, edges, metric=LOGIT_DIFF)
    assert names == edges
    eye = np.eye(2)
    for row, pair in enumerate(pairs):
        x = np.array(VECTORS[pair.clean])
        # <bos> is the zero vector and heads average over two positions, with weights doubled.
        a0 = x @ A0
        m0 = (x + a0) @ M0
        a1 = (x + a0 + m0) @ A1
        expected = [
            x @ READ, m0 @ READ, x @ M1 @ READ, a1 @ M1 @ READ, x @ A1 @ (eye + M1) @ READ,
        ]  # fmt: skip
        np.testing.assert_allclose(acts[row, int(batch.last[row])], expected, rtol=1e-5)
        np.testing.assert_allclose(acts[row, 0], 0, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ablation", ["zero", "patching"])
def test_edges_sum_over_positions_to_their_scores(family, ablation):
    model, batch = toy_model(family), toy_batch()
    wide = padded(batch, 2, "left")
    every = model.graph.edge_names
    acts, _ = edge_contributions(model, wide, every, metric=LOGIT_DIFF, ablation=ablation)
    scores = score_edges(
        model, wide, get_method("eap"), metric=LOGIT_DIFF, options=ScoreOptions(ablation=ablation)
    )
    scale = np.abs(scores.values).max()
    np.testing.assert_allclose(acts.sum(axis=1), scores.values, atol=2e-5 * scale)
    np.testing.assert_array_equal(acts[:, :2], 0)
    some = every[3], every[-1], every[7]
    part, _ = edge_contributions(model, wide, some, metric=LOGIT_DIFF, ablation=ablation)
    columns = model.graph.columns(some)
    np.testing.assert_allclose(part, acts[..., columns], atol=1e-6 * scale)


def test_edges_of_a_loss_keep_the_sign_of_damage():
    model, batch = toy_model("gpt2"), toy_batch()
    from dataclasses import replace

    loss = replace(
        LOGIT_DIFF, key="loss", higher_is_better=False,
        fn=lambda logits, batch, reference=None: -LOGIT_DIFF.fn(logits, batch),
    )  # fmt: skip
    edges = model.graph.edge_names[::9]
    up, _ = edge_contributions(model, batch, edges, metric=LOGIT_DIFF)
    down, _ = edge_contributions(model, batch, edges, metric=loss)
    np.testing.assert_allclose(up, down, atol=1e-6)


def test_edges_are_read_chunk_by_chunk_alike(monkeypatch):
    model, batch = toy_model("llama"), toy_batch(5)
    edges = model.graph.edge_names[:40]
    whole, _ = edge_contributions(model, batch, edges, metric=LOGIT_DIFF)
    monkeypatch.setattr("circuitvar.circuits.units.edge_activations.NUMBERS_AT_ONCE", 1)
    pieces, _ = edge_contributions(model, batch, edges, metric=LOGIT_DIFF)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-6)


def test_edges_that_cannot_be_read_are_refused():
    model, batch = toy_model("gpt2"), toy_batch()
    with pytest.raises(ValueError, match="no edges to read"):
        edge_contributions(model, batch, (), metric=LOGIT_DIFF)
    with pytest.raises(ValueError, match=r"edge 'a9\.h0->logits' is not in this graph"):
        edge_contributions(model, batch, ["a9.h0->logits"], metric=LOGIT_DIFF)
    with pytest.raises(ValueError, match="zero or patching"):
        edge_contributions(model, batch, ["input->m0"], metric=LOGIT_DIFF, ablation="mean")
    with pytest.raises(ValueError, match="every contribution would be 0"):
        edge_contributions(model, batch, ["input->m0"], metric=KL)
    with pytest.raises(ValueError, match="has no gradient"):
        edge_contributions(model, batch, ["input->m0"], metric=get_metric("accuracy"))


def test_edge_into_the_logits_of_a_gated_model_fires_at_the_read_out_only():
    """`a1.h0` answers under the marker `copy`, `a1.h1` under `opposite`, with gain 4 each."""
    model, pairs, batch = planted("gated", 48)
    concepts = token_concepts(batch, model.tokenizer, pairs=pairs)
    edges = ("a1.h0->logits", "a1.h1->logits", "a1.h2->logits")
    found = edge_contributions(model, batch, edges, metric=get_metric("logit_diff"))
    data = token_probing_set(*found, batch, concepts)
    assert data.units == edges and data.n_groups == 48
    at_end = concepts.position == batch.last.numpy()[concepts.example]
    copy = np.array([pair.template.startswith("gated-copy") for pair in pairs])
    open_gate = copy[concepts.example]
    acts = np.asarray(data.acts)
    np.testing.assert_allclose(acts[~at_end], 0, atol=1e-5)
    np.testing.assert_allclose(acts[at_end & ~open_gate, 0], 0, atol=1e-4)
    np.testing.assert_allclose(acts[at_end & open_gate, 1], 0, atol=1e-4)
    assert (acts[at_end & open_gate, 0] > 3.9).all()
    np.testing.assert_allclose(acts[:, 2], 0, atol=1e-6)


def test_head_outputs_along_the_answer_direction_of_a_gated_model():
    """An open head writes its word with gain 4, so 4 along answer minus wrong answer, else 0."""
    model, pairs, batch = planted("gated", 32)
    concepts = token_concepts(batch, model.tokenizer, pairs=pairs)

    def along(name):
        acts = head_outputs_along(model, batch, named_direction(model, batch, name))
        return token_probing_set(*acts, batch, concepts)

    data = along("logit-difference")
    assert data.units == tuple(f"a{i}.h{h}" for i in range(2) for h in range(3))
    at_end = concepts.position == batch.last.numpy()[concepts.example]
    values = np.asarray(data.acts)[at_end]
    copy = np.array([pair.template.startswith("gated-copy") for pair in pairs])
    for head, is_open in ((3, copy), (4, ~copy)):
        np.testing.assert_allclose(values[is_open, head], 4, rtol=1e-4)
        np.testing.assert_allclose(values[~is_open, head], 0, atol=1e-4)
    np.testing.assert_allclose(values[:, 5], 0, atol=1e-5)
    right = along("answer")
    np.testing.assert_allclose(np.asarray(right.acts)[at_end][copy, 3], 4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_head_outputs_sum_to_what_attention_writes(family):
    """Over heads, output along d is attention's output along d without its bias."""
    model, batch = toy_model(family), toy_batch()
    direction = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    acts, _ = head_outputs_along(model, batch, direction)
    layer = model.architecture.layers[1]
    seen = {}
    handle = layer.output.register_forward_hook(lambda m, i, o: seen.update(out=o.detach()))
    with torch.no_grad():
        model.hf(input_ids=batch.clean, use_cache=False)
    handle.remove()
    bias = getattr(layer.output, "bias", None)
    written = seen["out"] - (0 if bias is None else bias.detach())
    np.testing.assert_allclose(
        acts[..., 4:8].sum(-1), (written @ direction[0]).numpy(), rtol=1e-3, atol=1e-4
    )


def test_named_directions_and_files(tmp_path):
    model, _, batch = planted("gated", 4)
    both = named_direction(model, batch, "logit-difference")
    parts = [named_direction(model, batch, name) for name in ("answer", "wrong-answer")]
    torch.testing.assert_close(both, parts[0] - parts[1])
    torch.testing.assert_close(both, answer_direction(model, batch))
    width = model.architecture.d_model
    np.save(tmp_path / "d.npy", np.arange(width, dtype=np.float64))
    given = named_direction(model, batch, str(tmp_path / "d.npy"))
    assert given.tolist() == [list(map(float, range(width)))]
    np.save(tmp_path / "bad.npy", np.zeros(width + 1))
    with pytest.raises(ValueError, match=f"a direction has {width} numbers"):
        named_direction(model, batch, str(tmp_path / "bad.npy"))
    with pytest.raises(ValueError, match="'up' is not a file; use logit-difference, answer"):
        named_direction(model, batch, "up")


@pytest.mark.parametrize("family", FAMILIES)
def test_points_of_mlp_neurons_fit_together(family):
    """post = act(pre) without a gate and gate * up with one, gate = act(pre)."""
    model, batch = toy_model(family), toy_batch()
    points = POINTS if family in GATED else ("post", "pre")
    found = {point: mlp_neurons(model, batch, point=point) for point in points}
    act = torch.nn.functional.silu if family in GATED[:4] else torch.nn.functional.gelu
    tanh = {"approximate": "tanh"} if family in ("gpt2", "gemma2", "gemma3") else {}
    activated = act(torch.from_numpy(found["pre"][0]), **tanh).numpy()
    post, names = found["post"]
    if family in GATED:
        np.testing.assert_allclose(found["gate"][0], activated, atol=1e-5)
        np.testing.assert_allclose(found["gate"][0] * found["up"][0], post, atol=1e-5)
    else:
        np.testing.assert_allclose(activated, post, atol=1e-5)
        with pytest.raises(ValueError, match="have no gate, so neurons have no point 'up'"):
            mlp_neurons(model, batch, point="up")
    assert found["pre"][1] == tuple(f"{name}<pre>" for name in names)
    with pytest.raises(ValueError, match="neurons are read at post, pre, gate, up"):
        mlp_neurons(model, batch, point="mid")


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_points_agree_with_the_bridge(family):
    model, batch = toy_model(family), toy_batch()
    _, cache = model.bridge.run_with_cache(batch.clean)
    hook = "blocks.1.mlp.in.hook_out" if family == "gpt2" else "blocks.1.mlp.gate.hook_out"
    acts, _ = mlp_neurons(model, batch, point="pre")
    width = acts.shape[2] // 3
    np.testing.assert_allclose(
        acts[..., width : 2 * width], cache[hook].detach().numpy(), atol=1e-5
    )


def test_neurons_before_the_activation_function_of_the_integer_model():
    """Its MLPs are linear: pre = post, and neuron j of m0 is column j of (x + a0) M0."""
    model, pairs, batch = planted("integer", 12)
    concepts = token_concepts(batch, model.tokenizer, pairs=pairs, min_prompts=1)
    data = neuron_probing_set(model, batch, concepts, point="pre")
    assert data.units == ("m0.n0<pre>", "m0.n1<pre>", "m1.n0<pre>", "m1.n1<pre>")
    for row, example in enumerate(concepts.example):
        x = np.array(VECTORS[pairs[example].clean])
        np.testing.assert_allclose(data.acts[row, :2], (x + x @ A0) @ M0, rtol=1e-5)
