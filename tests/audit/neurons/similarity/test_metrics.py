"""T1, T2, T13 of the metric definitions: oracles, closed forms, invariances, degenerate input."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.indices import weighted_auroc, weighted_average_precision
from circuitvar.audit.neurons.data.probing_set import probing_set, take_samples
from circuitvar.audit.neurons.similarity.metric_self_check import (
    FREQUENCIES,
    extra_labels,
    metric_self_check,
    missing_labels,
    perfect_unit_scores,
)
from circuitvar.audit.neurons.similarity.similarity import auroc_influence, similarity
from circuitvar.audit.neurons.similarity.similarity_metrics import (
    SIMILARITIES,
    get_similarity,
    similarity_table,
)

sklearn = pytest.importorskip("sklearn.metrics")
ALL = [m.key for m in SIMILARITIES]


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(1)
    f = np.round(rng.normal(size=240), 1)
    c = (rng.random(240) < 0.3) | (f > 1.2)
    w = rng.integers(1, 4, 240)
    return f, c, w


def scores(f, c, w=None, **options):
    data = probing_set(np.asarray(f)[:, None], np.asarray(c)[:, None], weights=w)
    keys = options.pop("keys", ALL)
    found = similarity(data, keys, **({"quantile": None} | options))
    return {key: float(values[0, 0]) for key, values in found.items()}


def test_every_metric_matches_a_direct_computation(sample):
    f, c, w = sample
    got = scores(f, c, w)
    a, c, n = f > 0, c.astype(float), w.sum()
    tp, na, nc = (w * a * c).sum(), (w * a).sum(), (w * c).sum()
    tn = n - na - nc + tp
    mean = (w * f).sum() / n
    cov = (w * (f - mean) * (c - nc / n)).sum()
    expected = {
        "accuracy": (tp + tn) / n,
        "p_concept_given_active": tp / na,
        "p_active_given_concept": tp / nc,
        "f1": 2 * tp / (na + nc),
        "iou": tp / (na + nc - tp),
        "balanced_accuracy": (tp / na + tn / (n - na)) / 2,
        "inverse_balanced_accuracy": (tp / nc + tn / (n - nc)) / 2,
        "cosine": (w * f * c).sum() / np.sqrt((w * f * f).sum() * (w * c * c).sum()),
        "pearson": cov / np.sqrt((w * (f - mean) ** 2).sum() * nc * (1 - nc / n)),
        "mad": (w * f * c).sum() / nc - (w * f * (1 - c)).sum() / (n - nc),
        "wpmi": (w * a * np.log(np.clip(c, 1e-8, 1))).sum() / na - np.log(nc / n),
    }
    for key, value in expected.items():
        assert got[key] == pytest.approx(value, abs=2e-6), key


def test_metrics_match_scikit_learn_with_weights_and_ties(sample):
    f, c, w = sample
    got, a = scores(f, c, w), f > 0
    assert got["auroc"] == pytest.approx(sklearn.roc_auc_score(c, f, sample_weight=w), abs=1e-9)
    assert got["inverse_auprc"] == pytest.approx(
        sklearn.average_precision_score(c, f, sample_weight=w), abs=1e-9
    )
    assert got["auprc"] == pytest.approx(
        sklearn.average_precision_score(a, c, sample_weight=w), abs=1e-6
    )
    assert got["phi"] == pytest.approx(sklearn.matthews_corrcoef(a, c, sample_weight=w), abs=1e-6)
    assert got["balanced_accuracy"] == pytest.approx(
        sklearn.roc_auc_score(a, c, sample_weight=w), abs=1e-6
    )


def test_spearman_matches_scipy(sample):
    from scipy.stats import spearmanr

    f, c, _ = sample
    assert scores(f, c, keys=["spearman"])["spearman"] == pytest.approx(
        spearmanr(f, c)[0], abs=1e-9
    )


def test_integer_weights_equal_repetition(sample):
    f, c, w = sample
    repeated = np.repeat(np.arange(len(f)), w)
    weighted, plain = scores(f, c, w), scores(f[repeated], c[repeated])
    for key in ALL:
        assert weighted[key] == pytest.approx(plain[key], abs=3e-6), key


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(0.1, 50), shift=st.floats(-20, 20), seed=st.integers(0, 99))
def test_pearson_is_affine_and_auroc_monotone_invariant(scale, shift, seed):
    rng = np.random.default_rng(seed)
    f, c = rng.normal(size=60), rng.random(60) < 0.4
    keys = ["pearson", "auroc"]
    base = scores(f, c, keys=keys)
    assert scores(scale * f + shift, c, keys=keys)["pearson"] == pytest.approx(
        base["pearson"], abs=1e-4
    )
    assert scores(np.exp(f / 2), c, keys=keys)["auroc"] == pytest.approx(base["auroc"], abs=1e-6)


def test_auroc_influence_sums_to_zero_and_predicts_reweighting():
    rng = np.random.default_rng(3)
    f, c = rng.normal(size=2000), rng.random((2000, 2)) < [0.3, 0.1]
    f += c[:, 0]
    groups = np.repeat(np.arange(200), 10)
    ones = np.ones(2000)
    area, psi = auroc_influence(f, c.astype(float), ones, groups, 200)
    np.testing.assert_allclose(psi.sum(axis=0), 0, atol=1e-12)
    w = rng.multinomial(200, np.full(200, 1 / 200))
    exact = weighted_auroc(f, c.astype(float), w[groups].astype(float))
    np.testing.assert_allclose(area + w @ psi, exact, atol=0.003)
    assert np.abs(exact - area).max() > 0.003


def test_average_precision_counts_ties_as_one_threshold():
    assert (
        weighted_average_precision(np.array([1.0, 1.0]), np.array([[1.0], [0.0]]), np.ones(2))[0]
        == 0.5
    )


@pytest.mark.parametrize("gamma", [0.499, 0.1, 0.01])
def test_perfect_unit_scores_match_simulation(gamma):
    rng = np.random.default_rng(int(1000 * gamma))
    c = (rng.random(200_000) < gamma).astype(np.float32)[:, None]
    keys = ["iou", "f1", "cosine", "accuracy", "balanced_accuracy", "inverse_balanced_accuracy"]
    keys += ["pearson", "phi", "mad", "auprc", "p_concept_given_active", "p_active_given_concept"]
    for position, change in ((1, missing_labels), (2, extra_labels)):
        changed = change(c, rng=rng)
        found = scores(c[:, 0], changed[:, 0], keys=keys, threshold=0.5)
        for key in keys:
            assert found[key] == pytest.approx(perfect_unit_scores(key, gamma)[position], abs=0.02)


def test_self_check_flags_the_metrics_the_closed_forms_flag():
    rng = np.random.default_rng(5)
    c = rng.random((4000, 3)) < [0.1, 0.2, 0.3]
    acts = 3.0 * c + 0.3 * rng.normal(size=(4000, 3))
    table = metric_self_check(
        probing_set(acts, c), np.arange(3), rng=rng, quantile=None, threshold=1.5
    ).set_index("metric")
    passing = {"pearson", "iou", "f1", "cosine", "auprc", "phi"}
    failing = {"p_concept_given_active", "p_active_given_concept", "auroc", "accuracy"}
    failing |= {"balanced_accuracy", "inverse_balanced_accuracy", "mad"}
    assert set(table.index[table.may_rank]) >= passing
    assert not table.may_rank[list(failing)].any()
    assert {m.key for m in SIMILARITIES if m.ranking} == passing
    assert table.extra["p_concept_given_active"] == 0
    assert table.missing_theory["auroc"] == pytest.approx(3 / len(FREQUENCIES))


def test_degenerate_columns_are_undefined_and_silent():
    f = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 4.0]])
    c = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = similarity(probing_set(f, c), ["pearson", "auroc", "cosine"], quantile=0.5)
    assert np.isnan(found["pearson"][0]).all()
    assert np.isnan(found["pearson"][1, :2]).all() and np.isfinite(found["pearson"][1, 2])
    assert np.isnan(found["auroc"][1, :2]).all()


def test_bad_input_is_named():
    good = np.zeros((4, 1))
    with pytest.raises(ValueError, match="unit 'unit0' has NaN"):
        similarity(probing_set(np.array([[np.nan], [0], [0], [1]]), good))
    with pytest.raises(ValueError, match="concept 'concept0' has values outside"):
        probing_set(good, good - 1)
    with pytest.raises(ValueError, match="spans two strata"):
        probing_set(good, good, groups=[0, 0, 1, 1], strata=["a", "b", "a", "a"])
    with pytest.raises(ValueError, match="acts have shape"):
        probing_set(np.zeros(4), good)
    with pytest.raises(ValueError, match="unknown similarity metric"):
        get_similarity("kappa")
    with pytest.raises(ValueError, match="needs 0/1 concepts"):
        similarity(probing_set(good, good + 0.5), ["auprc"])


@pytest.mark.parametrize(
    "name, meant",
    [
        ("recall", ["p_concept_given_active", "p_active_given_concept"]),
        ("precision", ["p_concept_given_active", "p_active_given_concept"]),
        ("AUC", ["balanced_accuracy", "auroc"]),
        ("mcc", ["phi"]),
        ("correlation", ["pearson"]),
        ("Jaccard", ["iou"]),
    ],
)
def test_names_of_other_papers_are_translated_not_guessed(name, meant):
    with pytest.raises(ValueError, match=f"{name!r} is another name") as found:
        get_similarity(name)
    text = str(found.value)
    assert {key for key in ALL if f" {key} (" in text} == set(meant)


def test_recall_and_precision_mean_opposite_things_in_two_communities(sample):
    """NeuronEval takes the unit as the truth, scikit-learn's users the concept."""
    f, c, w = sample
    got, on = scores(f, c, w), f > 0
    neuron_eval_recall = sklearn.recall_score(on, c, sample_weight=w)
    invert_recall = sklearn.recall_score(c, on, sample_weight=w)
    assert got["p_concept_given_active"] == pytest.approx(neuron_eval_recall, abs=1e-6)
    assert got["p_active_given_concept"] == pytest.approx(invert_recall, abs=1e-6)
    table = similarity_table().set_index("metric")["also called"]
    assert "recall (NeuronEval)" in table["p_concept_given_active"]
    assert "recall (INVERT, sklearn)" in table["p_active_given_concept"]
    assert len(table) == len(ALL) == 16


def test_inputs_are_never_modified_and_tensors_are_accepted(tmp_path):
    import torch

    rng = np.random.default_rng(0)
    acts = rng.normal(size=(50, 3)).astype(np.float32)
    concepts = (rng.random((50, 2)) < 0.5).astype(np.float32)
    before = acts.copy(), concepts.copy()
    stored = np.memmap(tmp_path / "acts", dtype=np.float32, mode="w+", shape=acts.shape)
    stored[:] = acts
    expected = similarity(probing_set(acts, concepts), ALL)
    for other in (torch.from_numpy(acts), stored):
        got = similarity(probing_set(other, concepts), ALL)
        for key in ALL:
            np.testing.assert_array_equal(got[key], expected[key])
    np.testing.assert_array_equal(acts, before[0])
    np.testing.assert_array_equal(concepts, before[1])


def test_take_samples_renumbers_clusters():
    data = probing_set(np.arange(6.0)[:, None], np.ones((6, 1)), groups=list("aabbcc"))
    part = take_samples(data, np.array([4, 5]))
    assert part.n_groups == 1 and part.groups.tolist() == [0, 0]
