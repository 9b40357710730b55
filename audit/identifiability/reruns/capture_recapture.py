"""How many circuits has a method not shown yet? Richness from re-runs (capture-recapture)."""

from collections import Counter
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from jaxtyping import Bool
from scipy.special import ndtri

from circuitvar.audit.identifiability.nets import Count


@dataclass(frozen=True)
class Richness:
    """Distinct circuits among re-runs and what they imply about the unseen ones."""

    runs: int
    seen: int
    once: int
    """f1: circuits returned exactly once."""
    twice: int
    """f2: circuits returned exactly twice."""
    coverage: float
    """Good-Turing: estimated probability that the next run returns a circuit already seen."""
    chao1: Count
    """A lower bound on the number of circuits the method can return, with an interval for it."""


def chao1(kept: Bool[np.ndarray, "run edge"], *, level: float = 0.95) -> Richness:
    """Chao's lower bound on the number of different circuits a method returns over re-runs.

    S = S_seen + (n-1)/n f1^2 / (2 f2), or the bias-corrected (n-1)/n f1 (f1-1) / 2 when f2 = 0
    (Chao 1984), with Chao's (1987) log-normal interval. If every run returned a new circuit the
    data bound the number only from below.

    Raises
    ------
    ValueError
        Fewer than two runs.

    >>> r = chao1(np.array([[1, 0], [1, 0], [0, 1]], bool))
    >>> r.seen, r.once, r.twice, round(r.chao1.value, 3)
    (2, 1, 1, 2.333)
    """
    n = len(kept)
    if n < 2:
        raise ValueError(f"{n} runs; capture-recapture needs at least two")
    times = Counter(Counter(map(bytes, np.ascontiguousarray(kept))).values())
    seen, once, twice = sum(times.values()), times.get(1, 0), times.get(2, 0)
    factor = (n - 1) / n
    unseen = factor * (once**2 / (2 * twice) if twice else once * (once - 1) / 2)
    low, high = _interval(seen, unseen, _variance(once, twice, factor, seen + unseen), level)
    known = {"low": low, "high": high, "level": level, "n": n}
    how, name = f"Chao1 over {n} runs", "circuits the method returns"
    bound = Count(name, seen + unseen, "lower bound", **known, how=how)
    return Richness(n, seen, once, twice, 1 - once / n, bound)


def _variance(once: int, twice: int, factor: float, total: float) -> float:
    if twice:
        ratio = once / twice
        return twice * (factor * ratio**2 / 2 + factor**2 * ratio**3 + factor**2 * ratio**4 / 4)
    if once == 0:
        return 0.0
    return max(
        0.0,
        factor * once * (once - 1) / 2
        + factor**2 * once * (2 * once - 1) ** 2 / 4
        - factor**2 * once**4 / (4 * total),
    )


def _interval(seen: int, unseen: float, variance: float, level: float) -> tuple[float, float]:
    if unseen == 0:
        return float(seen), float(seen)
    k = exp(float(ndtri(0.5 + level / 2)) * sqrt(log(1 + variance / unseen**2)))
    return seen + unseen / k, seen + unseen * k
