"""Agreement of an approximation with exact patching."""

import numpy as np
import pytest

from circuitvar.audit.variance.against_exact import (
    _leave_one_out,
    agreement_estimates,
    sign_agreement,
    top_overlap,
)
from tests.shape_check import wrong_shapes

TEMPLATES = tuple(f"t{i % 9}" for i in range(45))


def test_identical_scores_agree_perfectly():
    scores = np.random.default_rng(0).normal(size=(45, 60))
    rank, overlap, sign = agreement_estimates(scores, scores, TEMPLATES, size=10)
    assert (rank.value, overlap.value, sign.value) == pytest.approx((1, 1, 1))
    assert rank.n == 9


def test_opposite_signs_show_in_sign_agreement_only():
    scores = np.random.default_rng(1).normal(1, 1, size=(45, 60))
    rank, overlap, sign = agreement_estimates(-scores, scores, TEMPLATES, size=10)
    assert (rank.value, overlap.value, sign.value) == pytest.approx((1, 1, 0))


def test_edges_without_an_effect_are_not_missed():
    """Four edges have effects and six are asked for: the four are all there is to find."""
    exact = np.r_[4.0, -3.0, 2.0, -1.0, np.zeros(8)]
    assert top_overlap(exact, exact, 6) == sign_agreement(exact, exact, 6) == 1.0
    assert top_overlap(np.r_[exact[:3], np.zeros(9)], exact, 6) == 0.75
    assert sign_agreement(np.r_[exact[:3], np.zeros(9)], exact, 6) == 0.75
    assert np.isnan(top_overlap(0 * exact, 0 * exact, 6))
    assert np.isnan(sign_agreement(exact, 0 * exact, 6))


def test_unrelated_scores_overlap_as_often_as_chance():
    rng = np.random.default_rng(2)
    shares = [top_overlap(rng.normal(size=100), rng.normal(size=100), 10) for _ in range(400)]
    assert np.mean(shares) == pytest.approx(0.1, abs=0.02)


def test_leave_one_out_equals_leaving_out():
    scores = np.random.default_rng(3).normal(size=(6, 4))
    unit = np.array([0, 0, 1, 1, 1, 2])
    expected = np.stack([scores[unit != u].mean(axis=0) for u in range(3)])
    np.testing.assert_allclose(_leave_one_out(scores, unit), expected)


def test_different_prompts_are_refused():
    with wrong_shapes(), pytest.raises(ValueError, match="pass the same"):
        agreement_estimates(np.zeros((3, 2)), np.zeros((4, 2)), ("a",) * 3, size=1)
