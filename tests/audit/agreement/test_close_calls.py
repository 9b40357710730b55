"""Where one or two edges near the cut decide, one data set looks surer than it is.

In `planted:noise` sixteen channels of two edges differ clearly; a cut between two of them is one
close call. Halves of a data set then nearly always agree, or nearly never.
"""

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import bootstrap_axis, with_block_interval
from circuitvar.audit.agreement.block_variance import least_of_resamples, weight_of_few
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.agreement.paired_stability import Selected, bootstrap_change, halves_change
from circuitvar.audit.indices.phi import phi, phi_of_resamples, phi_of_runs
from circuitvar.audit.resampling.weights import bootstrap
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.planted.noise import draw_effects


def scores(n, rng):
    """Exact effects of the planted model on n random prompts."""
    found = np.repeat(draw_effects(n, rng=rng), 2, axis=1)
    return np.concatenate([found, np.zeros((n, 100))], axis=1)


@pytest.mark.parametrize(("n", "size"), [(60, 12), (120, 12), (240, 20)])
def test_halves_hold_the_truth(n, size):
    """Without a floor for close calls .68 to .77 of these intervals held it."""
    rng = np.random.default_rng(0)
    fresh = np.stack([scores(n // 2, rng).mean(axis=0) for _ in range(1500)])
    truth = phi(top_n_masks(fresh, size))
    found = [
        halves_agreement(scores(n, rng), size=size, rng=rng, pairs=20, interval_splits=20).phi
        for _ in range(80)
    ]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9
    assert np.mean([one.high - one.low for one in found]) < 0.35
    assert any("close calls decide" in one.interval for one in found)


@pytest.mark.parametrize(("units", "size", "tied"), [(12, 3, 1), (12, 10, 2), (16, 3, 1)])
def test_halves_of_few_units_hold_the_truth(units, size, tied):
    """Blocks of three units are always wrong about a tie, and so agree: .71 to .86 without."""
    rng = np.random.default_rng(0)
    effect = np.zeros(60)
    effect[: size - tied], effect[size - tied : size + tied] = 3.0, 1.0
    fresh = effect + rng.normal(size=(2000, units // 2, 60)).mean(axis=1)
    truth = phi(top_n_masks(fresh, size))
    found = [
        halves_agreement(
            effect + rng.normal(size=(units, 60)), size=size, rng=rng, pairs=20, interval_splits=20
        ).phi
        for _ in range(80)
    ]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9


@pytest.mark.parametrize(("runs", "size", "effect"), [(3, 3, 1.5), (3, 3, 2.0), (5, 3, 1.5)])
def test_few_runs_of_few_edges_hold_the_truth(runs, size, effect):
    """Three runs without a common edge are no proof that there is none: .47 to .91 without."""
    rng = np.random.default_rng(0)
    scores = np.where(np.arange(100) < size, effect, 0.0) + rng.normal(size=(3000, 100))
    pool = top_n_masks(scores, size)
    truth = phi(pool)
    found = [phi_of_runs(pool[rng.choice(3000, runs, replace=False)]) for _ in range(300)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.93


def test_bootstraps_hold_the_truth():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        s = scores(120, rng)
        axis, _ = bootstrap_axis(s, bootstrap(len(s), 60, rng=rng), size=20)
        found.append(with_block_interval(axis, s, size=20, rng=rng).phi)
    truth = np.mean([one.value for one in found])
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9


def test_resamples_are_not_surer_than_their_close_calls():
    """The infinitesimal jackknife alone held the truth in .50 of data sets here."""
    rng = np.random.default_rng(0)
    found, bare = [], []
    for _ in range(60):
        s = scores(240, rng)
        r = bootstrap(len(s), 60, rng=rng)
        axis, sets = bootstrap_axis(s, r, size=16)
        masks, whole = sets.compact
        bare.append(phi_of_resamples(masks, r.counts, whole))
        found.append(axis)
    truth = np.mean([one.value for one in bare])
    assert np.mean([one.phi.low <= truth <= one.phi.high for one in found]) >= 0.93
    assert np.mean([one.low <= truth <= one.high for one in bare]) < 0.8
    jaccard = np.mean([one.jaccard.value for one in found])
    assert np.mean([one.jaccard.low <= jaccard <= one.jaccard.high for one in found]) >= 0.93
    for one, old in zip(found, bare, strict=True):
        assert one.phi.value == old.value and one.phi.se >= old.se


def test_many_swaps_leave_the_interval_alone():
    rng = np.random.default_rng(0)
    s = rng.normal(size=(60, 200))
    r = bootstrap(60, 40, rng=rng)
    axis, sets = bootstrap_axis(s, r, size=40)
    masks, whole = sets.compact
    bare = phi_of_resamples(masks, r.counts, whole)
    assert (axis.phi.low, axis.phi.high, axis.phi.interval) == (bare.low, bare.high, bare.interval)


def test_all_edges_kept_is_left_alone():
    one = Estimate("phi", np.nan, np.nan, np.nan, np.nan, 0.95, 10, "none")
    same = least_of_resamples(one, one, np.ones((4, 4)), size=5.0, n_edges=5)
    assert same == (one, one)


def test_weight_of_few():
    assert [weight_of_few(x) for x in (0.0, 1.0, 3.0, 6.0)] == [1.0, 1.0, 1.0, 0.25]


def test_a_difference_is_not_surer_than_one_unseen_swap():
    rng = np.random.default_rng(0)
    sure = rng.normal(size=(64, 40)) + np.where(np.arange(40) < 5, 50.0, 0.0)
    first, second = Selected(sure, 5), Selected(sure + 0.1 * rng.normal(size=sure.shape), 5)
    resamples = bootstrap(64, 50, rng=rng)
    least = (1 - 0.05**0.25) / (5 * (1 - 5 / 40))
    for change, _ in (
        halves_change(first, second, rng=rng, pairs=5),
        bootstrap_change(first, second, resamples),
    ):
        gap = change.difference
        assert (gap.value, gap.low, gap.high) == pytest.approx((0, -least, least))
        assert "one swap unseen" in gap.interval
    same = bootstrap_change(first, Selected(sure.copy(), 5), resamples)[0].difference
    assert (same.low, same.value, same.high) == (0, 0, 0)
