"""Recovery of a known circuit against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from circuitvar.audit.indices import auroc, average_precision
from tests.shape_check import wrong_shapes


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 6))
def test_agrees_with_scikit_learn(seed, n, levels):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    truth[:2] = True, False
    scores = rng.integers(0, levels + 1, n).astype(float)
    assert auroc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores))


def test_perfect_constant_and_reversed_scores():
    truth = np.array([True, True, False, False])
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    assert auroc(scores, truth) == 1.0 and average_precision(scores, truth) == 1.0
    assert auroc(-scores, truth) == 0.0
    assert auroc(np.zeros(4), truth) == 0.5 and average_precision(np.zeros(4), truth) == 0.5


@pytest.mark.parametrize("truth", [np.zeros(3, bool), np.ones(3, bool), np.ones(2, bool)])
def test_a_circuit_must_be_neither_empty_nor_everything(truth):
    for statistic in (auroc, average_precision):
        with wrong_shapes(), pytest.raises(ValueError, match="neither empty nor everything"):
            statistic(np.arange(3.0), truth)
