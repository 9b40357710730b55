"""Sampling and estimators against exact counts; capture-recapture and Wilson by closed form."""

import numpy as np
import pytest
from scipy.stats import chi2

from circuitvar.audit.identifiability.count.estimate_valid import (
    estimate_valid,
    valid_by_size,
    wilson,
)
from circuitvar.audit.identifiability.count.list_valid import list_valid
from circuitvar.audit.identifiability.count.sample_valid import (
    edge_marginals,
    pairwise_jaccard,
    sample_valid,
)
from circuitvar.audit.identifiability.count.splitting import split_spaces
from circuitvar.audit.identifiability.nets.question import is_valid, pose
from circuitvar.audit.identifiability.nets.space import all_topologies, draw_topologies, is_topology
from circuitvar.audit.identifiability.nets.types import Criterion
from circuitvar.audit.identifiability.reruns.capture_recapture import chao1
from circuitvar.audit.identifiability.reruns.degeneracy import compare_degeneracy
from circuitvar.audit.identifiability.reruns.rediscover import prune_greedily, remove_dangling
from tests.audit.identifiability.toy_identifiability import GOLDEN, golden_net, redundant_net
from tests.shape_check import wrong_shapes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def uniform_p(drawn: np.ndarray, every: np.ndarray) -> float:
    """p-value of the chi-square test that draws are uniform over the rows of `every`."""
    where = {bytes(row): i for i, row in enumerate(every)}
    counts = np.bincount([where[bytes(row)] for row in drawn], minlength=len(every))
    expected = len(drawn) / len(every)
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(every) - 1))


@pytest.mark.parametrize("widths", [(2, 2, 2, 1), (1, 2, 2, 2, 1), (3, 2, 1)])
def test_topologies_are_drawn_uniformly(widths):
    every = all_topologies(widths)
    drawn = draw_topologies(widths, 40 * len(every), rng=rng(1))
    assert is_topology(drawn, widths).all()
    assert uniform_p(drawn, every) > 1e-3


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_valid_circuits_are_drawn_uniformly(ablation):
    question = pose(golden_net("k3_s0"), "xor", ablation=ablation)
    every = list_valid(question)
    drawn = sample_valid(question, 30 * len(every), rng=rng(2))
    assert uniform_p(drawn, every) > 1e-3


def test_samples_reproduce_exact_marginals_where_listing_is_long():
    question = pose(golden_net("k4_s0"), "xor")
    drawn = sample_valid(question, 4_000, rng=rng(3))
    assert is_valid(question, drawn).all()
    p = edge_marginals(question).inclusion
    z = (drawn.mean(axis=0) - p) / np.sqrt(np.maximum(p * (1 - p), 1e-12) / len(drawn))
    assert np.abs(z[(p > 0) & (p < 1)]).max() < 4.5
    np.testing.assert_array_equal(drawn[:, p == 1], True)


def test_expected_jaccard_equals_the_mean_over_all_pairs():
    question = pose(golden_net("k3_s0"), "xor")
    every = list_valid(question)
    n = len(every)
    # Drawn with replacement: a pair is the same circuit with probability 1/n.
    exact = pairwise_jaccard(every).mean * (n - 1) / n + 1 / n
    drawn = pairwise_jaccard(sample_valid(question, 1_500, rng=rng(4)))
    assert abs(drawn.mean - exact) < 4 * drawn.se


def test_a_unique_circuit_overlaps_with_itself():
    question = pose(redundant_net(1), [0, 1])
    drawn = pairwise_jaccard(sample_valid(question, 5, rng=rng()))
    assert (drawn.mean, drawn.se) == (1.0, 0.0)


@pytest.mark.parametrize(("name", "seed"), [("k4_s0", 0), ("k4_s0", 1), ("k5_s0", 2)])
def test_monte_carlo_covers_the_exact_count(name, seed):
    question = pose(golden_net(name), "xor")
    count = estimate_valid(question, n=40_000, level=0.9999, rng=rng(seed))
    assert count.known == "estimate"
    assert count.low < GOLDEN["nets"][name]["valid_circuits"]["whole_space"] < count.high


def test_monte_carlo_of_the_released_space():
    question = pose(golden_net("k4_s0"), "xor")
    count = estimate_valid(question, n=60_000, level=0.9999, space="node rule", rng=rng(5))
    assert count.low < 59_160 < count.high


def test_monte_carlo_takes_any_test_of_circuits():
    question = pose(golden_net("k3_s0"), "xor")
    count = estimate_valid(
        question, n=500, rng=rng(), passes=lambda kept: np.ones(len(kept), dtype=bool)
    )
    assert count.value == count.high == 9_625


def test_splitting_reaches_a_rare_set():
    question = pose(golden_net("k4_s0"), "xor", criterion=Criterion("delta", 0.01))
    count = split_spaces(question, n=600, repeats=6, moves=15, level=0.9999, rng=rng(6))[0]
    assert count.low < 1_768 < count.high
    assert 0.5 < count.value / 1_768 < 2


def test_size_strata_are_exact_below_and_cover_above():
    question = pose(golden_net("k4_s0"), "xor")
    frame = valid_by_size(question, exact_up_to=12, n=60_000, level=0.9999, rng=rng(7))
    kept = list_valid(question)
    exact = np.bincount(kept.sum(axis=1), minlength=29)
    for row in frame.itertuples():
        if row.known == "exact":
            assert row.edges <= 12 and row.valid == exact[row.edges]
        else:
            assert row.low <= exact[row.edges] <= row.high
    assert frame["topologies"].sum() == 4_346_385


def test_sparse_circuits_of_a_wide_net_have_the_known_number():
    assert len(list_valid(pose(golden_net("k4_s0"), "xor"), max_edges=14)) == 9_333


def test_wilson_interval_at_the_ends():
    low, high = wilson(0, 50)
    assert low == 0 and 0 < high < 0.1
    z2 = 1.959963984540054**2
    np.testing.assert_allclose(high, z2 / (50 + z2))
    np.testing.assert_allclose(wilson(50, 50), (1 - high, 1.0))


def test_greedy_runs_are_valid_and_cannot_drop_an_edge():
    question = pose(golden_net("k3_s1"), "xor")
    found = prune_greedily(question, 50, rng=rng(8))
    assert is_valid(question, found).all()
    assert is_topology(found, (2, 3, 3, 1)).all()
    assert len(np.unique(found, axis=0)) > 1


def test_dangling_edges_go():
    kept = np.array([[1, 0, 0, 1], [1, 1, 0, 1]], dtype=bool)  # x->h0, x->h1, h0->out, h1->out
    assert remove_dangling(kept, (1, 2, 1)).astype(int).tolist() == [[0, 0, 0, 0], [0, 1, 0, 1]]


def test_degeneracy_puts_both_overlaps_on_one_scale():
    question = pose(golden_net("k3_s0"), "xor")
    found = prune_greedily(question, 40, rng=rng(9))
    valid = sample_valid(question, 200, rng=rng(9))
    both = compare_degeneracy(found, valid)
    np.testing.assert_allclose(both.method_noise, 1 - pairwise_jaccard(found).mean)
    np.testing.assert_allclose(both.true_degeneracy, 1 - pairwise_jaccard(valid).mean)
    same = np.ones((3, 4), dtype=bool)
    assert compare_degeneracy(same, same).method_noise == 0


def test_jaccard_of_pairs_by_hand():
    kept = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    overlap = pairwise_jaccard(kept)
    np.testing.assert_allclose(overlap.mean, (0.5 + 0 + 0) / 3)
    assert overlap.pairs == 3


def test_chao1_by_hand_and_at_its_ends():
    kept = np.eye(4, dtype=bool)[[0, 0, 1, 1, 2, 3]]
    found = chao1(kept)
    assert (found.seen, found.once, found.twice) == (4, 2, 2)
    np.testing.assert_allclose(found.chao1.value, 4 + 5 / 6 * 4 / 4)
    assert found.chao1.low > 4 and found.chao1.high > found.chao1.value
    assert found.chao1.known == "lower bound"
    np.testing.assert_allclose(found.coverage, 1 - 2 / 6)
    always = chao1(np.ones((5, 3), dtype=bool))
    assert (always.chao1.value, always.coverage) == (1, 1)
    never = chao1(np.eye(5, dtype=bool))
    np.testing.assert_allclose(never.chao1.value, 5 + 0.8 * 10)


def test_chao1_bounds_the_true_number_from_below_on_average():
    pool = np.eye(30, dtype=bool)
    values = [chao1(pool[rng(s).integers(0, 30, 40)]).chao1.value for s in range(200)]
    assert 20 < np.mean(values) < 36


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda q: estimate_valid(q, n=0, rng=rng()), "n >= 1 draws"),
        (lambda q: split_spaces(q, repeats=1, rng=rng()), "at least 2 repeats"),
        (lambda q: draw_topologies((2, 70, 1), 3, rng=rng()), "wider than 62"),
        (lambda q: pairwise_jaccard(np.ones((1, 3), dtype=bool)), "need at least two"),
        (lambda q: chao1(np.ones((1, 3), dtype=bool)), "needs at least two"),
        (
            lambda q: compare_degeneracy(np.ones((2, 3), bool), np.ones((2, 4), bool)),
            "same graph needed",
        ),
        (
            lambda q: prune_greedily(pose(q.net, "and"), 2, rng=rng()),
            "full net does not meet the criterion",
        ),
        (lambda q: sample_valid(pose(redundant_net(1), [1, 0]), 3, rng=rng()), "no circuit meets"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with wrong_shapes(), pytest.raises(ValueError, match=message):
        call(pose(golden_net("k3_s0"), "xor"))
