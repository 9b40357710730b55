import numpy as np
import pytest
from scipy.stats import spearmanr

from circuitvar.audit.edges import stability_selection as ss
from circuitvar.audit.indices import rank


def _rbo(first, second, p=0.9):
    order = np.array([second.index(item) for item in first])
    return rank.rbo(np.arange(len(first), 0, -1.0), float(len(first)) - order, p=p)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("abc", "acb", 0.955),
        ("abcde", "edcba", 0.737775),
        ("1234567", "1324576", 0.9451585),
        ("abc", "abc", 1.0),
    ],
)
def test_rbo_known_answers(first, second, expected):
    assert _rbo(first, second) == pytest.approx(expected, abs=1e-9)


def test_rbo_equals_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40))
    r1, r2 = rank.ranks(a), rank.ranks(b)
    for k, p in ((40, 0.9), (12, 0.98)):
        overlap = [len(set(np.flatnonzero(r1 < d)) & set(np.flatnonzero(r2 < d))) for d in
                   range(1, k + 1)]  # fmt: skip
        slow = overlap[-1] / k * p**k + (1 - p) / p * sum(
            x / d * p**d for d, x in enumerate(overlap, start=1)
        )
        assert rank.rbo(a, b, depth=k, p=p) == pytest.approx(slow, abs=1e-12)


def test_rbo_bounds():
    assert rank.rbo(np.array([1.0, 2]), np.array([1.0, 2]), depth=1) == 1.0
    with pytest.raises(ValueError, match="depth is 3"):
        rank.rbo(np.ones(2), np.ones(2), depth=3)
    with pytest.raises(ValueError, match="p is 1"):
        rank.rbo(np.ones(2), np.ones(2), p=1)


def test_ranks_break_ties_by_edge_index():
    assert rank.ranks(np.array([1.0, -2, 2, 1])).tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize(
    ("first", "second", "tau", "footrule"),
    [("abc", "abc", 0, 0), ("abc", "xyz", 1, 1), ("abc", "cba", 0.25, 1 / 3)],
)
def test_fagin_known_answers(first, second, tau, footrule):
    assert rank.kendall_distance(first, second) == pytest.approx(tau)
    assert rank.footrule_distance(first, second) == pytest.approx(footrule)


def test_fagin_errors():
    with pytest.raises(ValueError, match="two top-k lists of one k"):
        rank.kendall_distance("ab", "abc")
    with pytest.raises(ValueError, match="names an edge twice"):
        rank.footrule_distance("aa", "ab")


def test_runs_that_rank_alike_are_not_certain():
    same = np.tile(np.arange(10.0), (4, 1))
    found = rank.mean_spearman_of_runs(same)
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(0.05 ** (2 / 3))


def test_mean_spearman_without_pairs():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6, 30)).round(1)
    pairs = np.array([[spearmanr(a, b)[0] for b in scores] for a in scores])
    mean = (pairs.sum() - 6) / 30
    assert rank.mean_spearman(scores) == pytest.approx(mean, abs=1e-12)
    assert (6 * rank.kendall_w(scores) - 1) / 5 == pytest.approx(mean, abs=1e-12)
    estimate = rank.mean_spearman_of_runs(scores)
    left_out = [rank.mean_spearman(np.delete(scores, i, axis=0)) for i in range(6)]
    assert estimate.se == pytest.approx(np.std(left_out) * np.sqrt(5), rel=1e-9)


def test_rank_agreement_degenerate():
    a = np.arange(5.0)
    assert rank.spearman(a, -a) == pytest.approx(-1)
    assert rank.weighted_tau(a, -a) == pytest.approx(1)
    assert np.isnan(rank.spearman(a, np.ones(5)))
    assert np.isnan(rank.weighted_tau(a, np.ones(5)))
    assert np.isnan(rank.mean_spearman(a[None]))
    assert np.isnan(rank.mean_spearman_of_runs(np.stack([a, a])).low)
    only = np.array([True, True, True, False, False])
    assert rank.spearman(np.array([1.0, 2, 3, 9, 0]), a, only=only) == pytest.approx(1)


@pytest.mark.parametrize(
    ("tau", "worst", "unimodal", "concave"),
    [
        (0.6, 153.9, 81.0, 30.0),
        (0.7, 76.9, 39.5, 11.5),
        (0.8, 51.3, 25.3, 5.15),
        (0.9, 38.5, 13.3, 2.02),
        (1.0, 30.8, 1.21, 0.146),
    ],
)
def test_stability_selection_bounds_at_gpt2_size(tau, worst, unimodal, concave):
    assert ss.worst_case(tau, 1000, 32491) == pytest.approx(worst, rel=2e-3)
    assert ss.unimodal(tau, 1000, 32491) == pytest.approx(unimodal, rel=4e-3)
    if tau in (0.6, 1.0):
        assert ss.r_concave(tau, 1000, 32491) == pytest.approx(concave, rel=4e-3)


def test_r_concave_fixture():
    assert ss.r_concave(0.9, 50, 1000) == pytest.approx(0.17050, abs=5e-6)
    assert ss.r_concave(0.6, 50, 1000) == pytest.approx(2.60533, abs=1e-5)


@pytest.mark.parametrize(
    ("q", "n_edges", "tau", "bound"),
    [(50, 100, 0.9, 5.28), (50, 144, 0.6, 86.8), (75, 100, 0.9, 70.3), (100, 100, 0.9, 100.0)],
)
def test_r_concave_claims_nothing_where_half_or_more_is_kept(q, n_edges, tau, bound):
    assert ss.r_concave(tau, q, n_edges) == pytest.approx(bound, rel=2e-3)


def test_no_bound_lies_above_the_worst_case():
    for q in (1, 10, 40, 57, 80, 100):
        for tau in (0.51, 0.55, 0.6, 0.75, 0.9, 1.0):
            worst = ss.worst_case(tau, q, 100)
            assert 0 < ss.r_concave(tau, q, 100, pairs=20) <= worst
            assert not ss.unimodal(tau, q, 100, pairs=20) > worst


def test_r_concave_dominates_concrete_laws():
    """A discretised geometric law is log-concave, hence r-concave: its tail is under the bound."""
    i = np.arange(11)
    for q in (0.3, 0.6):
        mass = q**i / (q**i).sum()
        bound = ss.r_concave_tail(float(mass @ i) / 10, 0.5, 10, -0.5)
        assert mass[5:].sum() <= bound + 1e-12


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ss.worst_case(0.5, 10, 100), "thresholds in"),
        (lambda: ss.worst_case(0.9, 0, 100), "q is 0"),
        (lambda: ss.r_concave(0.9, 101, 100), "1 to 100 edges"),
        (lambda: ss.unimodal(0.9, 10, 100, pairs=0), "at least 1"),
    ],
)
def test_stability_selection_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_unimodal_bound_is_nan_where_undefined():
    assert np.isnan(ss.unimodal(0.504, 10, 1000, pairs=50))
    assert np.isnan(ss.unimodal(0.9, 900, 1000))


def test_rbo_of_equal_rankings_is_at_most_one():
    for n in (2, 3, 7, 50, 1000):
        assert rank.rbo(np.arange(n, 0.0, -1), np.arange(n, 0.0, -1)) == pytest.approx(1, abs=1e-12)
        assert rank.rbo(np.arange(n, 0.0, -1), np.arange(n, 0.0, -1)) <= 1
