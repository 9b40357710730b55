"""Explanations do not depend on the unit of measurement of activations."""

import numpy as np
import pytest

from circuitvar.audit.neurons.data import probing_set
from circuitvar.audit.neurons.linear import LinearOptions, linear_explanations
from circuitvar.audit.neurons.linear.linear_gram import gram
from circuitvar.audit.neurons.sets.aliases import concept_correlation

SCALES = (1e-6, 3e-4, 1e-2, 1e3, 1e6)


def _data(scale=1.0, concept_scale=1.0):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (300, 4)).astype(float)
    units = np.stack(
        [labels[:, 1], 2 * labels[:, 0] - labels[:, 3] + 0.1 * rng.normal(size=300)], 1
    )
    return probing_set(units * scale, labels * concept_scale)


@pytest.mark.parametrize("selection", ["greedy", "top-k"])
@pytest.mark.parametrize("scale", SCALES)
def test_coefficients_follow_the_unit_of_activation(scale, selection):
    """A perfect unit scaled by 3e-4 once had no explanation."""
    options = LinearOptions(selection=selection)
    plain, scaled = (
        linear_explanations(_data(s), rng=np.random.default_rng(1), options=options)
        for s in (1.0, scale)
    )
    assert plain.coefficients[1, 0] > 0.5
    np.testing.assert_allclose(
        scaled.coefficients, plain.coefficients * scale, rtol=1e-3, atol=1e-4 * scale
    )
    np.testing.assert_allclose(scaled.test, plain.test, rtol=1e-4)


@pytest.mark.parametrize("scale", (1e-6, 1e-3))
def test_small_concepts_are_concepts(scale):
    plain, scaled = (
        linear_explanations(_data(1.0, s), rng=np.random.default_rng(1)) for s in (1.0, scale)
    )
    np.testing.assert_allclose(
        scaled.coefficients * scale, plain.coefficients, rtol=1e-3, atol=1e-4
    )
    one, other = (concept_correlation(_data(1.0, s).concepts, np.ones(300)) for s in (1.0, scale))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("size", (1e-6, 1.0, 1e6))
def test_what_varies_by_rounding_alone_is_constant(size):
    rng = np.random.default_rng(0)
    labels = np.c_[rng.integers(0, 2, 50), np.full(50, 0.1)]
    units = np.full((50, 1), 0.1 * size, dtype=np.float32)
    found = gram(probing_set(units, labels), np.ones(50))
    assert found.ff[0] == 0 and found.pp[1, 1] == 0 and (found.pf == 0).all()
