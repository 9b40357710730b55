"""A confidence level and an error rate are never taken for each other."""

import numpy as np
import pytest

from circuitvar.audit.settings import Settings
from circuitvar.circuits.confidence import check_alpha, check_confidence
from circuitvar.circuits.evaluate import equivalence_test
from circuitvar.reports.options import CircuitTestOptions, FindOptions


@pytest.mark.parametrize("value", [0.05, 0.0, 0.499, 1.0, 95.0, float("nan")])
def test_no_confidence_level(value: float) -> None:
    with pytest.raises(ValueError, match="is not a confidence level"):
        check_confidence(value)


@pytest.mark.parametrize("value", [0.95, 0.0, 0.501, -0.05, 5.0, float("nan")])
def test_no_error_rate(value: float) -> None:
    with pytest.raises(ValueError, match="is not an error rate"):
        check_alpha(value)


def test_the_other_number_is_named() -> None:
    with pytest.raises(ValueError, match=r"0\.95 is a confidence level: give 0\.05"):
        CircuitTestOptions(alpha=0.95)
    with pytest.raises(ValueError, match=r"0\.95 is a confidence level: give 0\.05"):
        FindOptions(alpha=0.95)
    with pytest.raises(ValueError, match=r"0\.05 is an error rate: give 0\.95"):
        Settings(confidence=0.05)


def test_no_test_passes_at_a_confidence_level() -> None:
    scores = np.random.default_rng(0).normal(size=40)
    with pytest.raises(ValueError, match="is not an error rate"):
        equivalence_test(scores, scores[::-1], alpha=0.95)
