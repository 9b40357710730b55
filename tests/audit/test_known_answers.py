"""Known answers of the literature and of exact arithmetic, each to 1e-6; others stand beside their
statistic (phi and its variance, rank-biased overlap, confidence sequence, HSIC, tail bounds)."""

from math import comb

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import binom, norm

from circuitvar.audit.edges.certificates import certify
from circuitvar.audit.edges.edge_summary import mean_se
from circuitvar.audit.edges.stability_selection import worst_case
from circuitvar.audit.indices import rank
from circuitvar.audit.variance.variance_components import design_effect, nested, within_between
from circuitvar.circuits import overlap as si
from circuitvar.circuits.evaluate.equivalence import equivalence_test, non_equivalence_p, tost_p
from circuitvar.circuits.evaluate.hypothesis import lowest_rejected_count
from circuitvar.circuits.evaluate.independence import hsic
from circuitvar.circuits.graph import Graph

EXACT = 1e-6


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (si.jaccard(3, 3, 2), 1 / 2),
        (si.kuncheva(3, 3, 2, 10), 11 / 21),
        (si.chance_jaccard(3, 3, 10), 241 / 1200),
        (si.overlap_p_value(3, 3, 2, 10), 11 / 60),
        (si.jaccard(10, 28, 3), 3 / 35),
        (si.jaccard(10, 28, 10), 10 / 28),
        (si.jaccard(5, 21, 5), 5 / 21),
    ],
)
def test_indices_of_two_sets(found, expected):
    assert float(found) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize(
    ("n", "k", "digits"),
    [
        (32491, 5, "0.0001"), (32491, 21, "0.0003"), (32491, 100, "0.0015"),
        (32491, 500, "0.0078"), (32491, 1000, "0.0156"), (32491, 3000, "0.0484"),
        (32491, 10000, "0.1819"), (32491, 16000, "0.3267"), (32491, 30000, "0.8576"),
        (386713, 10, "0.0000"), (144, 26, "0.1008"), (144, 15, "0.0566"),
    ],
)  # fmt: skip
def test_chance_jaccard_is_the_hypergeometric_mean(n, k, digits):
    def log_comb(a, b):
        return gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1)

    o = np.arange(max(0, 2 * k - n), k + 1)
    chance = np.exp(log_comb(k, o) + log_comb(n - k, k - o) - log_comb(n, k))
    slow = (chance * o / (2 * k - o)).sum()
    assert si.chance_jaccard(k, k, n) == pytest.approx(slow, abs=EXACT)
    assert f"{si.chance_jaccard(k, k, n):.4f}" == digits


@pytest.mark.parametrize("k", [5, 26, 1000])
def test_swapping_m_of_k_edges(k):
    m = np.arange(k + 1)
    np.testing.assert_allclose(si.jaccard(k, k, k - m), (k - m) / (k + m), atol=EXACT)


@pytest.mark.parametrize(("layers", "heads", "edges"), [(12, 12, 32491), (16, 32, 386713)])
def test_edges_of_a_graph(layers, heads, edges):
    before = [1 + (heads + 1) * layer for layer in range(layers + 1)]
    closed = sum(3 * heads * s + s + heads for s in before[:-1]) + before[-1]
    assert closed == edges
    if layers == 12:
        assert Graph(n_layers=layers, n_heads=heads).n_edges == edges


def test_top_k_lists():
    order = np.array([1.0, 2.0, 3.0])
    assert rank.kendall_distance("abc", "cba") == pytest.approx(1 / 4, abs=EXACT)
    assert rank.footrule_distance("abc", "cba") == pytest.approx(1 / 3, abs=EXACT)
    swapped = rank.rbo(np.array([3.0, 2, 1]), np.array([3.0, 1, 2]), p=0.9)
    assert swapped == pytest.approx(0.955, abs=EXACT)
    assert rank.rbo(order, order, p=0.9) == pytest.approx(1, abs=EXACT)


def test_standard_errors_of_other_designs():
    se = [float(mean_se(0.5, 1, 2, sizes=(t, p, 2))) for t, p in ((12, 100), (48, 10))]
    np.testing.assert_allclose(np.square(se), [0.0433333333, 0.0145833333], atol=EXACT)
    assert [f"{value:.3f}" for value in se] == ["0.208", "0.121"]


def test_design_effect_of_equal_templates():
    """1 + (P - 1) ICC for T templates of P prompts, with components in place of estimates."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12, 1, 3)) + rng.normal(size=(12, 10, 3))
    found, c_between, c_within = within_between(y.reshape(120, 3), np.repeat(np.arange(12), 10))
    np.testing.assert_allclose(found.values, nested(y[:, :, None]).values, atol=EXACT)
    between, within = found.values
    expected = 1 + 9 * between / (between + within)
    np.testing.assert_allclose(design_effect(found, c_between, c_within), expected, atol=EXACT)


def test_tests_of_circuits():
    for wins, p in ((130, 0.0843978), (120, 0.5306622)):
        assert non_equivalence_p(wins, 200, 0.1) == pytest.approx(p, abs=EXACT)
    one_side = sum(comb(200, k) * 0.4**k * 0.6 ** (200 - k) for k in range(100, 201))
    assert tost_p(100, 200, 0.1) == pytest.approx(one_side, abs=EXACT)
    assert f"{tost_p(100, 200, 0.1):.4f}" == "0.0026"
    rule = [k for k in range(201) if non_equivalence_p(k, 200, 0.1) <= 0.05]
    scores = np.random.default_rng(0).normal(size=(2, 200))
    for share, digits in ((0.65, 0.42), (0.7, 0.90), (0.75, 0.998)):
        power = equivalence_test(*scores, alternative=share).power
        assert power == pytest.approx(binom.pmf(rule, 200, share).sum(), abs=EXACT)
        assert power == pytest.approx(digits, abs=0.01)
    assert [lowest_rejected_count(n, 0.9, 0.05) for n in (100, 1000)] == [96, 916]
    assert hsic(np.arange(1.0, 7), np.arange(1.0, 7)) == pytest.approx(0.1238656, abs=EXACT)


@pytest.mark.parametrize(("p_delete", "radius"), [(0.5, 0), (0.8, 3), (0.9, 6), (0.99, 68)])
def test_radius_of_a_certificate(p_delete, radius):
    found = certify(np.array([1000]), 1000, p_delete=p_delete, simultaneous=False)
    lowest = 0.05 ** (1 / 1000)
    assert found.radius[0] == radius == int(np.log(1.5 - lowest) / np.log(p_delete))
    assert int(np.log(1.5 - 0.95) / np.log(0.6)) == 1


def test_tail_bound_and_bootstrap_inflation():
    assert worst_case(0.9, 1000, 32491) == pytest.approx(1000**2 / (0.8 * 32491), abs=EXACT)
    assert 2 * norm.sf(1.96 / np.sqrt(2)) == pytest.approx(0.1658, abs=5e-5)
