"""Adjusted p-values of many tests at once. NaN stays NaN and is not counted as a test."""

import numpy as np
from jaxtyping import Float

Tests = Float[np.ndarray, " test"]


def holm(p_values: Tests) -> Tests:
    """Holm's step-down adjusted p: reject where <= alpha to control the family-wise error.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    # statsmodels' `multipletests` collects garbage at every call, 50 ms; the tests hold this to it.
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted, kind="stable")[: int((~np.isnan(adjusted)).sum())]
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * steps), 1)
    return adjusted


def false_discovery(p_values: Tests, *, dependent: bool = False) -> Tests:
    """Benjamini-Hochberg adjusted p (Benjamini-Yekutieli when `dependent`)."""
    from statsmodels.stats.multitest import fdrcorrection

    adjusted = np.array(p_values, dtype=np.float64)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = fdrcorrection(adjusted[known], method="n" if dependent else "i")[1]
    return adjusted
