"""Agreement with per-example scores computed by an independent implementation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores.score import score_edges
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.types import Batch
from tests.oracles.reference import repeat, run_patched, source_outputs

FOLDER = Path(__file__).parents[2] / "golden" / "peer"
META = json.loads((FOLDER / "meta.json").read_text())


@pytest.fixture(scope="module")
def model():
    return load_model(str(FOLDER / "model"))


@pytest.fixture(scope="module")
def peer():
    with np.load(FOLDER / "scores.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def batch(peer):
    clean, corrupt, answer = (
        torch.from_numpy(peer[name]).long() for name in ("clean", "corrupted", "answer")
    )
    n, length = clean.shape
    return Batch(
        clean=clean,
        corrupt=corrupt,
        mask=torch.ones_like(clean, dtype=torch.bool),
        answers=answer[:, :1],
        wrong_answers=answer[:, 1:],
        last=torch.full((n,), length - 1),
        index=torch.arange(n),
        templates=("",) * n,
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("eap", "eap"),
        ("eap-ig-inputs", "eap_ig_inputs"),
        ("eap-ig-activations", "eap_ig_activations"),
        ("clean-corrupted", "clean_corrupted"),
        ("exact", "exact"),
    ],
)
def test_scores_match_example_by_example(model, batch, peer, key, name):
    ours = score_edges(model, batch, get_method(key), metric=get_metric("logit_diff"))
    columns = model.graph.columns(META["edges"])
    error = np.linalg.norm(ours.values[:, columns] - peer[name]) / np.linalg.norm(peer[name])
    assert error <= 1e-4
    worst = np.abs(ours.values[:, columns] - peer[name]).max(axis=1)
    np.testing.assert_array_less(worst, 1e-4 * np.abs(peer[name]).max())


@pytest.mark.parametrize("size", sorted(META["circuits"], key=int))
def test_reference_runs_circuits_as_the_peer_does(model, batch, size):
    kept = torch.zeros(1, model.graph.n_edges, dtype=torch.bool)
    kept[:, model.graph.columns(META["circuits"][size]["kept"])] = True
    values = source_outputs(model, batch.corrupt, batch.mask)
    patched = ~kept.expand(len(batch), -1)
    logits = run_patched(model, batch.clean, batch.mask, patched, values)[:, -1]
    ours = get_metric("logit_diff").fn(logits, batch)
    np.testing.assert_allclose(ours, META["circuits"][size]["logit_diff"], atol=1e-4)


def test_empty_and_full_circuits_are_the_corrupted_and_the_clean_run(model, batch):
    values = source_outputs(model, batch.corrupt, batch.mask)
    both = torch.zeros(2 * len(batch), model.graph.n_edges, dtype=torch.bool)
    both[: len(batch)] = True
    twice = repeat(batch, 2)
    logits = run_patched(model, twice.clean, twice.mask, both, torch.cat((values, values)))
    with torch.no_grad():
        corrupt, clean = (model.hf(tokens).logits for tokens in (batch.corrupt, batch.clean))
    np.testing.assert_allclose(logits, torch.cat((corrupt, clean)), atol=1e-4)
