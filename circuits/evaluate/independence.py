"""Does the complement of the circuit still carry the task? HSIC permutation test.

Shi et al. 2024 (arXiv 2410.13032): if what is left after knocking the circuit out still depends
on the model's score, the circuit is not complete. Departures from their code: the bandwidth is
the median distance within each sample, and p counts the observed arrangement, so it is never 0.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.evaluate.hypothesis import Examples, HypothesisTest

Orders = Int[np.ndarray, "draw example"]
MAX_EXAMPLES = 500
CONSTANT = 1e-5
"""A score that varies less than this share of the scores' size is constant up to rounding."""


def _kernel(x: Examples) -> Float[np.ndarray, "example example"]:
    """exp(-d^2 / (2 s^2)) with s the median pairwise distance (1 if that is 0)."""
    distance = np.abs(x[:, None] - x[None, :])
    s = float(np.median(distance[np.triu_indices(len(x), 1)])) or 1.0
    return np.exp(-(distance**2) / (2 * s * s))


def hsic(x: Examples, y: Examples) -> float:
    """Hilbert-Schmidt independence criterion tr(KHLH) / (n - 1)^2, Gaussian kernels.

    >>> round(hsic(np.arange(1.0, 7.0), np.arange(1.0, 7.0)), 7)
    0.1238656
    """
    identity = np.arange(len(x))[None]
    return float(_permuted_hsic(np.asarray(x, float), np.asarray(y, float), identity)[0])


def _permuted_hsic(x: Examples, y: Examples, order: Orders) -> Float[np.ndarray, " draw"]:
    """HSIC of x with y rearranged by each row of `order`; K is centred once."""
    n = len(x)
    k = _kernel(x)
    k = k - k.mean(axis=0) - k.mean(axis=1, keepdims=True) + k.mean()
    kernel = _kernel(y)
    return np.array([np.vdot(k, kernel[np.ix_(p, p)]) for p in order]) / (n - 1) ** 2


def _correlated_orders(
    x: np.ndarray, y: np.ndarray, correlation: float, draws: int, rng: np.random.Generator
) -> Orders:
    """Rearrangements of y whose ranks follow those of x through a Gaussian copula."""
    n = len(x)
    scores = norm.ppf((np.argsort(np.argsort(x)) + 0.5) / n)
    noise = rng.normal(size=(draws, n))
    latent = correlation * scores + np.sqrt(1 - correlation**2) * noise
    return np.argsort(y)[np.argsort(np.argsort(latent, axis=1), axis=1)]


def independence_test(
    complement: Examples,
    full: Examples,
    *,
    rng: np.random.Generator,
    permutations: int = 1000,
    alpha: float = 0.05,
    alternative: float = 0.3,
    power_draws: int = 200,
) -> HypothesisTest:
    """H0: the score of the complement is independent of the model's. Rejection = it is not.

    p = (1 + #{permuted HSIC >= observed}) / (permutations + 1). Power is simulated: y rearranged
    to a Gaussian-copula correlation of `alternative` with x, same margins, against the same
    critical value. Above 500 examples a random 500 are used (kernels are n x n).

    Raises
    ------
    ValueError
        If there are fewer than 5 examples, a score is NaN, `alpha` is no error rate, or the
        permutations are too few for p to reach it.
    """
    check_alpha(alpha)
    if alpha * (permutations + 1) < 1 - 1e-9:
        raise ValueError(
            f"{permutations} permutations cannot give p <= {alpha:g}; "
            f"use at least {int(np.ceil(1 / alpha)) - 1}"
        )
    x, y = np.asarray(complement, dtype=float), np.asarray(full, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 5:
        raise ValueError(
            f"need two score arrays of equal length >= 5, got shapes {x.shape} and {y.shape}"
        )
    if np.isnan(x).any() or np.isnan(y).any():
        bad = int(np.argmax(np.isnan(x) | np.isnan(y)))
        raise ValueError(f"score of example {bad} is NaN")
    note = f"{permutations} permutations"
    if len(x) > MAX_EXAMPLES:
        chosen = rng.choice(len(x), MAX_EXAMPLES, replace=False)
        note += f"; {MAX_EXAMPLES} of {len(x)} examples drawn at random"
        x, y = x[chosen], y[chosen]
    if min(np.ptp(x), np.ptp(y)) <= CONSTANT * max(np.abs(x).mean(), np.abs(y).mean()):
        # Rounding noise depends on the prompt: standardised, it would look like a signal.
        x, y = (np.zeros_like(x), y) if np.ptp(x) <= np.ptp(y) else (x, np.zeros_like(y))
        note += "; one score is constant, so independence cannot be rejected"
    observed = hsic(x, y)
    orders = rng.permuted(np.tile(np.arange(len(x)), (permutations, 1)), axis=1)
    null = _permuted_hsic(x, y, orders)
    # A constant score makes every arrangement equal up to rounding.
    slack = 1e-12 * max(1.0, abs(observed))
    p = (1 + int((null >= observed - slack).sum())) / (permutations + 1)
    # p <= alpha exactly when at most `allowed` permuted values reach the observed one.
    allowed = int(np.floor(alpha * (permutations + 1) + 1e-9)) - 1
    critical = np.sort(null)[permutations - 1 - allowed]
    planted = _correlated_orders(x, y, alternative, power_draws, rng)
    power = float((_permuted_hsic(x, y, planted) > critical + slack).mean())
    return HypothesisTest(
        name="independence",
        null="the complement's score is independent of the model's score",
        statistic=observed,
        p=p,
        alpha=alpha,
        n=len(x),
        power=power,
        alternative=f"a rank correlation of {alternative:g} with the same margins",
        if_rejected="the complement still carries information about the model's score",
        note=note,
    )
