"""Adjusted p-values of many tests at once. NaN stays NaN and is not counted as a test."""

import numpy as np
from jaxtyping import Float

Tests = Float[np.ndarray, " test"]


def holm(p_values: Tests) -> Tests:
    """Holm's step-down adjusted p: reject where <= alpha to control the family-wise error.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    return _adjusted(p_values, "holm")


def false_discovery(p_values: Tests, *, dependent: bool = False) -> Tests:
    """Benjamini-Hochberg adjusted p (Benjamini-Yekutieli when `dependent`)."""
    return _adjusted(p_values, "fdr_by" if dependent else "fdr_bh")


def _adjusted(p_values: Tests, method: str) -> Tests:
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p_values, dtype=np.float64)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method=method)[1]
    return adjusted
