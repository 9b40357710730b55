"""Ratios of means with a delete-one-unit jackknife."""

import numpy as np
import pytest
from scipy import stats

from circuitvar.audit.intervals import ratio_of_means, share_estimate
from circuitvar.tasks.units import sampling_units


def test_the_mean_has_the_textbook_t_interval():
    values = np.random.default_rng(0).normal(2, 1, size=30)
    found = ratio_of_means("mean", values)
    low, high = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    np.testing.assert_allclose([found.value, found.low, found.high], [values.mean(), low, high])


def test_templates_are_the_unit_when_there_are_enough():
    templates = tuple(f"t{i % 10}" for i in range(100))
    effect = np.repeat(np.random.default_rng(1).normal(size=10)[None], 10, axis=0).ravel()
    by_template = ratio_of_means("mean", effect, templates=templates)
    by_prompt = ratio_of_means("mean", effect)
    assert by_template.n == 10
    assert by_prompt.n == 100
    assert by_template.se > 2.5 * by_prompt.se


def test_few_templates_fall_back_to_prompts():
    assert sampling_units(4, ("a", "a", "b", "b"))[1] == "prompt"


def test_ratio_interval_covers_its_truth():
    """Ratio 0.5 of correlated sums, 400 simulated data sets of 40."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        bottom = rng.gamma(4, 1, size=40)
        top = 0.5 * bottom + rng.normal(0, 0.5, size=40)
        found = ratio_of_means("ratio", top, bottom)
        hits += found.low <= 0.5 <= found.high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize("top", [[1.0, 2.0]])
def test_zero_denominators_give_no_number(top):
    found = ratio_of_means("ratio", np.array(top), np.zeros(2))
    assert np.isnan(found.value)
    assert np.isnan(found.low)


def test_never_is_not_certainty():
    found = share_estimate("error", np.zeros(100, dtype=bool))
    assert (found.value, found.low) == (0.0, 0.0)
    # 1 - 0.025^(1/100): the exact bound after 100 trials without an event.
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert share_estimate("error", np.arange(100) < 50).interval.startswith("delete-one")
