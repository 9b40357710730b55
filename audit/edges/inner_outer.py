"""Inner and outer circuits: what is surely in the top k, and what may be.

From a simultaneous band on |effect|, inner is contained in the true top-k set and outer contains
it, with probability at least the level of the band. Conservative (a projection).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import t as student_t


@dataclass(frozen=True, eq=False)
class InnerOuter:
    """inner <= true top-k <= outer, simultaneously."""

    inner: Bool[np.ndarray, " edge"]
    outer: Bool[np.ndarray, " edge"]
    size: int


def inner_outer(
    mean: Float[np.ndarray, " edge"], se: Float[np.ndarray, " edge"], *, size: int, critical: float
) -> InnerOuter:
    """Confidence sets for the `size` largest |effect| from the band |mean| ± critical * SE.

    L = max(0, |m| - c SE), U = |m| + c SE; inner = {e: #{f != e: U_f > L_e} <= k - 1},
    outer = {e: #{f: L_f > U_e} <= k - 1}. Two sorts. `critical`: `MaxT.critical`, or `bonferroni`.

    >>> found = inner_outer(np.array([9.0, 5.0, 4.9, 0.0]), np.full(4, 0.1), size=2, critical=2.0)
    >>> found.inner.tolist(), found.outer.tolist()
    ([True, False, False, False], [True, True, True, False])
    """
    if not 1 <= size <= len(mean):
        raise ValueError(f"size is {size}; choose between 1 and {len(mean)} edges")
    if not (np.isfinite(mean).all() and np.isfinite(se).all()):
        raise ValueError("mean or SE is not finite; at least 2 independent units are needed")
    low = np.maximum(0.0, np.abs(mean) - critical * se)
    high = np.abs(mean) + critical * se
    above_low = len(high) - np.searchsorted(np.sort(high), low, side="right")
    above_low -= high > low
    above_high = len(low) - np.searchsorted(np.sort(low), high, side="right")
    return InnerOuter(above_low <= size - 1, above_high <= size - 1, size)


def bonferroni(n_edges: int, *, units: int, level: float = 0.95) -> float:
    """Critical value of a simultaneous band by Bonferroni, t(units - 1).

    >>> round(bonferroni(32491, units=1000), 3)
    4.835
    """
    return float(student_t.isf((1 - level) / (2 * n_edges), units - 1))
