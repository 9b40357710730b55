from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from circuitvar.audit.indices.phi import phi_difference, phi_test
from circuitvar.audit.resampling import Whole
from circuitvar.circuits.overlap import kuncheva
from tests.shape_check import wrong_shapes

ng = import_module("circuitvar.audit.indices.phi")

KNOWN = [
    ([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], 1 / 3, 8 / 243),
    ([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 1, 0]], 11 / 56, 0.0160811495),
    (np.eye(3), -1 / 2, 0.0),
    ([[1, 1, 0, 0], [0, 0, 1, 1]], -1.0, 0.0),
    ([[1, 0, 1], [1, 0, 1], [1, 0, 1]], 1.0, 0.0),
]
MASKS = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((6, 15)) < 0.4
)


@pytest.mark.parametrize(("masks", "value", "variance"), KNOWN)
def test_known_answers(masks, value, variance):
    masks = np.array(masks, dtype=bool)
    assert ng.phi(masks) == pytest.approx(value, abs=1e-9)
    assert ng.closed_form_variance(masks) == pytest.approx(variance, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(MASKS)
def test_row_and_edge_order_do_not_matter(masks):
    rng = np.random.default_rng(0)
    shuffled = masks[rng.permutation(6)][:, rng.permutation(15)]
    np.testing.assert_allclose(ng.phi(shuffled), ng.phi(masks), atol=1e-12)
    np.testing.assert_allclose(
        ng.closed_form_variance(shuffled), ng.closed_form_variance(masks), atol=1e-12
    )


@settings(deadline=None, max_examples=30)
@given(MASKS)
def test_leave_one_out_equals_deleting_rows(masks):
    slow = [ng.phi(np.delete(masks, i, axis=0)) for i in range(len(masks))]
    np.testing.assert_allclose(ng.leave_one_run_out(masks), slow, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(MASKS)
def test_constant_columns_may_be_left_out(masks):
    masks = masks.copy()
    masks[:, :3], masks[:, 3:6] = True, False
    counts = masks.sum(axis=0)
    contested = (counts > 0) & (counts < len(masks))
    short = Whole(15, always=int((counts == len(masks)).sum()))
    np.testing.assert_allclose(ng.phi(masks[:, contested], short), ng.phi(masks), atol=1e-12)
    for function in (ng.closed_form_variance, ng.row_projections, ng.leave_one_run_out):
        np.testing.assert_allclose(
            function(masks[:, contested], short), function(masks), atol=1e-12
        )


def test_two_runs_of_one_size_give_kuncheva():
    masks = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0, 0, 0, 0, 0]], dtype=bool)
    assert ng.phi(masks) == pytest.approx(float(kuncheva(3, 3, 2, 10)))
    assert ng.phi(masks) == pytest.approx(0.5238095238)


@pytest.mark.parametrize(
    "masks",
    [np.zeros((3, 4)), np.ones((3, 4)), np.array([[1, 0, 1]]), np.zeros((2, 0))],
    ids=["empty circuits", "full circuits", "one run", "no edges"],
)
def test_undefined_is_nan_without_warning(masks):
    masks = masks.astype(bool)
    estimate = ng.phi_of_runs(masks)
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_two_runs_have_no_interval():
    estimate = ng.phi_of_runs(np.array([[1, 0, 0], [1, 1, 0]], dtype=bool))
    assert np.isnan(estimate.low)
    assert estimate.interval == "none (2 runs)"


def test_equal_runs_do_not_claim_certainty():
    estimate = ng.phi_of_runs(np.tile([True, False, False], (11, 1)))
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.05**0.2)


def test_three_runs_whose_pairs_agree_equally_do_not_claim_certainty():
    """Each run swaps one edge of its own: every pair differs alike and the jackknife SE is 0."""
    masks = np.zeros((3, 60), dtype=bool)
    masks[:, :10] = True
    for run in range(3):
        masks[run, run], masks[run, 20 + run] = False, True
    assert np.ptp(ng.pair_phi(masks)) == pytest.approx(0.0, abs=1e-12)
    found = ng.phi_of_runs(masks)
    assert found.interval.startswith("row jackknife t; 3 runs: conservative")
    assert found.high - found.low > 0.1


def test_row_jackknife_interval_by_hand():
    masks = np.array(KNOWN[1][0], dtype=bool)
    left_out = np.array([1 / 6, -0.2, 0.6])
    estimate = ng.phi_of_runs(masks)
    assert estimate.se == pytest.approx(np.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum()))
    assert estimate.n == 3


def _bootstrap_masks(seed=0, n=50, replicates=400):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 40)) + np.where(np.arange(40) < 8, 0.6, 0.0)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    means = np.abs(counts @ scores / n)
    masks = means >= np.sort(means, axis=1)[:, [-8]]
    return masks, counts.astype(np.float64)


def test_infinitesimal_jackknife_matches_its_definition():
    masks, counts = _bootstrap_masks()
    t = ng.row_projections(masks)
    t = 2 * (t - t.mean())
    c = ((counts - 1) * t[:, None]).mean(axis=0)
    variance = (c**2).sum() - 50 * ng.closed_form_variance(masks)
    assert ng.phi_of_resamples(masks, counts).se == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_jackknife_after_bootstrap_matches_its_definition():
    masks, counts = _bootstrap_masks()
    left_out = np.array([ng.phi(masks[counts[:, i] == 0]) for i in range(50)])
    np.testing.assert_allclose(ng.phi_without_unit(masks, counts), left_out, atol=1e-12)
    variance = 49 / 50 * ((left_out - left_out.mean()) ** 2).sum()
    variance -= (np.e - 1) * 50 * ng.closed_form_variance(masks)
    estimate = ng.phi_of_resamples(masks, counts, method="jab")
    assert estimate.se == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_resample_interval_is_wider_than_the_published_one():
    masks, counts = _bootstrap_masks(replicates=1000)
    published = np.sqrt(ng.closed_form_variance(masks))
    for method in ("ij", "jab"):
        assert ng.phi_of_resamples(masks, counts, method=method).se > 3 * published


def test_interval_needs_counts_of_unit_variance():
    masks, counts = _bootstrap_masks()
    with pytest.raises(ValueError, match="mean 1 and variance near 1"):
        ng.phi_of_resamples(masks, np.ones_like(counts))
    with wrong_shapes(), pytest.raises(ValueError, match="rows of counts"):
        ng.phi_of_resamples(masks, counts[:-1])
    with pytest.raises(ValueError, match="choose 'ij' or 'jab'"):
        ng.phi_of_resamples(masks, counts, method="boot")  # pyright: ignore[reportArgumentType]


def test_paired_difference_of_equal_methods_is_exactly_zero():
    masks, counts = _bootstrap_masks()
    same = phi_difference(masks, masks, counts)
    assert (same.value, same.se, same.low, same.high) == (0.0, 0.0, 0.0, 0.0)
    independent = phi_difference(masks[:20], masks[20:40])
    parts = ng.phi_of_runs(masks[:20]).se, ng.phi_of_runs(masks[20:40]).se
    assert independent.se == pytest.approx(np.hypot(*parts))


def test_difference_of_equal_runs_is_not_certain():
    equal = np.tile(np.arange(40) < 5, (5, 1))
    found = phi_difference(equal, equal[:3])
    assert found.value == 0 and found.low == pytest.approx(0.05 - 1)
    assert found.high == pytest.approx(1 - 0.05**0.5)


def test_one_sample_test():
    estimate = ng.phi_of_runs(np.array(KNOWN[1][0], dtype=bool))
    assert phi_test(estimate, estimate.value) == pytest.approx(0.5)
    assert phi_test(estimate, -10, df=np.inf) == pytest.approx(0.0, abs=1e-12)
    t = (estimate.value + 0.5) / estimate.se
    assert phi_test(estimate, -0.5) == pytest.approx(stats.t(2).sf(t), abs=1e-12)
    assert phi_test(estimate, -0.5, side="two-sided", df=np.inf) == pytest.approx(
        2 * stats.norm.sf(t), abs=1e-12
    )
    assert np.isnan(phi_test(ng.phi_of_runs(np.eye(3, dtype=bool)), 0.0))
