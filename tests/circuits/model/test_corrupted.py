"""Gaussian noise as the corrupted run: the same everywhere, nothing at amplitude 0."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuitvar.circuits.evaluate.crossed import crossed_batch
from circuitvar.circuits.evaluate.evaluate import evaluate_masks
from circuitvar.circuits.kept import batch_digest
from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.methods.gradient.eap import eap
from circuitvar.circuits.methods.patching.exact import exact
from circuitvar.circuits.model.corrupted import corrupt_embeddings, corrupt_means, embedding_sd
from circuitvar.circuits.model.trunk import at_last, logits_at
from circuitvar.circuits.run.ablated_run import mean_constants, prepare
from circuitvar.circuits.run.run_circuit import final_streams
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.language.corruptions import with_noise
from circuitvar.tasks.tokens.batching import take
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model
from tests.oracles import reference

OPTIONS = ScoreOptions()
WITHOUT_CORRUPTION = ("random", "ifr", "weight-norm", "hvp")


def noisy(amplitude=1.0, n=3, roles=None, seed=0):
    """Toy prompts whose positions 2 and 4 play roles, and noise there."""
    batch = toy_batch(n)
    at = torch.arange(batch.clean.shape[1])
    marks = {name: (at == p).expand_as(batch.mask) for name, p in (("S", 2), ("IO", 4))}
    batch = replace(batch, roles={**marks, "END": (at == 6).expand_as(batch.mask)})
    return with_noise(batch, amplitude, roles=roles, seed=seed)


@pytest.mark.parametrize("key", [m.key for m in METHODS if m.key not in WITHOUT_CORRUPTION])
def test_no_noise_gives_no_scores_and_some_noise_does(key):
    model, method = toy_model("gpt2"), get_method(key)
    nothing = score_edges(model, noisy(0.0), method, metric=LOGIT_DIFF)
    np.testing.assert_allclose(nothing.values, 0.0, atol=1e-5)
    np.testing.assert_allclose(nothing.metric_corrupt, nothing.metric_clean, atol=1e-5)
    something = score_edges(model, noisy(1.0), method, metric=LOGIT_DIFF)
    assert np.abs(something.values).max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "qwen3", "gemma2", "gemma3"])
def test_exact_and_eap_equal_the_reference_under_noise(family):
    model, batch = toy_model(family), noisy(1.5, n=2)
    edges = tuple(range(0, model.graph.n_edges, 17))
    n = len(edges)
    values = reference.corrupt_outputs(model, batch)
    patched = torch.zeros(n, model.graph.n_edges, dtype=torch.bool)
    patched[torch.arange(n), list(edges)] = True
    rows = reference.repeat(batch, n)
    logits = reference.run_patched(
        model, rows.clean, rows.mask, patched.repeat_interleave(2, dim=0), values.repeat(n, 1, 1, 1)
    )
    base = model.hf(batch.clean, attention_mask=batch.mask.long()).logits.detach()
    clean = LOGIT_DIFF.fn(at_last(base, batch.last), batch, None)
    want = clean - LOGIT_DIFF.fn(at_last(logits, rows.last), rows, None).reshape(n, -1)
    got = exact(model, batch, metric=LOGIT_DIFF, options=replace(OPTIONS, edges=edges))
    np.testing.assert_allclose(got, want.T, atol=2e-4 * float(want.abs().max()))
    want = reference.eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS)
    got = eap(model, batch, metric=LOGIT_DIFF, options=OPTIONS).values
    np.testing.assert_allclose(got, want, atol=2e-4 * float(want.abs().max()))


def test_a_circuit_reads_the_noisy_run_outside_itself():
    model, batch = toy_model("qwen3"), noisy(2.0)
    mask = np.random.default_rng(0).random(model.graph.n_edges) < 0.5
    (stream,) = final_streams(model, prepare(model, batch), mask[None])
    ours = logits_at(model.architecture, stream)
    values = reference.corrupt_outputs(model, batch)
    patched = torch.as_tensor(~mask).expand(len(batch), -1)
    slow = reference.run_patched(model, batch.clean, batch.mask, patched, values)
    theirs = at_last(slow, batch.last)
    np.testing.assert_allclose(ours.detach(), theirs, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize("ablation", ["patching", "mean"])
def test_batching_and_order_change_nothing(pocket, ioi_batch, ablation):
    batch = with_noise(take(ioi_batch, slice(0, 12)), 1.0)
    order = np.random.default_rng(0).permutation(12)
    known = {"metric": LOGIT_DIFF, "options": ScoreOptions(ablation=ablation)}
    whole = score_edges(pocket, batch, get_method("eap"), **known)
    parts = score_edges(pocket, take(batch, order), get_method("eap"), batch_size=5, **known)
    atol = 1e-4 * np.abs(whole.values).max()
    np.testing.assert_allclose(parts.values, whole.values[order], atol=atol)
    empty = np.zeros((1, pocket.graph.n_edges), dtype=bool)
    options = {"metric": LOGIT_DIFF, "ablation": ablation}
    (one,) = evaluate_masks(pocket, empty, batch, **options)
    (two,) = evaluate_masks(pocket, empty, take(batch, order), batch_size=5, **options)
    np.testing.assert_allclose(two.circuit, one.circuit[order], atol=1e-4)
    if ablation == "patching":
        # Everything patched is the corrupted run itself.
        np.testing.assert_allclose(one.circuit, whole.metric_corrupt, atol=1e-4)


def test_noise_enters_means_over_the_corrupted_runs():
    model, batch = toy_model("gpt2"), noisy(1.0)
    values = reference.corrupt_outputs(model, batch)
    means = corrupt_means(model.architecture, batch, positional=True, batch_size=2)
    np.testing.assert_allclose(means.mlps[1][0], values[:, :, 10].mean(0), atol=1e-5)
    constants = mean_constants(model, batch, positional=True)
    np.testing.assert_allclose(constants.heads[0][:, 1], values[:, :, 2].mean(0), atol=1e-5)


def test_amplitude_is_in_standard_deviations_of_the_embeddings():
    model = toy_model("gemma3")
    table = model.architecture.embed(torch.arange(40)).detach()
    assert embedding_sd(model.architecture) == pytest.approx(float(table.std(correction=0)))
    batch = noisy(3.0, n=200)
    shift = corrupt_embeddings(model.architecture, batch) - model.architecture.embed(batch.clean)
    size = float(shift[:, (2, 4)].detach().std()) / float(table.std(correction=0))
    assert size == pytest.approx(3.0, rel=0.05)
    assert float(shift[:, (0, 1, 3, 5, 6)].detach().abs().max()) == 0.0


def test_provenance_and_digest_name_the_noise():
    model = toy_model("gpt2")
    scores = score_edges(model, noisy(1.0), get_method("eap"), metric=LOGIT_DIFF)
    assert scores.provenance["noise"] == {"amplitude": 1.0, "roles": ("S", "IO"), "seed": 0}
    digests = {
        batch_digest(b)
        for b in (toy_batch(), noisy(1.0), noisy(2.0), noisy(1.0, roles=("S",)), noisy(1.0, seed=1))
    }
    assert len(digests) == 5


def test_what_cannot_be_blurred_is_refused():
    with pytest.raises(ValueError, match="no role is marked in these examples"):
        with_noise(toy_batch(), 1.0)
    with pytest.raises(ValueError, match="names role 'VERB', but the batch has: S, IO, END"):
        noisy(roles=("VERB",))
    some = replace(noisy(), roles={"S": torch.arange(3)[:, None] == torch.zeros(7)})
    with pytest.raises(ValueError, match="example 1 has no token with the role S, so noise"):
        with_noise(some, 1.0)
    with pytest.raises(ValueError, match="noise amplitude is -1"):
        noisy(-1.0)
    with pytest.raises(ValueError, match="noisy prompts cannot be crossed"):
        crossed_batch(noisy(), 4, rng=np.random.default_rng(0))
