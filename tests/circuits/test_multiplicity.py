"""Adjusted p-values against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from circuitvar.circuits.multiplicity import false_discovery, holm


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_adjusted_p_values_are_those_of_statsmodels(n):
    p = np.round(np.random.default_rng(n).random(n), 1)  # ties among them
    holed = np.append(p, np.nan)
    for ours, method in (
        (holm(holed), "holm"),
        (false_discovery(holed), "fdr_bh"),
        (false_discovery(holed, dependent=True), "fdr_by"),
    ):
        np.testing.assert_allclose(ours[:-1], multipletests(p, method=method)[1], atol=1e-12)
        assert np.isnan(ours[-1])


def test_no_test_is_no_test():
    assert np.isnan(holm(np.array([np.nan, np.nan]))).all()
    assert np.isnan(false_discovery(np.array([np.nan]))).all()
