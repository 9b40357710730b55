"""Does the circuit score like the full model? Non-equivalence test and TOST on the win share.

Definitions of Shi et al. 2024 (arXiv 2410.13032), in their share form: the statistic is the share
of examples on which the circuit scores higher than the model. Their released code feeds the mean
score difference into the same formula; that is not what is tested here.
"""

from typing import Any

import numpy as np
from jaxtyping import Real
from scipy.stats import binom

from circuitvar.circuits.evaluate.hypothesis import Examples, HypothesisTest, share_interval

Counts = Real[np.ndarray, " count"]

TIE = 1e-5
"""Differences up to this share of the mean |score| are rounding of float32, hence ties."""


def count_wins(circuit: Examples, full: Examples) -> tuple[float, int]:
    """(K, ties): examples on which the circuit scores higher; a tie counts one half.

    Without a tolerance, a circuit equal to the model could be rejected on rounding alone.

    Raises
    ------
    ValueError
        If the arrays differ in shape, are empty or hold NaN.
    """
    circuit, full = np.asarray(circuit, dtype=float), np.asarray(full, dtype=float)
    if circuit.shape != full.shape or circuit.ndim != 1 or circuit.size == 0:
        raise ValueError(
            "circuit and full must be one score per example, same length and not empty; "
            f"got shapes {circuit.shape} and {full.shape}"
        )
    difference = circuit - full
    if np.isnan(difference).any():
        raise ValueError(f"score of example {int(np.argmax(np.isnan(difference)))} is NaN")
    tied = np.abs(difference) <= TIE * np.abs(full).mean()
    ties = int(tied.sum())
    return float((difference[~tied] > 0).sum()) + ties / 2, ties


def non_equivalence_p(wins: float, n: int, epsilon: float) -> float:
    """p = sum of Bin(k; n, 1/2 + epsilon) over k with |k/n - 1/2| >= |wins/n - 1/2|.

    >>> round(non_equivalence_p(130, 200, 0.1), 7), round(non_equivalence_p(120, 200, 0.1), 7)
    (0.0843978, 0.5306622)
    """
    return float(_non_equivalence_ps(np.array([wins]), n, epsilon)[0])


def _non_equivalence_ps(wins: Counts, n: int, epsilon: float) -> Counts:
    distance = np.abs(wins - n / 2)
    upper = np.ceil(n / 2 + distance - 1e-9)
    lower = np.floor(n / 2 - distance + 1e-9)
    share = 0.5 + epsilon
    tails = binom.sf(upper - 1, n, share) + binom.cdf(lower, n, share)
    return np.where(lower >= upper, 1.0, tails)


def tost_p(wins: float, n: int, epsilon: float) -> float:
    """p of two one-sided tests: the larger of P(Bin(n, 1/2 - eps) >= K), P(Bin(n, 1/2 + eps) <= K).

    >>> round(tost_p(100, 200, 0.1), 4)
    0.0026
    """
    return float(_tost_ps(np.array([wins]), n, epsilon)[0])


def _tost_ps(wins: Counts, n: int, epsilon: float) -> Counts:
    above = binom.sf(np.floor(wins) - 1, n, 0.5 - epsilon)
    below = binom.cdf(np.ceil(wins), n, 0.5 + epsilon)
    return np.maximum(above, below)


def _win_share(
    circuit: Examples, full: Examples, epsilon: float, confidence: float
) -> tuple[float, dict[str, Any]]:
    """The wins, and what both tests say of their share."""
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon must be between 0 and 1/2, got {epsilon}")
    (wins, ties), n = count_wins(circuit, full), len(circuit)
    low, high = share_interval(wins, n, confidence=confidence)
    return wins, {
        **{"statistic": wins / n, "n": n, "low": low, "high": high},
        "estimand": "share of examples on which the circuit scores higher than the model",
        "note": f"{ties} of {n} examples tied, counted one half each",
    }


def _power(rule: np.ndarray, n: int, share: float) -> float:
    return float(binom.pmf(np.flatnonzero(rule), n, share).sum())


def equivalence_test(
    circuit: Examples,
    full: Examples,
    *,
    epsilon: float = 0.1,
    alpha: float = 0.05,
    alternative: float | None = None,
) -> HypothesisTest:
    """H0: |P(circuit > full) - 1/2| <= epsilon. Rejection = the circuit is NOT equivalent.

    Power is exact, at a win share of `alternative` (default 1/2 + 2 epsilon). The interval is the
    Clopper-Pearson interval of the win share. Shi et al. 2024, arXiv 2410.13032, section 3.
    Departure: ties count one half, so a circuit identical to the model is never rejected.
    """
    wins, facts = _win_share(circuit, full, epsilon, 1 - alpha)
    n = len(circuit)
    share = min(0.5 + 2 * epsilon, 0.99) if alternative is None else alternative
    rule = _non_equivalence_ps(np.arange(n + 1.0), n, epsilon) <= alpha
    return HypothesisTest(
        name="equivalence",
        null=f"|P(circuit scores higher) - 1/2| <= {epsilon:g}",
        p=non_equivalence_p(wins, n, epsilon),
        alpha=alpha,
        power=_power(rule, n, share),
        alternative=f"a win share of {share:g}",
        if_rejected="the circuit is not equivalent to the model",
        **facts,
    )


def tost(
    circuit: Examples, full: Examples, *, epsilon: float = 0.1, alpha: float = 0.05
) -> HypothesisTest:
    """H0: |P(circuit > full) - 1/2| >= epsilon. Rejection = evidence FOR equivalence.

    Two one-sided tests; power is exact, at a true win share of 1/2. The interval has confidence
    1 - 2 alpha, as usual for TOST: it lies within 1/2 +- epsilon when the test rejects.
    """
    wins, facts = _win_share(circuit, full, epsilon, 1 - 2 * alpha)
    n = len(circuit)
    rule = _tost_ps(np.arange(n + 1.0), n, epsilon) <= alpha
    return HypothesisTest(
        name="equivalence (TOST)",
        null=f"|P(circuit scores higher) - 1/2| >= {epsilon:g}",
        p=tost_p(wins, n, epsilon),
        alpha=alpha,
        power=_power(rule, n, 0.5),
        alternative="a win share of exactly 1/2",
        if_rejected=f"the win share is within {epsilon:g} of 1/2",
        **facts,
    )
