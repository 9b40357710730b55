"""What simultaneous intervals say about the reported label: faithful, near-optimal, identified."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Certificate:
    """All three statements hold together with the level of the intervals."""

    best: int
    """Column with the highest empirical similarity; -1 when none is defined."""
    faithful_at_least: float
    """Lower limit of the population similarity of that column."""
    regret_at_most: float
    """Upper limit of (best population similarity) - (its population similarity)."""
    identified: bool
    """True when its lower limit is above every other upper limit: it is the best concept."""


def identification_certificate(
    estimate: Float[np.ndarray, " concept"],
    low: Float[np.ndarray, " concept"],
    high: Float[np.ndarray, " concept"],
) -> Certificate:
    """Certificate for the empirical winner from intervals that hold simultaneously.

    >>> c = identification_certificate(np.array([0.8, 0.3]), np.array([0.7, 0.2]),
    ...                                np.array([0.9, 0.4]))
    >>> c.identified, round(c.regret_at_most, 2)
    (True, 0.0)
    """
    if np.isnan(estimate).all():
        return Certificate(-1, float("nan"), float("nan"), False)
    best = int(np.nanargmax(estimate))
    others = np.delete(high, best)
    rival = float(np.nanmax(others)) if len(others) and not np.isnan(others).all() else -np.inf
    return Certificate(
        best=best,
        faithful_at_least=float(low[best]),
        regret_at_most=max(0.0, rival - float(low[best])),
        identified=bool(low[best] > rival),
    )
