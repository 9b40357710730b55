"""Statistical tests of circuits: known answers, exact sizes, and what each can and cannot see."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from circuitvar.circuits.evaluate.against_random import (
    minimality_test,
    partial_necessity_test,
    squared_error,
    sufficiency_test,
)
from circuitvar.circuits.evaluate.compare import circuit_nodes, compare
from circuitvar.circuits.evaluate.equivalence import (
    count_wins,
    equivalence_test,
    non_equivalence_p,
    tost,
    tost_p,
)
from circuitvar.circuits.evaluate.hypothesis import lowest_rejected_count, share_interval
from circuitvar.circuits.evaluate.independence import hsic, independence_test
from circuitvar.circuits.evaluate.null_circuits import (
    null_circuits,
    random_connected,
    random_edges,
    random_in_strata,
    random_path,
)
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.multiplicity import holm
from circuitvar.circuits.overlap import chance_jaccard, edge_strata, stratified_chance
from circuitvar.circuits.prune import prune_masks
from tests.shape_check import wrong_shapes

GRAPH = Graph(n_layers=3, n_heads=4)
TOY = Graph(n_layers=2, n_heads=2)


@pytest.mark.parametrize(("wins", "p"), [(130, 0.0843978), (120, 0.5306622)])
def test_equivalence_p_of_the_reference_counts(wins, p):
    assert non_equivalence_p(wins, 200, 0.1) == pytest.approx(p, abs=5e-8)


def test_equivalence_p_equals_the_sum_over_all_counts_at_least_as_far():
    for n, wins in [(7, 5), (10, 2), (31, 15.5), (200, 120), (200, 99)]:
        k = np.arange(n + 1)
        far = np.abs(k / n - 0.5) >= abs(wins / n - 0.5) - 1e-12
        expected = binom.pmf(k[far], n, 0.6).sum()
        assert non_equivalence_p(wins, n, 0.1) == pytest.approx(expected, abs=1e-12)


def test_equivalence_size_at_the_boundary_and_power_as_tabulated():
    rejected = [k for k in range(201) if non_equivalence_p(k, 200, 0.1) <= 0.05]
    size = binom.pmf(rejected, 200, 0.6).sum()
    assert 0.03 <= size <= 0.05
    powers = [binom.pmf(rejected, 200, p).sum() for p in (0.65, 0.70, 0.75)]
    np.testing.assert_allclose(powers, [0.42, 0.90, 0.998], atol=0.01)
    scores = np.random.default_rng(0).normal(size=(2, 200))
    result = equivalence_test(*scores, alternative=0.7)
    assert result.power == pytest.approx(powers[1], abs=1e-12)


def test_a_circuit_identical_to_the_model_is_equivalent_and_a_constant_gap_is_not():
    full = np.random.default_rng(1).normal(size=200)
    same = equivalence_test(full, full)
    assert not same.rejected
    assert "200 of 200 examples tied" in same.note
    assert tost(full, full).rejected
    assert equivalence_test(full + 0.5, full).rejected
    assert equivalence_test(full - 0.5, full).rejected
    assert not tost(full + 0.5, full).rejected


def test_rounding_is_neither_a_win_nor_a_signal():
    rng = np.random.default_rng(0)
    full = rng.normal(size=100)
    assert not equivalence_test(full + 1e-7 * (1 + full**2), full).rejected
    leftover = 3.0 + 1e-7 * full
    result = independence_test(leftover, full, rng=rng, permutations=99)
    assert result.p == 1.0
    assert "constant" in result.note


def test_equivalence_works_above_a_thousand_examples():
    full = np.random.default_rng(1).normal(size=3000)
    noise = np.random.default_rng(2).normal(size=3000)
    assert not equivalence_test(full + noise, full).rejected
    assert tost(full + noise, full).rejected


def test_tost_reference_value_and_its_interval_lies_inside_the_margin_when_it_rejects():
    assert tost_p(100, 200, 0.1) == pytest.approx(0.0026, abs=5e-5)
    full = np.zeros(200)
    for wins in range(60, 141, 5):
        scores = np.where(np.arange(200) < wins, 1.0, -1.0)
        result = tost(scores, full)
        inside = result.low >= 0.4 and result.high <= 0.6
        assert result.rejected == inside


def test_a_non_rejection_prints_its_power():
    full = np.zeros(50)
    scores = np.where(np.arange(50) < 28, 1.0, -1.0)
    text = equivalence_test(scores, full).reading
    assert "not rejected" in text
    assert "power" in text
    assert "win share of 0.7" in text


def test_scores_must_match_and_be_numbers():
    with wrong_shapes(), pytest.raises(ValueError, match=r"got shapes \(3,\) and \(2,\)"):
        count_wins(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="score of example 1 is NaN"):
        count_wins(np.array([0.0, np.nan]), np.zeros(2))
    with pytest.raises(ValueError, match="epsilon must be between 0 and 1/2"):
        equivalence_test(np.zeros(3), np.zeros(3), epsilon=0.6)


def test_share_interval_contains_exactly_the_shares_a_two_sided_test_keeps():
    low, high = share_interval(13, 20)
    assert binom.sf(12, 20, low) == pytest.approx(0.025)
    assert binom.cdf(13, 20, high) == pytest.approx(0.025)
    assert share_interval(0, 9)[0] == 0.0
    assert share_interval(9, 9)[1] == 1.0
    assert share_interval(4.5, 9)[0] == share_interval(4, 9)[0]


def test_hsic_reference_value_and_invariance_to_shift_scale_and_order():
    x = np.arange(1.0, 7.0)
    assert hsic(x, x) == pytest.approx(0.1238656, abs=5e-8)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    order = rng.permutation(40)
    assert hsic(x[order], y[order]) == pytest.approx(hsic(x, y))
    assert hsic(3 * x - 2, -5 * y + 1) == pytest.approx(hsic(x, y))


def test_independence_is_rejected_for_dependent_scores_and_has_the_right_size():
    rng = np.random.default_rng(4)
    x = rng.normal(size=80)
    dependent = independence_test(x, x**2, rng=rng, permutations=200)
    assert dependent.rejected
    assert dependent.p == pytest.approx(1 / 201)
    ps = [
        independence_test(*rng.normal(size=(2, 30)), rng=rng, permutations=79, power_draws=1).p
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(np.array(ps) <= 0.05) <= 0.11


def test_independence_of_a_constant_score_is_never_rejected():
    rng = np.random.default_rng(0)
    result = independence_test(np.ones(20), rng.normal(size=20), rng=rng, permutations=50)
    assert result.p == 1.0
    assert result.power == 0.0
    assert "constant" in result.note


def test_power_of_independence_grows_with_the_alternative():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    weak = independence_test(x, y, rng=rng, permutations=200, alternative=0.1)
    strong = independence_test(x, y, rng=rng, permutations=200, alternative=0.8)
    assert weak.power < 0.5 < 0.9 < strong.power


def test_large_samples_are_cut_for_hsic_and_it_is_said():
    rng = np.random.default_rng(0)
    result = independence_test(*rng.normal(size=(2, 600)), rng=rng, permutations=19, power_draws=2)
    assert result.n == 500
    assert "500 of 600 examples drawn at random" in result.note
    with pytest.raises(ValueError, match=r"9 permutations cannot give p <= 0.05; use at least 19"):
        independence_test(*rng.normal(size=(2, 20)), rng=rng, permutations=9)


def test_sufficiency_needs_96_of_100_and_916_of_1000():
    assert lowest_rejected_count(100, 0.9, 0.05) == 96
    assert lowest_rejected_count(1000, 0.9, 0.05) == 916
    far = np.ones(100)
    far[:4] = 0.0
    assert sufficiency_test(0.5, far).rejected
    far[4] = 0.0
    result = sufficiency_test(0.5, far)
    assert not result.rejected
    assert result.power == pytest.approx(binom.sf(95, 100, 0.99))
    assert partial_necessity_test(2.0, np.ones(100)).rejected
    assert not partial_necessity_test(1.0, np.ones(100)).rejected


def test_too_few_random_circuits_cannot_reject_and_the_note_says_so():
    result = sufficiency_test(0.0, np.ones(20))
    assert not result.rejected
    assert result.power == 0.0
    assert "draw more random circuits" in result.note


def test_holm_by_hand_and_minimality_flags_only_the_redundant_edge():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    rng = np.random.default_rng(0)
    effects = np.array([5.0, 0.0, 4.0])
    frame = minimality_test(effects, rng.random(100), names=("a", "b", "c"))
    assert list(frame["edge"][frame["redundant"]]) == ["b"]
    assert (frame["power"] > 0.99).all()
    with wrong_shapes(), pytest.raises(ValueError, match="with 3 edges and at least one draw"):
        minimality_test(effects, np.ones((2, 5)))


def test_minimality_controls_the_family_wise_error_at_the_boundary():
    rng = np.random.default_rng(7)
    errors = 0
    for _ in range(200):
        random_effects = rng.random((30, 100))
        # Each edge's effect is the .9 quantile of random effects: the null holds with equality.
        errors += minimality_test(np.full(30, 0.9), random_effects)["redundant"].any()
    assert errors / 200 <= 0.09


def test_random_families_have_the_promised_sizes_and_structure():
    rng = np.random.default_rng(0)
    kept = random_connected(GRAPH, 40, 1, rng=rng)[0]
    assert (random_edges(GRAPH, 40, 10, rng=rng).sum(axis=1) == 40).all()
    strata = edge_strata(GRAPH)
    expected = np.bincount(strata[kept], minlength=strata.max() + 1)
    for mask in random_in_strata(GRAPH, kept, 10, rng=rng):
        np.testing.assert_array_equal(
            np.bincount(strata[mask], minlength=strata.max() + 1), expected
        )
    for family in ("edges", "strata", "connected"):
        assert (null_circuits(GRAPH, kept, 3, family=family, rng=rng).sum(axis=1) == 40).all()
    with pytest.raises(ValueError, match="unknown null family 'x'"):
        null_circuits(GRAPH, kept, 3, family="x", rng=rng)


@pytest.mark.parametrize("graph", [TOY, Graph(2, 4, n_kv_heads=2), Graph(2, 2, has_mlp=False)])
def test_random_connected_circuits_lose_nothing_to_pruning_at_any_size(graph):
    rng = np.random.default_rng(0)
    for size in range(1, graph.n_edges + 1):
        masks = random_connected(graph, size, 3, rng=rng)
        assert (masks.sum(axis=1) == size).all()
        np.testing.assert_array_equal(prune_masks(graph, masks), masks)


def test_a_random_path_runs_from_the_logits_to_the_input():
    rng = np.random.default_rng(0)
    for _ in range(20):
        edges = [GRAPH.edges[i] for i in random_path(GRAPH, rng=rng)]
        assert edges[0].dst.name == "logits"
        assert edges[-1].src.name == "input"
        for later, earlier in itertools.pairwise(edges):
            assert earlier.dst.name.split("<")[0] == later.src.name


def test_overlap_of_the_reference_sets():
    a = np.zeros(TOY.n_edges, bool)
    a[[1, 2, 3]] = True
    b = np.zeros(TOY.n_edges, bool)
    b[[2, 3, 4]] = True
    result = compare(TOY, a, b)
    assert (result.edges_shared, result.edge_jaccard) == (2, 0.5)
    assert result.chance_jaccard == chance_jaccard(3, 3, TOY.n_edges)
    assert result.edge_coefficient == pytest.approx(2 / 3)


def test_stratified_p_equals_simulation_and_is_one_for_disjoint_strata():
    rng = np.random.default_rng(0)
    a = random_connected(GRAPH, 60, 1, rng=rng)[0]
    b = random_connected(GRAPH, 60, 1, rng=rng)[0]
    exact = stratified_chance(a, b, edge_strata(GRAPH))[1]
    draws = random_in_strata(GRAPH, b, 1500, rng=rng)
    simulated = ((draws & a).sum(axis=1) >= (a & b).sum()).mean()
    assert exact == pytest.approx(simulated, abs=0.05)
    empty = np.zeros(GRAPH.n_edges, bool)
    assert stratified_chance(empty, b, edge_strata(GRAPH))[1] == 1.0
    assert np.isnan(compare(GRAPH, empty, empty).edge_jaccard)


def test_nodes_of_a_circuit_and_overlap_at_matched_size():
    kept = np.isin(TOY.edge_names, ["input->a0.h1<k>", "a0.h1->m1", "m1->logits"])
    names = {TOY.sources[i].name for i in np.flatnonzero(circuit_nodes(TOY, kept))}
    assert names == {"input", "a0.h1", "m1"}
    scores = np.where(kept, 2.0, 0.0)
    assert compare(TOY, kept, top_n_masks(scores[None], 3)[0]).edge_jaccard == 1.0


def test_squared_error_is_the_mean_over_examples():
    scores = np.array([[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(squared_error(scores, np.array([1.0, 0.0])), [2.0, 0.5])


def test_holm_agrees_with_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).uniform(size=30) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
