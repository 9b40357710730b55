"""Bounds on how many low-probability edges are kept by an inclusion threshold.

Base procedure: the top q of E edges on half samples (B complementary pairs, without duplicates);
keep edges with inclusion >= tau. Meinshausen and Bühlmann (2010); Shah and Samworth (2013). In the
latter, and here, "low-probability" means an edge whose own selection probability at n/2 is at most
q/E, not one that is causally false. Bootstrap frequencies must not be fed into these bounds.
"""

import numpy as np
from scipy.optimize import brentq, minimize_scalar


def _check(tau: float, q: float, n_edges: int, pairs: int) -> None:
    if not 0 < q <= n_edges:
        raise ValueError(f"q is {q}; it is the number kept per half sample, 1 to {n_edges} edges")
    if not 0.5 < tau <= 1:
        raise ValueError(f"tau is {tau}; the bounds hold for thresholds in (0.5, 1]")
    if pairs < 1:
        raise ValueError(f"{pairs} complementary pairs; use at least 1, usually 50")


def worst_case(tau: float, q: float, n_edges: int) -> float:
    """q² / ((2 tau - 1) E): the Meinshausen-Bühlmann bound, also the worst case of Shah-Samworth.

    >>> round(worst_case(0.9, 1000, 32491), 1)
    38.5
    """
    _check(tau, q, n_edges, 1)
    return q * q / ((2 * tau - 1) * n_edges)


def unimodal(tau: float, q: float, n_edges: int, *, pairs: int = 50) -> float:
    """C(tau, B) q² / E for unimodal selection counts, at most the worst case.

    NaN outside its conditions: theta = q/E at most 1/sqrt(3), and tau above
    min(1/2 + theta², 1/2 + 1/(2B) + 3 theta²/4) and above 1/2 + 1/(4B), where C turns positive.

    >>> round(unimodal(0.9, 1000, 32491, pairs=50), 1)
    13.3
    """
    _check(tau, q, n_edges, pairs)
    theta, step = q / n_edges, 1 / (2 * pairs)
    least = max(0.5 + step / 2, min(0.5 + theta**2, 0.5 + step + 0.75 * theta**2))
    if tau <= least or theta > 1 / np.sqrt(3):
        return float("nan")
    if tau <= 0.75:
        factor = 1 / (2 * (2 * tau - 1 - step))
    else:
        factor = 4 * (1 - tau + step) / (1 + 2 * step)
    return min(factor * theta * q, worst_case(tau, q, n_edges))


def r_concave(tau: float, q: float, n_edges: int, *, pairs: int = 50) -> float:
    """E min{D(theta², 2 tau - 1; B, -1/2), D(theta, tau; 2B, -1/4)}, theta = q/E: the sharpest.

    At most the worst case, which is smaller where theta is large and D becomes 1.
    Report as "at most x of the kept edges are expected to be low-probability".

    >>> round(r_concave(0.9, 50, 1000, pairs=50), 5)
    0.1705
    """
    _check(tau, q, n_edges, pairs)
    theta = q / n_edges
    simultaneous = r_concave_tail(theta**2, 2 * tau - 1, pairs, -0.5)
    single = r_concave_tail(theta, tau, 2 * pairs, -0.25)
    return min(n_edges * min(simultaneous, single), worst_case(tau, q, n_edges))


def r_concave_tail(mean: float, t: float, grid: int, r: float) -> float:
    """D(mean, t; B, r): max P(X >= t) over r-concave laws on {0, 1/B, ..., 1} with this mean.

    The extremal laws are f(i) = c (a + i)^(1/r) for i <= K with the remaining mass on K + 1; for
    each K the offset a is searched between the values that match the mean with K and with K + 1
    points; K = B is the pure family. A decreasing law on 0..K has its mean below K/2, so up to
    t = ceil(2 B mean) / B nothing below 1 can be claimed.
    """
    first = int(np.ceil(np.round(t * grid, 9)))
    if first <= np.ceil(np.round(2 * grid * mean, 9)):
        return 1.0
    if mean <= 0:
        return 0.0
    target = mean * grid
    offsets = {k: _matching_offset(target, k, r) for k in range(max(first - 1, 1), grid + 1)}
    best = 0.0
    for last in range(max(first - 1, 1), grid):
        low, high = sorted((offsets[last], offsets[last + 1]))
        if not np.isfinite(high):
            continue

        def tail(log_a: float, last: int = last) -> float:
            return -_tail_of_law(np.exp(log_a), target, last, first, r)

        span = (np.log(low), np.log(high))
        found = minimize_scalar(tail, bounds=span, method="bounded", options={"xatol": 1e-10})
        best = max(best, -float(found.fun), -tail(span[0]), -tail(span[1]))  # pyright: ignore[reportAttributeAccessIssue]
    pure = offsets[grid]
    if np.isfinite(pure):
        weights = (pure + np.arange(grid + 1)) ** (1 / r)
        best = max(best, float(weights[first:].sum() / weights.sum()))
    return min(best, 1.0)


def _matching_offset(target: float, last: int, r: float) -> float:
    """Offset a at which (a + i)^(1/r) on 0..last has mean `target`; inf where none is needed."""
    i = np.arange(last + 1)

    def excess(log_a: float) -> float:
        weights = ((np.exp(log_a) + i) / np.exp(log_a)) ** (1 / r)
        return float(weights @ i / weights.sum()) - target

    if excess(30.0) < 0:
        return float("inf")
    if excess(-60.0) > 0:
        return float(np.exp(-60.0))
    root = brentq(excess, -60.0, 30.0, xtol=1e-13)
    return float(np.exp(root))  # pyright: ignore[reportArgumentType, reportCallIssue]


def _tail_of_law(a: float, target: float, last: int, first: int, r: float) -> float:
    """P(X >= first) of the mixed law: (a + i)^(1/r) on 0..last, remaining mass on last + 1."""
    i = np.arange(last + 1)
    weights = ((a + i) / a) ** (1 / r)
    scale = (last + 1 - target) / ((last + 1 - i) @ weights)
    mass = scale * weights
    rest = 1 - mass.sum()
    if rest < -1e-9:
        return 0.0
    return float(mass[first:].sum() + max(rest, 0.0) * (last + 1 >= first))
