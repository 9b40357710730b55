"""Digits shown follow the standard error."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.audit.types import Estimate
from circuitvar.reports.tables.rounding import decimals, show, show_estimate, show_interval

# The worked cases of the Particle Data Group's rule, at several scales.
CASES = [
    (0.827, 0.119, "0.83"),
    (0.827, 0.367, "0.8"),
    (0.827, 0.997, "0.8"),
    (0.784, 0.0171, "0.784"),
    (1234.6, 41.0, "1230"),
    (1234.6, 22.0, "1235"),
    (-0.0004, 0.02, "0.000"),
    (5.0, 0.0, "5.000"),
    (0.5, math.nan, "0.500"),
    (math.nan, 0.1, "–"),
    (math.inf, 0.1, "∞"),
]


@pytest.mark.parametrize(("value", "se", "text"), CASES)
def test_known_roundings(value, se, text):
    assert show(value, se) == text


@given(st.floats(1e-8, 1e8))
def test_one_or_two_digits_of_the_standard_error_survive(se):
    unit = 10.0 ** -decimals(se)
    assert 0.949 < se / unit < 35.6
    # Rounding to that unit moves the value by at most half of it: little against the error.
    assert unit / 2 <= 0.53 * se


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e4))
def test_shown_value_is_within_half_a_unit(value, se):
    assert abs(float(show(value, se)) - value) <= 0.5000001 * 10.0 ** -decimals(se) + 1e-9


def test_interval_shares_the_digits_of_the_value():
    estimate = Estimate("phi", 0.7842, 0.0171, 0.75061, 0.81779)
    assert show_interval(estimate) == "[0.751, 0.818]"
    assert show_estimate(estimate) == "0.784 [0.751, 0.818]"


def test_without_an_interval_only_the_value_is_shown():
    assert show_estimate(Estimate("phi", 0.5)) == "0.500"
