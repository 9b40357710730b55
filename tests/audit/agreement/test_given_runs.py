"""Agreement of runs that are given, over other prompts."""

import numpy as np
import pytest

from circuitvar.audit.agreement.given_runs import phi_given_runs
from circuitvar.audit.indices import phi
from circuitvar.circuits.find import top_n_masks

SIZE, EDGES = 12, 120


def _runs(effects, rng, *, n=60, templates=12):
    """Three methods that see the same prompts, each with noise of its own."""
    label = np.arange(n) % templates
    shared = rng.normal(size=(n, EDGES)) + 0.3 * rng.normal(size=(templates, EDGES))[label]
    return [(row + shared + 0.3 * rng.normal(size=(n, EDGES))) for row in effects], label


_rng = np.random.default_rng


def _effects(rng, apart):
    return 0.3 * np.abs(rng.laplace(size=EDGES)) + apart * rng.normal(size=(3, EDGES))


@pytest.mark.parametrize("apart", [0.03, 0.3])
def test_the_interval_holds_the_mean_over_data_sets(apart):
    rng = np.random.default_rng(0)
    effects = _effects(rng, apart)
    drawn = (np.stack([s.mean(axis=0) for s in _runs(effects, rng)[0]]) for _ in range(300))
    values = np.array([phi(top_n_masks(means, SIZE)) for means in drawn])
    inside = width = 0
    for _ in range(60):
        scores, label = _runs(effects, rng)
        found = phi_given_runs(scores, size=SIZE, of_example=label, rng=rng)
        inside += found.low <= values.mean() <= found.high
        width += (found.high - found.low) / 60
    assert inside >= 52  # 60 draws at .95 give fewer than 52 once in 400 times
    assert width < 2 * 3.92 * values.std()


def test_it_is_narrower_than_the_interval_of_three_methods_as_a_sample():
    from circuitvar.audit.agreement import runs_axis

    rng = np.random.default_rng(1)
    scores, label = _runs(_effects(rng, 0.3), rng)
    given = phi_given_runs(scores, size=SIZE, of_example=label, rng=rng)
    masks = top_n_masks(np.stack([s.mean(axis=0) for s in scores]), SIZE)
    axis = runs_axis(masks, key="method", title="", unit="method", chosen=True)
    assert given.value == pytest.approx(axis.phi.value)
    assert given.high - given.low < axis.phi.high - axis.phi.low


def test_equal_runs_agree_and_may_still_differ_by_one_swap():
    rng = np.random.default_rng(2)
    (scores, *_), label = _runs(_effects(rng, 0.0), rng)
    found = phi_given_runs([scores, scores], size=SIZE, of_example=label, rng=rng)
    assert found.value == 1.0
    assert 0.9 < found.low < 1.0


def test_scale_and_order_of_prompts_change_nothing_but_the_draws():
    rng = np.random.default_rng(3)
    scores, label = _runs(_effects(rng, 0.1), rng)
    plain, scaled = (
        phi_given_runs(
            [s * f for s in scores], size=SIZE, of_example=label, rng=np.random.default_rng(5)
        )
        for f in (1.0, 1e-6)
    )
    assert (plain.value, plain.low, plain.high) == (scaled.value, scaled.low, scaled.high)


def test_few_units_have_no_interval_and_it_says_why():
    rng = np.random.default_rng(4)
    scores, label = _runs(_effects(rng, 0.1), rng, templates=5)
    found = phi_given_runs(scores, size=SIZE, of_example=label, rng=rng, unit="template")
    assert np.isnan(found.low) and np.isnan(found.high)
    assert found.missing == "no interval: fewer than 8 templates"
    everything = phi_given_runs(scores, size=EDGES, of_example=np.arange(60), rng=rng)
    assert np.isnan(everything.value) and everything.missing == "no interval: no agreement"
