"""Standard errors over clusters of unequal size: known answers, and the truth they estimate."""

import numpy as np
import pytest
from scipy import stats

from circuitvar.audit.edges.edge_summary import cluster_df, edge_summary
from circuitvar.audit.edges.edge_tests import max_t, t_test

STRONG = np.array([60, 40, 20, 10, 10, 5, 5, 5, 5, 3, 3, 2])
UNEQUAL = np.array([30, 10] * 6)


def _scores(rng, sizes, edges, *, between=1.0, within=0.5):
    label = np.repeat(np.arange(len(sizes)), sizes)
    scores = between * rng.normal(size=(len(sizes), edges))[label]
    return scores + within * rng.normal(size=(len(label), edges)), label


def test_two_and_one_by_hand():
    # w = (2/3, 1/3), both w (m_t - mean) are 2/9 (m_1 - m_2), so V = 8/81 (m_1 - m_2)² with
    # expectation 16/81, and the mean has the variance 5/9.
    kappa, df = cluster_df(np.array([2, 1]))
    assert (kappa, df) == (pytest.approx((5 / 9) / (16 / 81)), pytest.approx(1.0))
    summary = edge_summary(np.array([[4.0], [6.0], [2.0]]), clusters=["a", "a", "b"])
    assert summary.se[0] ** 2 == pytest.approx(45 / 16 * 8 / 81 * (5 - 2) ** 2)
    assert summary.df == df


@pytest.mark.parametrize("sizes", [[1, 2, 3], [4, 4, 9, 1], list(STRONG), [500, 1, 1]])
def test_factor_and_df_are_traces_of_the_quadratic_form(sizes):
    w = np.array(sizes) / np.sum(sizes)
    centre = np.eye(len(w)) - np.outer(np.ones(len(w)), w)
    form = centre.T @ np.diag(w**2) @ centre
    kappa, df = cluster_df(np.array(sizes))
    assert kappa == pytest.approx((w @ w) / np.trace(form))
    assert df == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))
    assert kappa >= 1 / (1 - w @ w) and 1 <= df + 1e-12 < len(w)


@pytest.mark.parametrize("size", [1, 5])
def test_equal_clusters_have_all_their_degrees_of_freedom(size):
    sizes = np.full(12, size)
    assert cluster_df(sizes) == (12 / 11, 11.0)
    scores, label = _scores(np.random.default_rng(0), sizes, 30)
    summary = edge_summary(scores, clusters=label)
    means = np.stack([scores[label == t].mean(axis=0) for t in range(12)])
    np.testing.assert_allclose(summary.se, stats.sem(means, axis=0), rtol=1e-12)
    np.testing.assert_allclose(t_test(summary), stats.ttest_1samp(means, 0.0).pvalue, rtol=1e-10)


def test_without_clusters_df_is_examples_minus_one():
    summary = edge_summary(np.random.default_rng(0).normal(size=(9, 3)))
    assert (summary.df, summary.units) == (8.0, 9)


def test_one_cluster_has_no_standard_error_and_no_degrees_of_freedom():
    scores = np.random.default_rng(0).normal(size=(6, 3))
    summary = edge_summary(scores, clusters=["a"] * 6)
    assert summary.df == 0 and np.isnan(summary.se).all()
    assert np.isnan(t_test(summary)).all()
    options = {"rng": np.random.default_rng(0), "clusters": ["a"] * 6, "replicates": 9}
    assert np.isnan(max_t(scores, summary, **options).single_step).all()


@pytest.mark.parametrize("sizes", [UNEQUAL, STRONG])
def test_squared_standard_error_is_unbiased_with_the_stated_degrees_of_freedom(sizes):
    scores, label = _scores(np.random.default_rng(0), sizes, 20_000, within=0.0)
    summary = edge_summary(scores, clusters=label)
    square, w = summary.se**2, sizes / sizes.sum()
    assert square.mean() == pytest.approx(w @ w, rel=0.03)
    assert 2 * square.mean() ** 2 / square.var() == pytest.approx(summary.df, rel=0.06)


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.5), (0.2, 2.0)])
@pytest.mark.parametrize(("sizes", "least"), [(UNEQUAL, 0.03), (STRONG, 0.0)])
def test_t_test_holds_its_size_with_unequal_clusters(sizes, least, between, within):
    rng = np.random.default_rng(1)
    scores, label = _scores(rng, sizes, 10_000, between=between, within=within)
    rejected = (t_test(edge_summary(scores, clusters=label)) < 0.05).mean()
    assert least <= rejected <= 0.055
