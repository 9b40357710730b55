"""Circuit runs in a store: equal to runs without one, in items that another process finds."""

import numpy as np
import pytest

from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.run import circuit_scores, kept_runs
from circuitvar.circuits.run.kept_runs import item_size
from tests.circuits.toy_scoring import LOGIT_DIFF, toy_batch, toy_model

FIELDS = ("circuit", "full", "empty", "flipped", "correct", "kl")


def masks(model, n=5):
    rng = np.random.default_rng(0)
    found = rng.random((n, model.graph.n_edges)) < 0.5
    found[1] = False
    return found


@pytest.fixture
def _small_items(monkeypatch):
    monkeypatch.setattr(kept_runs, "item_size", lambda model, batch, circuits: (2, 3))


@pytest.mark.usefixtures("_small_items")
@pytest.mark.parametrize("ablation", ["patching", "mean", "zero"])
def test_items_give_the_values_of_one_run(tmp_path, ablation):
    model, batch = toy_model("gpt2"), toy_batch(7)
    how = {"metric": LOGIT_DIFF, "ablation": ablation}
    whole = evaluate_masks(model, masks(model), batch, **how)
    for _ in range(2):
        ours = evaluate_masks(model.keeping(tmp_path), masks(model), batch, **how)
        for a, b in zip(ours, whole, strict=True):
            for name in FIELDS:
                np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 3 * 3
    scores, full = circuit_scores(model.keeping(tmp_path), masks(model), batch, **how)
    wanted, wanted_full = circuit_scores(model, masks(model), batch, **how)
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    np.testing.assert_allclose(full, wanted_full, atol=1e-5)


@pytest.mark.usefixtures("_small_items")
def test_what_is_kept_is_not_run_again(tmp_path, monkeypatch):
    model, batch = toy_model("gpt2").keeping(tmp_path), toy_batch(7)
    prepared, runs = kept_runs.kept, []

    def counted(model, identity, compute):
        return prepared(model, identity, lambda: (runs.append(1), compute())[1])

    monkeypatch.setattr(kept_runs, "kept", counted)
    first = evaluate_masks(model, masks(model), batch, metric=LOGIT_DIFF)
    assert len(runs) == 9
    next(tmp_path.iterdir()).unlink()
    again = evaluate_masks(model, masks(model), batch, metric=LOGIT_DIFF)
    assert len(runs) == 10
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.circuit, b.circuit)


def test_the_name_of_an_item_follows_from_everything(tmp_path):
    def names(model="gpt2", seed=0, n=5, metric=LOGIT_DIFF, ablation="patching"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        kept = toy_model(model).keeping(folder)
        batch = toy_batch(3, seed=seed)
        evaluate_masks(kept, masks(kept, n), batch, metric=metric, ablation=ablation)
        return frozenset(path.name for path in folder.iterdir())

    seen = [
        names(),
        names("llama"),
        names(seed=1),
        names(n=4),
        names(metric="kl"),
        names(ablation="mean"),
        names(ablation="mean-positional"),
        names(ablation="zero"),
    ]
    assert len(set(seen)) == len(seen)
    assert names() == seen[0]


def test_items_of_large_models_hold_fewer_runs(monkeypatch):
    model, batch = toy_model("gpt2"), toy_batch(7)
    assert item_size(model, batch, 100) == (100, 7)
    sizes = []
    for work in (1e9, 1e8, 1e7, 1e6, 1.0):
        monkeypatch.setattr(kept_runs, "WORK", work)
        sizes.append(item_size(model, batch, 100))
    runs = [circuits * examples for circuits, examples in sizes]
    assert runs == sorted(runs, reverse=True) and sizes[-1] == (1, 1)
