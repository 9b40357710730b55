from importlib import import_module

import numpy as np
import pytest
from scipy import stats

from circuitvar.audit.edges import edge_tests as et
from circuitvar.audit.edges.edge_tests import bonferroni, inner_outer
from circuitvar.audit.indices import classify
from circuitvar.circuits.intervals import clopper_pearson
from circuitvar.circuits.multiplicity import false_discovery
from circuitvar.tasks.units import sampling_units
from tests.audit.toy_scores import planted

es = import_module("circuitvar.audit.edges.edge_summary")


def test_summary_equals_numpy():
    scores = np.random.default_rng(0).normal(size=(20, 7))
    s = es.edge_summary(scores, columns_at_once=3)
    np.testing.assert_allclose(s.mean, scores.mean(axis=0))
    np.testing.assert_allclose(s.sd, scores.std(axis=0, ddof=1))
    np.testing.assert_allclose(s.se, stats.sem(scores, axis=0))
    np.testing.assert_allclose(s.snr, np.abs(s.mean) / s.se)
    same = (np.sign(scores) == np.sign(scores.mean(axis=0))).mean(axis=0)
    np.testing.assert_allclose(s.sign_consistency, same)
    p = [stats.binomtest(round(x * 20), 20).pvalue for x in same]
    np.testing.assert_allclose(es.sign_test(s), p, atol=1e-12)


def test_cluster_se_of_equal_clusters_is_the_se_of_cluster_means():
    scores, label = planted(np.random.default_rng(0), n=40, templates=8)
    means = np.stack([scores[label == t].mean(axis=0) for t in range(8)])
    clustered = es.edge_summary(scores, clusters=label)
    np.testing.assert_allclose(clustered.se, stats.sem(means, axis=0))
    assert clustered.units == 8
    assert clustered.se.mean() > 1.3 * es.edge_summary(scores).se.mean()


def test_degenerate_summaries():
    assert np.isnan(es.edge_summary(np.ones((1, 2))).se).all()
    assert np.isnan(es.edge_summary(np.ones((3, 2)), clusters=["a"] * 3).se).all()
    constant = es.edge_summary(np.array([[0.0, 2.0]] * 3))
    np.testing.assert_array_equal(constant.snr, [np.nan, np.inf])
    np.testing.assert_array_equal(es.edge_summary(np.array([[1.0], [-1.0], [0.1]])).cv, [np.nan])


def _slow_max_t(scores, summary, signs):
    """Step-down p and critical value, one flipped data set at a time, with real t statistics."""
    t = np.abs(summary.mean) / summary.se
    star = np.stack([np.abs(stats.ttest_1samp(e[:, None] * scores, 0).statistic) for e in signs])
    centred = scores - summary.mean
    top = [np.abs(stats.ttest_1samp(e[:, None] * centred, 0).statistic).max() for e in signs]
    order = np.argsort(-t, kind="stable")
    p, running = np.empty(len(t)), 0.0
    for j, e in enumerate(order):
        exceed = (star[:, order[j:]].max(axis=1) >= t[e]).sum()
        running = max(running, (1 + exceed) / (len(star) + 1))
        p[e] = running
    return p, np.quantile(top, 0.95, method="higher")


@pytest.mark.parametrize("chunk", [99, 500])
def test_max_t_equals_the_slow_step_down(chunk):
    scores = planted(np.random.default_rng(0), n=12, edges=15, gap=0.9)
    summary = es.edge_summary(scores)
    found = et.max_t(scores, summary, rng=np.random.default_rng(5), replicates=99, chunk=chunk)
    signs = np.random.default_rng(5).choice(np.array([-1, 1], dtype=np.float32), (99, 12))
    step_down, critical = _slow_max_t(scores, summary, signs)
    np.testing.assert_allclose(found.step_down, step_down)
    assert found.critical == pytest.approx(critical, rel=1e-4)
    assert (found.step_down <= found.single_step + 1e-12).all()


def test_max_t_over_clusters_is_max_t_over_their_means():
    scores, label = planted(np.random.default_rng(0), n=60, edges=15, gap=0.9, templates=12)
    means = np.stack([scores[label == t].mean(axis=0) for t in range(12)])
    by_cluster, by_mean = (
        et.max_t(s, es.edge_summary(s, clusters=c), rng=np.random.default_rng(1), clusters=c)
        for s, c in ((scores, label), (means, None))
    )
    np.testing.assert_allclose(by_cluster.step_down, by_mean.step_down)
    assert by_cluster.critical == pytest.approx(by_mean.critical, rel=1e-4)


def _unequal(rng, sizes, edges, *, mean=0.0):
    label = np.repeat(np.arange(len(sizes)), sizes)
    scores = mean + rng.normal(size=(len(sizes), edges))[label]
    return scores + 0.5 * rng.normal(size=(len(label), edges)), label


@pytest.mark.parametrize(("number", "least"), [(12, 0.0), (12, 0.3), (8, 0.0)])
def test_max_t_over_unequal_clusters_equals_the_slow_flips(number, least):
    sizes = [9, 3, 5, 1, 4, 2, 6, 7, 3, 3, 8, 2][:number]
    scores, label = _unequal(np.random.default_rng(0), sizes, 15, mean=0.6)
    summary = es.edge_summary(scores, clusters=label)
    options = {"clusters": label, "replicates": 99, "minimum_effect": least}
    found = et.max_t(scores, summary, rng=np.random.default_rng(5), **options)
    signs = np.random.default_rng(5).choice(np.array([-1, 1], dtype=np.float32), (99, number))
    means = np.stack([scores[label == t].mean(axis=0) for t in range(number)])
    around = means - means.mean(axis=0)
    top = [np.abs(stats.ttest_1samp(e[:, None] * around, 0).statistic).max() for e in signs]
    tail = stats.t.sf(np.quantile(top, 0.95, method="higher"), number - 1)
    if number < 10:  # Bonferroni is the least
        tail = min(tail, 0.05 / 15 / 2)
    assert found.critical == pytest.approx(stats.t.isf(tail, summary.df), rel=1e-3)
    shifted = scores - least * np.sign(summary.mean)
    totals = np.stack([shifted[label == t].sum(axis=0) for t in range(number)])
    t = np.abs(stats.ttest_1samp(totals, 0).statistic) * (np.abs(summary.mean) > least)
    star = [np.abs(stats.ttest_1samp(e[:, None] * totals, 0).statistic).max() for e in signs]
    single = [(1 + (np.array(star) >= value).sum()) / 100 for value in t]
    np.testing.assert_allclose(found.single_step, single)
    assert (found.step_down <= found.single_step + 1e-12).all()


@pytest.mark.parametrize("mean", [0.0, 5.0])
@pytest.mark.parametrize("sizes", [[30, 10] * 6, [60, 40, 20, 10, 10, 5, 5, 5, 5, 3, 3, 2]])
def test_band_covers_all_edges_with_unequal_clusters(sizes, mean):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        scores, label = _unequal(rng, sizes, 50, mean=mean)
        summary = es.edge_summary(scores, clusters=label)
        found = et.max_t(scores, summary, rng=rng, clusters=label, replicates=99)
        covered += bool((np.abs(summary.mean - mean) <= found.critical * summary.se).all())
    assert covered >= 55


def test_band_of_many_edges_over_five_unequal_clusters():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        scores, label = _unequal(rng, [12, 10, 10, 10, 10], 1000)
        summary = es.edge_summary(scores, clusters=label)
        found = et.max_t(scores, summary, rng=rng, clusters=label, replicates=19)
        covered += bool((np.abs(summary.mean) <= found.critical * summary.se).all())
    assert covered >= 54


def test_max_t_size_with_unequal_clusters():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        scores, label = _unequal(rng, [30, 10] * 6, 50)
        summary = es.edge_summary(scores, clusters=label)
        found = et.max_t(scores, summary, rng=rng, clusters=label, replicates=99)
        wrong += bool(found.rejected.any())
    assert wrong <= 11


def test_max_t_size_with_few_units():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        scores = rng.normal(size=(12, 60))
        found = et.max_t(scores, es.edge_summary(scores), rng=rng, replicates=99)
        wrong += bool(found.rejected.any())
    assert wrong <= 10


def test_max_t_ignores_constant_edges():
    rng = np.random.default_rng(0)
    scores = planted(rng, n=30, edges=10, gap=5.0)
    scores[:, 4] = 1.0
    found = et.max_t(scores, es.edge_summary(scores), rng=rng, replicates=50)
    assert np.isnan(found.step_down[4])
    assert np.isfinite(np.delete(found.step_down, 4)).all()
    constant = np.ones((5, 3))
    nothing = et.max_t(constant, es.edge_summary(constant), rng=rng, replicates=20)
    assert np.isnan(nothing.single_step).all()


def test_minimum_effect_rejects_less():
    rng = np.random.default_rng(0)
    scores = planted(rng, gap=2.0)
    summary = es.edge_summary(scores)
    options = {"rng": rng, "replicates": 199}
    assert et.max_t(scores, summary, **options).rejected[:10].all()
    assert et.max_t(scores, summary, minimum_effect=1.0, **options).rejected[:10].all()
    assert not et.max_t(scores, summary, minimum_effect=1.9, **options).rejected.any()
    p = et.t_test(summary)
    np.testing.assert_allclose(p, stats.ttest_1samp(scores, 0.0).pvalue)
    with pytest.raises(ValueError, match="0 or more"):
        et.t_test(summary, minimum_effect=-1)
    with pytest.raises(ValueError, match="same clusters"):
        et.max_t(scores, es.edge_summary(scores, clusters=np.arange(60) % 6), rng=rng)


def test_false_discovery_keeps_nan():
    p = np.array([0.01, np.nan, 0.04])
    np.testing.assert_allclose(false_discovery(p), [0.02, np.nan, 0.04])
    by = false_discovery(p, dependent=True)
    np.testing.assert_allclose(by, [0.03, np.nan, 0.06])
    assert np.isnan(false_discovery(np.full(2, np.nan))).all()


def test_inner_outer_equals_its_definition():
    rng = np.random.default_rng(0)
    mean, se = rng.normal(size=50), rng.uniform(0.05, 0.3, size=50)
    found = inner_outer(mean, se, size=12, critical=1.5)
    low, high = np.maximum(0, np.abs(mean) - 1.5 * se), np.abs(mean) + 1.5 * se
    inner = [sum(high[f] > low[e] for f in range(50) if f != e) <= 11 for e in range(50)]
    outer = [(low > high[e]).sum() <= 11 for e in range(50)]
    np.testing.assert_array_equal(found.inner, inner)
    np.testing.assert_array_equal(found.outer, outer)
    assert not (found.inner & ~found.outer).any()


def test_inner_outer_degenerate():
    mean = np.array([3.0, 2.0, 1.0])
    exact = inner_outer(mean, np.zeros(3), size=2, critical=3.0)
    assert exact.inner.tolist() == exact.outer.tolist() == [True, True, False]
    everything = inner_outer(mean, np.ones(3), size=3, critical=9.0)
    assert everything.inner.all()
    with pytest.raises(ValueError, match="between 1 and 3"):
        inner_outer(mean, np.ones(3), size=4, critical=1.0)
    with pytest.raises(ValueError, match="at least 2 independent units"):
        inner_outer(mean, np.full(3, np.nan), size=1, critical=1.0)
    assert bonferroni(32491, units=1000) == pytest.approx(4.835, abs=5e-4)


def test_classes_and_binomial_interval():
    assert classify(np.array([0.95, 0.9, 0.5, 0.1, 0.05])).tolist() == [
        "core", "core", "contingent", "contingent", "noise",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"noise=0\.9, core=0\.5"):
        classify(np.ones(1), core=0.5, noise=0.9)
    low, high = clopper_pearson(np.arange(11), 10)
    for k in range(11):
        ci = stats.binomtest(k, 10).proportion_ci()
        np.testing.assert_allclose([low[k], high[k]], [ci.low, ci.high])


def test_five_equal_units_have_too_few_flips_for_many_edges():
    """The flips alone, at most 16 different ones, covered .46 of these."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(60):
        scores = 5 + rng.normal(size=(5, 400))
        summary = es.edge_summary(scores)
        band = et.max_t(scores, summary, rng=rng, replicates=100).critical * summary.se
        covered.append((np.abs(summary.mean - 5) <= band).all())
    assert np.mean(covered) >= 0.9


@pytest.mark.parametrize("templates", [4, 6])
def test_few_templates_without_effects_have_no_significant_edges(templates):
    """Tests over prompts rejected in every data set: prompts of a template share what it adds."""
    rng, label = np.random.default_rng(0), np.repeat(np.arange(templates), 96 // templates)
    names, rejected = tuple(map(str, label)), []
    for _ in range(40):
        scores = 0.5 * rng.normal(size=(templates, 60))[label] + rng.normal(size=(96, 60))
        unit, kind = sampling_units(96, names)
        assert kind == "template"
        summary = es.edge_summary(scores, clusters=unit)
        rejected.append(et.max_t(scores, summary, rng=rng, clusters=unit).rejected.any())
    assert np.mean(rejected) <= 0.15
