"""The whole test suite a new method needs, and what it looks like when a method is no good."""

import numpy as np
import pytest
from new_method import midpoint_ig

import circuitvar as cv


def test_new_method(circuitvar_assert_method_ok):
    circuitvar_assert_method_ok(midpoint_ig, baseline="eap-ig-inputs")


def test_no_worse_on_planted_circuits(circuitvar_assert_method_ok):
    circuitvar_assert_method_ok(midpoint_ig, cases=cv.testing.planted_cases(), strict=True)


def random_scores(model, batch, *, metric, options):
    draws = [np.random.default_rng([options.seed, int(i)]) for i in batch.index]
    return np.stack([rng.normal(size=model.graph.n_edges) for rng in draws])


def test_random_scores_are_caught(circuitvar_assert_method_ok):
    with pytest.raises(AssertionError, match="worse"):
        circuitvar_assert_method_ok(random_scores)
