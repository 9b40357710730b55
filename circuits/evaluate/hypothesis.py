"""The result of one hypothesis test on a circuit, and the binomial tools the tests share.

A non-rejection says nothing without its power, so every result carries the power of the test at
a stated alternative, and an interval obtained by inverting the test.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real
from scipy.stats import binom

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.intervals import clopper_pearson

Examples = Float[np.ndarray, " example"]


@dataclass(frozen=True, eq=False)
class HypothesisTest:
    """What was tested, what came out, and what the test could have seen."""

    name: str
    null: str
    """The null hypothesis in words, with its margin."""
    statistic: float
    p: float
    alpha: float
    n: int
    """Examples, permutations or random circuits the p-value rests on."""
    power: float
    """Probability of rejection at `alternative`, at this n and alpha."""
    alternative: str
    low: float = float("nan")
    high: float = float("nan")
    """Interval of the tested quantity by inversion, at confidence 1 - alpha."""
    estimand: str = ""
    """What the interval is about."""
    if_rejected: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    @property
    def rejected(self) -> bool:
        """Whether p reaches the level."""
        return self.p <= self.alpha

    @property
    def reading(self) -> str:
        """One sentence that may be printed; a non-rejection always states the power."""
        if self.rejected:
            return f"{self.name}: p = {self.p:.3g} <= {self.alpha:g}, {self.if_rejected}."
        return (
            f"{self.name}: p = {self.p:.3g}, not rejected "
            f"(n = {self.n}; power {self.power:.2f} against {self.alternative})."
        )


def share_interval(successes: float, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share: the values two-sided binomial tests do not reject.

    A half-integer count (split ties) is widened to the integers on either side.

    >>> low, high = share_interval(96, 100)
    >>> round(low, 4), round(high, 4)
    (0.9007, 0.989)
    """
    low, high = share_intervals(np.array([successes]), n, confidence=confidence)
    return float(low[0]), float(high[0])


def share_intervals(
    successes: Real[np.ndarray, " share"], n: int, *, confidence: float = 0.95
) -> tuple[Float[np.ndarray, " share"], Float[np.ndarray, " share"]]:
    """`share_interval` of many counts out of the same n."""
    if n < 1:
        raise ValueError(f"an interval of a share needs n >= 1, got {n}")
    low, _ = clopper_pearson(np.floor(successes), n, alpha=1 - confidence)
    _, high = clopper_pearson(np.ceil(successes), n, alpha=1 - confidence)
    return low, high


def lowest_rejected_count(n: int, share: float, alpha: float) -> int:
    """Smallest K with P(Bin(n, share) >= K) <= alpha; n + 1 when no count is small enough.

    >>> lowest_rejected_count(100, 0.9, 0.05), lowest_rejected_count(1000, 0.9, 0.05)
    (96, 916)
    """
    tails: Float[np.ndarray, " count"] = binom.sf(np.arange(n + 1) - 1, n, share)
    passing = np.flatnonzero(tails <= alpha)
    return int(passing[0]) if passing.size else n + 1


def highest_rejected_count(n: int, share: float, alpha: float) -> int:
    """Largest K with P(Bin(n, share) <= K) <= alpha; -1 when no count is large enough."""
    passing = np.flatnonzero(binom.cdf(np.arange(n + 1), n, share) <= alpha)
    return int(passing[-1]) if passing.size else -1
