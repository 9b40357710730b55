"""Blocks of units, threads, null bars and ranking metrics: what must not change a number."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.neurons.data.probing_set import probing_set, take_samples
from circuitvar.audit.neurons.resampling.bootstrap_votes import bootstrap_votes
from circuitvar.audit.neurons.run.audit_neurons import audit_neurons
from circuitvar.audit.neurons.sets.concept_audit import audit_units
from circuitvar.audit.neurons.sets.null_concepts import null_best, null_concepts
from circuitvar.audit.neurons.similarity.cluster_resampling import (
    ConceptOptions,
    cluster_weights,
    weight_rows,
)
from tests.audit.neurons.toy_neurons import LEAN, planted_units


def test_workers_change_no_number(monkeypatch, tmp_path):
    votes_module = import_module("circuitvar.audit.neurons.resampling.bootstrap_votes")
    from circuitvar.audit.neurons import similarity
    from circuitvar.audit.neurons.sets import null_concepts

    data, _ = planted_units(60, 4, 17, 4, beta=0.2, seed=4)
    acts = np.asarray(data.acts, dtype=np.float32)
    np.save(tmp_path / "acts.npy", acts)
    mapped = probing_set(tmp_path / "acts.npy", data.concepts, groups=data.groups)
    w = cluster_weights(data.strata, 50, rng=np.random.default_rng(7))
    base = audit_neurons(probing_set(acts, data.concepts, groups=data.groups), LEAN)
    votes = bootstrap_votes(data, w, ["pearson", "iou"])
    for module in (votes_module, similarity, null_concepts):
        monkeypatch.setattr(module, "chunk_size", lambda *_: 3)
    found = audit_neurons(mapped, LEAN, workers=3)
    pd.testing.assert_frame_equal(found.units, base.units, rtol=1e-5, atol=1e-6)
    assert found.units.verdict.equals(base.units.verdict)
    serial = audit_neurons(mapped, LEAN, workers=1)
    pd.testing.assert_frame_equal(found.units, serial.units, check_exact=True)
    pd.testing.assert_frame_equal(found.votes, serial.votes, check_exact=True)
    threaded = bootstrap_votes(data, w, ["pearson", "iou"], workers=4)
    for key in votes:
        np.testing.assert_array_equal(votes[key].shares, threaded[key].shares)
        np.testing.assert_array_equal(votes[key].winners, threaded[key].winners)
    broken = acts.copy()
    broken[3, 11] = np.nan
    with pytest.raises(ValueError, match="unit 'unit11' has NaN"):
        audit_neurons(probing_set(broken, data.concepts), LEAN, workers=2)
    with pytest.raises(ValueError, match="0 workers"):
        bootstrap_votes(data, w, ["pearson"], workers=0)


def test_unit_results_do_not_keep_whole_blocks_alive():
    data, _ = planted_units(60, 4, 6, 4, beta=0.2, seed=4)
    options = LEAN.concepts
    rows = weight_rows(data, options, rng=np.random.default_rng(0))
    for result in audit_units(data, [(j,) for j in range(8)], rows, options):
        assert result.score.base is None and result.share.base is None


def test_null_bar_of_some_rows_is_the_null_bar_of_their_probing_set():
    data, _ = planted_units(50, 4, 5, 3, beta=0.0, seed=1)
    rows = np.flatnonzero(data.groups % 2 == 0)
    for metric in ("pearson", "iou"):
        few = ConceptOptions(metrics=(metric,), null_draws=5)
        whole = null_best(data, few, rng=np.random.default_rng(2), rows=rows)
        part = null_best(take_samples(data, rows), few, rng=np.random.default_rng(2))
        np.testing.assert_array_equal(whole, part)
        assert (whole > 0).all()


@pytest.mark.parametrize("metric", ["auroc", "spearman", "accuracy", "cosine"])
def test_any_metric_with_a_resampling_form_can_rank(metric):
    data, truth = planted_units(120, 4, 8, 4, beta=2.0, seed=6)
    concepts = replace(LEAN.concepts, metrics=(metric, "pearson"), replicates=100, quantile=0.2)
    units = audit_neurons(data, replace(LEAN, concepts=concepts)).units
    assert (units.metric == metric).all() and (units.null_max < 1).all()
    if metric != "accuracy":
        assert units.label.tolist() == [data.names[j] for j in truth]
        assert (units.verdict == "stable").mean() >= 0.75


def test_graded_concepts_are_audited_without_metrics_that_need_labels():
    rng = np.random.default_rng(0)
    graded = rng.random((300, 4))
    data = probing_set(graded[:, [2]] + 0.1 * rng.normal(size=(300, 1)), graded)
    with pytest.raises(ValueError, match="auprc needs 0/1 concepts"):
        audit_neurons(data, LEAN)
    concepts = replace(LEAN.concepts, metrics=("pearson", "cosine"))
    row = audit_neurons(data, replace(LEAN, concepts=concepts)).units.iloc[0]
    assert row.label == "concept2" and row.verdict == "stable" and row.size_ci == -1


def test_null_columns_keep_the_count_of_every_prompt():
    data, _ = planted_units(30, 5, 1, 3, beta=0.0, seed=1)
    prompt_level = np.repeat(np.arange(30) % 2, 5)[:, None]
    data = probing_set(
        np.asarray(data.acts), np.hstack([data.concepts, prompt_level]), groups=data.groups
    )
    null = null_concepts(data, rng=np.random.default_rng(0))
    per_prompt = null.reshape(30, 5, -1).sum(axis=1)
    expected = data.concepts.reshape(30, 5, -1).sum(axis=1)
    np.testing.assert_array_equal(per_prompt[:, :-1], expected[:, :-1])
    np.testing.assert_array_equal(np.sort(per_prompt[:, -1]), np.sort(expected[:, -1]))
    assert (null != data.concepts).any(axis=0).all()


def test_votes_ignore_chunks_order_and_repeat_exactly(monkeypatch):
    module = import_module("circuitvar.audit.neurons.resampling.bootstrap_votes")

    data, _ = planted_units(60, 4, 10, 4, beta=0.2, seed=4)
    w = cluster_weights(data.strata, 50, rng=np.random.default_rng(7))
    again = cluster_weights(data.strata, 50, rng=np.random.default_rng(7))
    np.testing.assert_array_equal(w, again)
    base = bootstrap_votes(data, w, ["pearson", "accuracy"])
    monkeypatch.setattr(module, "chunk_size", lambda *_: 3)
    chunked = bootstrap_votes(data, w, ["pearson", "accuracy"])
    order = np.random.default_rng(0).permutation(10)
    moved = probing_set(np.asarray(data.acts)[:, order], data.concepts, groups=data.groups)
    shuffled = bootstrap_votes(moved, w, ["pearson", "accuracy"])
    for key in base:
        np.testing.assert_array_equal(base[key].shares, chunked[key].shares)
        np.testing.assert_array_equal(base[key].winners, chunked[key].winners)
        np.testing.assert_array_equal(base[key].shares[:, order], shuffled[key].shares)
