"""Interval over independent runs: few runs, tied runs, and rival circuits that take turns."""

import numpy as np
import pytest

from circuitvar.audit.indices.jaccard import jaccard_of_runs, pairwise_jaccard
from circuitvar.audit.indices.phi import leave_one_run_out, pair_phi, phi, phi_of_runs
from circuitvar.audit.intervals.runs_interval import (
    MANY_RUNS,
    lower_end_of_spread,
    rivals_se,
    tied_runs_se,
)


def two_circuits(runs: int, rivals: int, *, size: int = 5, edges: int = 100):
    """`rivals` of the runs find a wholly different circuit."""
    masks = np.zeros((runs, edges), dtype=bool)
    masks[rivals:, :size], masks[:rivals, size : 2 * size] = True, True
    return masks


def gap(runs: int, rng, *, size: int = 40, edges: int = 600):
    """Runs that differ in single edges near the cut."""
    scores = np.where(np.arange(edges) < size, 4.0, 0.0) + rng.normal(size=(runs, edges))
    return np.argsort(np.argsort(-scores, axis=1), axis=1) < size


def test_rivals_are_what_pairs_vary_more_than_a_count():
    pairs = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    variance = pairs.var(ddof=1)
    assert rivals_se(pairs, 4, 0.0) == pytest.approx(np.sqrt(2) * tied_runs_se(pairs, 4))
    assert rivals_se(pairs, 4, variance) == 0
    assert rivals_se(pairs, 4, 2 * variance) == 0


def test_lower_end_is_that_of_a_root_by_hand():
    # d = .36, its root .6 with half-width .06/(2 x .6) = .05, so d <= .65²
    assert lower_end_of_spread(0.64, 0.06) == pytest.approx(1 - 0.65**2)
    assert lower_end_of_spread(0.2, 0.0) == pytest.approx(0.2)


def test_even_split_is_not_certain():
    """With 15 runs to 15 every run left out gives the same phi, whose jackknife SE is 0."""
    masks = two_circuits(30, 15)
    assert np.ptp(leave_one_run_out(masks)) == pytest.approx(0, abs=1e-12)
    found = phi_of_runs(masks)
    assert found.high > phi(two_circuits(3000, 1000))
    assert found.se > 1.5 * tied_runs_se(pair_phi(masks), 30)


def test_single_swaps_hardly_move_the_interval():
    rng = np.random.default_rng(0)
    masks = gap(30, rng)
    left_out, found = leave_one_run_out(masks), phi_of_runs(masks)
    jackknife = np.sqrt(29 / 30 * ((left_out - left_out.mean()) ** 2).sum())
    assert found.se == pytest.approx(jackknife, rel=0.05)
    assert found.value - found.low < 1.2 * (found.high - found.value)


@pytest.mark.parametrize("rivals", [1, 3, 6, 15])
def test_phi_and_jaccard_agree_about_rivals(rivals):
    masks = two_circuits(30, rivals, edges=10_000)
    first = phi_of_runs(masks)
    second = jaccard_of_runs(pairwise_jaccard(masks), size=5.0)
    assert first.value == pytest.approx(second.value, abs=2e-3)
    assert first.low <= first.value <= first.high
    assert second.low <= second.value <= second.high


@pytest.mark.parametrize("share", [0.2, 0.35])
@pytest.mark.parametrize("runs", [MANY_RUNS + 2, 20, 30])
def test_coverage_with_a_rival_circuit(share, runs):
    """Without the two corrections .79 to .93; agreement takes few values, so no rate is exact."""
    rng = np.random.default_rng(runs)
    truth = phi(two_circuits(4000, int(4000 * share)))
    covered = [
        found.low <= truth <= found.high
        for found in (
            phi_of_runs(two_circuits(runs, int(k))) for k in rng.binomial(runs, share, 300)
        )
    ]
    assert np.mean(covered) > 0.9
