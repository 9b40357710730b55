"""The fast circuit run equals the slow one through TransformerLens hooks, for every ablation."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.model.trunk import at_last, logits_at, run_tokens
from circuitvar.circuits.run.ablated_run import mean_constants, prepare
from circuitvar.circuits.run.run_circuit import final_streams, needed_sources
from circuitvar.circuits.run.soft_run import soft_final_stream
from tests.circuits.toy_scoring import FAMILIES, toy_batch, toy_model
from tests.oracles import reference

PEER = Path(__file__).parents[2] / "golden" / "peer"
ABLATIONS = ("patching", "mean", "mean-positional", "zero")


def ragged(side):
    """Six-token and seven-token examples in one batch, padded on one side."""
    batch = toy_batch(n=4, length=7, seed=3)
    if side == "none":
        return batch
    mask = batch.mask.clone()
    last = batch.last.clone()
    if side == "right":
        mask[0, 6:] = False
        last[0] = 5
    else:
        mask[0, :1] = False
    return replace(batch, mask=mask, last=last)


def random_masks(graph, n=5, seed=0):
    rng = np.random.default_rng(seed)
    shares = np.linspace(0.0, 1.0, n)
    return np.array([rng.random(graph.n_edges) < share for share in shares])


def ablated_values(model, batch, ablation):
    """[batch, pos, src, d_model] values from the definition, over hook recordings."""
    values = reference.source_outputs(model, batch.corrupt, batch.mask)
    if ablation == "zero":
        return torch.zeros_like(values)
    real = batch.mask[:, :, None, None].to(values)
    if ablation == "mean":
        return ((values * real).sum((0, 1)) / real.sum((0, 1))).expand_as(values)
    if ablation == "mean-positional":  # positions count from the first real token
        start = batch.mask.int().argmax(dim=1)
        n = values.shape[1]
        where = (torch.arange(n)[None] - start[:, None]).clamp(min=0)
        sums = torch.zeros(n, *values.shape[2:])
        counts = torch.zeros(n)
        for example, token in batch.mask.nonzero():
            sums[where[example, token]] += values[example, token]
            counts[where[example, token]] += 1
        return (sums / counts.clamp(min=1)[:, None, None])[where]
    return values


def fast_logits(model, batch, masks, ablation="patching"):
    constants = None
    if ablation.startswith("mean"):
        constants = mean_constants(model, batch, positional=ablation != "mean", batch_size=3)
    backdrop = prepare(model, batch, ablation=ablation, constants=constants)
    with torch.no_grad():
        streams = list(final_streams(model, backdrop, masks))
        return torch.stack([logits_at(model.architecture, s) for s in streams]), backdrop


def slow_logits(model, batch, masks, ablation="patching"):
    values = ablated_values(model, batch, ablation)
    rows = []
    for mask in masks:
        patched = torch.as_tensor(~mask).expand(len(batch), -1)
        logits = reference.run_patched(model, batch.clean, batch.mask, patched, values)
        rows.append(at_last(logits, batch.last))
    return torch.stack(rows)


def assert_close(ours, theirs, tolerance=1e-4):
    scale = float(theirs.abs().max())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("family", FAMILIES)
def test_patched_circuits_of_every_family_equal_the_reference(family):
    model = toy_model(family)
    batch = ragged("right")
    masks = random_masks(model.graph)
    assert_close(fast_logits(model, batch, masks)[0], slow_logits(model, batch, masks))


@pytest.mark.parametrize("ablation", ABLATIONS[1:])
@pytest.mark.parametrize("family", ["gpt2", "qwen3", "gemma2"])
def test_constant_ablations_equal_the_reference(family, ablation):
    model = toy_model(family)
    batch = ragged("right")
    masks = random_masks(model.graph)
    # RMS norms blow rounding up where the ablated stream is nearly zero: compare from 50 % on.
    masks = masks[2:] if ablation == "zero" else masks
    ours, theirs = (f(model, batch, masks, ablation) for f in (fast_logits, slow_logits))
    assert_close(ours[0], theirs, 1e-3)


@pytest.mark.parametrize("side", ["none", "left"])
@pytest.mark.parametrize("ablation", ["patching", "mean-positional"])
def test_padding_on_either_side_changes_nothing(side, ablation):
    model = toy_model("gpt2")
    batch = ragged(side)
    masks = random_masks(model.graph)
    ours = fast_logits(model, batch, masks, ablation)[0]
    assert_close(ours, slow_logits(model, batch, masks, ablation))


def test_circuits_of_the_peer_fixture_give_its_logit_differences():
    meta = json.loads((PEER / "meta.json").read_text())
    scores = np.load(PEER / "scores.npz")
    model = load_model(str(PEER / "model"))
    clean, corrupt, answer = (
        torch.as_tensor(scores[name]) for name in ("clean", "corrupted", "answer")
    )
    batch = replace(
        toy_batch(n=len(clean)),
        clean=clean,
        corrupt=corrupt,
        mask=torch.ones_like(clean, dtype=torch.bool),
        last=torch.full((len(clean),), clean.shape[1] - 1),
    )
    circuits = list(meta["circuits"].values())
    masks = np.zeros((len(circuits), model.graph.n_edges), bool)
    for mask, circuit in zip(masks, circuits, strict=True):
        mask[model.graph.columns(circuit["kept"])] = True
    logits = fast_logits(model, batch, masks)[0]
    right, wrong = (logits.gather(2, answer[None, :, i : i + 1].expand(3, -1, -1)) for i in (0, 1))
    expected = [circuit["logit_diff"] for circuit in circuits]
    np.testing.assert_allclose((right - wrong)[..., 0], expected, rtol=1e-4, atol=1e-5)


def test_empty_circuit_is_the_corrupted_run_and_full_circuit_the_clean_one():
    for family in ("gpt2", "gpt_neox", "gemma2"):
        model = toy_model(family)
        batch = toy_batch()
        none, every = np.zeros(model.graph.n_edges, bool), np.ones(model.graph.n_edges, bool)
        logits, _ = fast_logits(model, batch, np.array([none, every]))
        with torch.no_grad():
            corrupt = at_last(model.hf(batch.corrupt).logits, batch.last)
            clean = at_last(model.hf(batch.clean).logits, batch.last)
        assert_close(logits[0], corrupt)
        assert_close(logits[1], clean)


def test_shared_values_do_not_depend_on_which_circuits_ran_before():
    model = toy_model("llama")
    batch = toy_batch()
    masks = random_masks(model.graph, n=6, seed=2)
    masks[3] = masks[4]
    masks[3, 5] ^= True
    together = fast_logits(model, batch, masks)[0]
    alone = torch.cat([fast_logits(model, batch, mask[None])[0] for mask in masks])
    backwards = fast_logits(model, batch, masks[::-1])[0].flip(0)
    assert_close(together, alone, 1e-5)
    assert_close(together, backwards, 1e-5)


def test_values_dropped_for_memory_are_computed_again(monkeypatch):
    from circuitvar.circuits.run import circuit_state

    model = toy_model("gpt2")
    masks = random_masks(model.graph, n=6)
    expected = fast_logits(model, toy_batch(), masks)[0]
    monkeypatch.setattr(circuit_state, "MEMO_BYTES", 1)
    assert_close(fast_logits(model, toy_batch(), masks)[0], expected, 1e-6)


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama"])
@pytest.mark.parametrize("ablation", ["patching", "mean"])
def test_soft_circuit_with_zero_one_weights_is_the_circuit(family, ablation):
    model = toy_model(family)
    batch = ragged("right")
    masks = random_masks(model.graph, n=4, seed=1)
    fast, backdrop = fast_logits(model, batch, masks, ablation)
    for row, mask in zip(fast, masks, strict=True):
        with torch.no_grad():
            stream = soft_final_stream(model, backdrop, torch.as_tensor(mask).float())
        assert_close(logits_at(model.architecture, stream).detach(), row)


def test_soft_circuit_has_the_gradient_of_finite_differences():
    model = toy_model("gpt2")
    backdrop = prepare(model, toy_batch())
    weights = torch.full((model.graph.n_edges,), 0.5, requires_grad=True)
    total = soft_final_stream(model, backdrop, weights).sum()
    (gradient,) = torch.autograd.grad(total, weights)
    for edge in (0, 17, model.graph.n_edges - 1):
        ends = []
        for step in (-0.01, 0.01):
            moved = weights.detach().clone()
            moved[edge] += step
            with torch.no_grad():
                ends.append(float(soft_final_stream(model, backdrop, moved).sum()))
        assert (ends[1] - ends[0]) / 0.02 == pytest.approx(float(gradient[edge]), abs=0.01)


def test_needed_sources_are_those_with_a_kept_path_to_the_logits():
    graph = toy_model("gpt2").graph
    names = ["input->m0", "m0->a1.h2<k>", "a1.h2->logits", "input->a2.h0<q>"]
    needed = needed_sources(graph, graph.matrix(np.isin(graph.edge_names, names)))
    assert {graph.sources[i].name for i in np.flatnonzero(needed)} == {"input", "m0", "a1.h2"}
    coupled = needed_sources(graph, graph.matrix(np.isin(graph.edge_names, names)), coupled=True)
    assert needed.sum() + 3 == coupled.sum()


def test_unknown_ablations_missing_constants_and_wrong_graphs_are_refused():
    model = toy_model("gpt2")
    with pytest.raises(ValueError, match="unknown ablation 'noise'; choose one of patching"):
        prepare(model, toy_batch(), ablation="noise")
    with pytest.raises(ValueError, match="ablation 'mean' needs `constants`"):
        prepare(model, toy_batch(), ablation="mean")
    backdrop = prepare(model, toy_batch())
    with pytest.raises(ValueError, match=r"masks must have .* edges, the number in the graph"):
        list(final_streams(model, backdrop, np.ones((1, 3), bool)))


@pytest.mark.parametrize("side", ["none", "right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_full_model_is_run_only_from_the_first_difference_on(family, side):
    model, batch = toy_model(family), ragged(side)
    backdrop = prepare(model, batch)
    assert 0 < backdrop.first
    trace, _ = run_tokens(model.architecture, batch.clean, batch.mask)
    torch.testing.assert_close(
        backdrop.full, at_last(trace.final, batch.last), rtol=1e-4, atol=1e-5
    )
