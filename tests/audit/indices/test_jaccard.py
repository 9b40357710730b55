from importlib import import_module

import numpy as np
import pytest

from circuitvar.audit.resampling import Whole
from circuitvar.circuits import overlap as si

jc = import_module("circuitvar.audit.indices.jaccard")

A = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
B = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (si.jaccard(3, 3, 2), 0.5),
        (si.kuncheva(3, 3, 2, 10), 0.5238095238),
        (si.overlap_coefficient(3, 5, 3), 1.0),
        (si.jaccard(10, 28, 3), 3 / 35),
        (si.chance_jaccard(3, 3, 10), 0.2008333333),
        (si.overlap_p_value(3, 3, 2, 10), 0.1833333333),
        (si.chance_jaccard(26, 26, 144), 0.1008),
        (si.chance_jaccard(15, 15, 144), 0.0566),
        (si.chance_jaccard(5, 5, 32491), 8.5e-5),
    ],
)
def test_known_indices(value, expected):
    tolerance = 1e-6 if expected not in (0.1008, 0.0566, 8.5e-5) else 6e-5
    assert float(value) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(100, 0.0015), (1000, 0.0156), (10000, 0.1819), (16000, 0.3267), (30000, 0.8576)],
)
def test_chance_jaccard_of_gpt2_small(size, expected):
    assert si.chance_jaccard(size, size, 32491) == pytest.approx(expected, abs=5e-5)


def test_undefined_indices_are_nan():
    assert np.isnan(si.jaccard(0, 0, 0))
    assert np.isnan(si.kuncheva(2, 3, 1, 10))
    assert np.isnan(si.kuncheva(10, 10, 10, 10))
    assert np.isnan(si.chance_jaccard(0, 0, 10))
    with pytest.raises(ValueError, match="cannot come from 10 edges"):
        si.chance_jaccard(11, 3, 10)


def test_pairwise_equals_sets():
    rng = np.random.default_rng(1)
    masks = rng.random((7, 5000)) < rng.random((7, 1))
    sets = [set(np.flatnonzero(row)) for row in masks]
    slow = [[len(a & b) / len(a | b) for b in sets] for a in sets]
    np.testing.assert_allclose(jc.pairwise_jaccard(masks), slow, atol=1e-12)


def test_always_kept_columns_may_be_left_out():
    masks = np.stack([A, B, A | B])
    masks[:, 9] = True
    np.testing.assert_array_equal(
        jc.pairwise_jaccard(masks[:, :9], Whole(10, always=1)), jc.pairwise_jaccard(masks)
    )


def test_empty_circuits():
    masks = np.zeros((3, 4), dtype=bool)
    assert np.isnan(jc.mean_pairwise(jc.pairwise_jaccard(masks)))
    masks[0, 0] = True
    pairs = jc.pairwise_jaccard(masks)
    assert pairs[0, 1] == 0
    assert np.isnan(pairs[1, 2])


def test_summaries_by_hand():
    pairs = np.array([[1, 0.5, 0.2], [0.5, 1, 0.8], [0.2, 0.8, 1]])
    assert jc.mean_pairwise(pairs) == pytest.approx(0.5)
    assert jc.pairwise_cv(pairs) == pytest.approx(np.std([0.5, 0.2, 0.8], ddof=1) / 0.5)
    left_out = np.array([0.8, 0.2, 0.5])
    estimate = jc.jaccard_of_runs(pairs, size=100.0)
    assert estimate.se == pytest.approx(np.sqrt(2 / 3 * ((left_out - 0.5) ** 2).sum()))
    assert 0 <= estimate.low <= estimate.high <= 1
    assert np.isnan(jc.mean_pairwise(np.ones((1, 1))))
    assert np.isnan(jc.pairwise_cv(np.ones((2, 2))))


def test_equal_runs_and_too_few_runs():
    equal = jc.jaccard_of_runs(np.ones((11, 11)), size=5.0)
    assert equal.low == pytest.approx(0.05**0.2)
    assert np.isnan(jc.jaccard_of_runs(np.ones((2, 2)), size=5.0).low)


def test_mean_over_pairs_lacking_a_unit():
    rng = np.random.default_rng(2)
    masks = rng.random((30, 20)) < 0.3
    counts = rng.poisson(1.0, size=(30, 6)).astype(float)
    pairs = jc.pairwise_jaccard(masks)
    slow = [jc.mean_pairwise(pairs[np.ix_(c == 0, c == 0)]) for c in counts.T]
    np.testing.assert_allclose(jc.mean_without_unit(pairs, counts), slow, atol=1e-12)


def test_chance_of_mixed_sizes():
    sizes = np.array([3, 3, 5])
    expected = (si.chance_jaccard(3, 3, 10) + 2 * si.chance_jaccard(3, 5, 10)) / 3
    assert jc.mean_chance(sizes, 10) == pytest.approx(expected)
    assert np.isnan(jc.mean_chance(np.array([3]), 10))


def test_one_stratum_is_the_plain_null():
    expected, tail = si.stratified_chance(A, B, np.zeros(10, dtype=int))
    assert expected == pytest.approx(0.2008333333)
    assert tail == pytest.approx(0.1833333333)


def test_strata_against_simulation():
    rng = np.random.default_rng(3)
    strata = np.repeat([0, 1, 2], [4, 8, 12])
    a, b = rng.random(24) < 0.5, rng.random(24) < 0.4
    draws = []
    for _ in range(4000):
        shuffled = np.concatenate([rng.permutation(b[strata == s]) for s in range(3)])
        draws.append((a & shuffled).sum() / (a | shuffled).sum())
    assert si.stratified_chance(a, b, strata)[0] == pytest.approx(np.mean(draws), abs=0.005)


def test_size_matched_jaccard_ignores_size():
    scores = np.array([[5.0, 4, 3, 2, 1, 0.5], [5.0, 4, 3, 2, 1, 0.5]])
    pairs = jc.size_matched_jaccard(scores, np.array([2, 5]))
    np.testing.assert_allclose(pairs, np.ones((2, 2)))
    other = jc.size_matched_jaccard(scores * [[1] * 6, [-1, 0.1, 1, 1, 1, 1]], np.array([2, 5]))
    assert other[0, 1] == pytest.approx(1 / 3)


def test_jaccard_to_a_reference():
    np.testing.assert_allclose(jc.jaccard_to(np.stack([A, B]), A), [1, 0.5])
