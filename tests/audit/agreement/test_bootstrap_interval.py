"""Bootstrap agreement: the interval from blocks is as wide as the spread over data sets."""

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import bootstrap_axis, bootstrap_variance, with_block_interval
from circuitvar.audit.resampling.weights import bootstrap

EDGES, SIZE = 120, 24


def axes(seed: int, *, n=64, effect=None, size=SIZE):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, EDGES)) + (0 if effect is None else effect)
    axis, _ = bootstrap_axis(scores, bootstrap(n, 60, rng=rng), size=size)
    return axis, with_block_interval(axis, scores, size=size, rng=rng)


@pytest.mark.parametrize("scale", [0.0, 0.25])
def test_standard_error_is_the_spread_over_data_sets(scale):
    effect = scale * np.random.default_rng(9).standard_t(3, size=EDGES)
    found = [axes(seed, effect=effect) for seed in range(40)]
    values = np.array([after.phi.value for _, after in found])
    errors = np.array([after.phi.se for _, after in found])
    jackknife = np.array([before.phi.se for before, _ in found])
    assert 0.7 < errors.mean() / values.std(ddof=1) < 1.6
    assert errors.mean() < jackknife.mean()
    truth = values.mean()
    assert np.mean([after.phi.low <= truth <= after.phi.high for _, after in found]) >= 0.9


def test_only_the_intervals_change():
    before, after = axes(0)
    for name in ("phi", "jaccard"):
        old, new = getattr(before, name), getattr(after, name)
        assert (old.value, old.n, old.estimand) == (new.value, new.n, new.estimand)
        assert new.low < new.value < new.high
        assert new.interval == "subsampling, extrapolated"
    assert after.inclusion is before.inclusion


def test_edge_order_does_not_matter():
    scores = np.random.default_rng(0).normal(size=(40, EDGES))
    order = np.random.default_rng(1).permutation(EDGES)
    first, turned = (
        bootstrap_variance(s, 0.2, kept=SIZE, size=SIZE, rng=np.random.default_rng(2))
        for s in (scores, scores[:, order])
    )
    assert first == pytest.approx(turned)


@pytest.mark.parametrize(("n", "size"), [(12, SIZE), (64, EDGES)])
def test_few_prompts_and_undefined_agreement_keep_the_axis(n, size):
    before, after = axes(0, n=n, size=size)
    assert (after.phi, after.jaccard) == (before.phi, before.jaccard)


def test_equal_replicates_have_no_variance():
    effect = np.where(np.arange(EDGES) < SIZE, 50.0, 0.0)
    _, after = axes(0, effect=effect)
    assert (after.phi.value, after.phi.se) == (1.0, 0.0)
    assert 0.95 < after.phi.low < after.phi.high == 1.0
    assert 0.9 < after.jaccard.low < 1.0
