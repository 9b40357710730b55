"""Tests that compare a circuit with random ones: sufficiency, partial necessity, minimality.

The first two ask for the share of random circuits that the circuit beats (Shi et al. 2024,
arXiv 2410.13032): by being closer to the full model when run alone (sufficiency), or by doing
more damage when knocked out (partial necessity). Minimality asks of every edge whether it matters
more than a random edge added to the circuit; their code leaves the correction over edges open,
here it is Holm's.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import binom

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.evaluate.hypothesis import (
    HypothesisTest,
    highest_rejected_count,
    lowest_rejected_count,
    share_interval,
    share_intervals,
)
from circuitvar.circuits.multiplicity import holm


def squared_error(
    scores: Float[np.ndarray, "*draw example"], full: Float[np.ndarray, " example"]
) -> Float[np.ndarray, "*draw"]:
    """Effect metric of Shi et al.: mean over examples of the squared difference of scores."""
    squares = (np.asarray(scores, dtype=float) - np.asarray(full, dtype=float)) ** 2
    return np.asarray(squares.mean(axis=-1))


def _beats_random(
    name: str,
    beaten: np.ndarray,
    *,
    quantile: float,
    alpha: float,
    alternative: float,
    what: str,
    verdict: str,
) -> HypothesisTest:
    if beaten.ndim != 1 or beaten.size == 0:
        raise ValueError(f"need one value per random circuit, got shape {beaten.shape}")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1, got {quantile}")
    n, wins = len(beaten), int(beaten.sum())
    critical = lowest_rejected_count(n, quantile, alpha)
    low, high = share_interval(wins, n, confidence=1 - alpha)
    return HypothesisTest(
        name=name,
        null=f"P({what}) <= {quantile:g}",
        statistic=wins / n,
        p=float(binom.sf(wins - 1, n, quantile)),
        alpha=alpha,
        n=n,
        power=float(binom.sf(critical - 1, n, alternative)),
        alternative=f"a true share of {alternative:g}",
        low=low,
        high=high,
        estimand="share of random circuits beaten",
        if_rejected=verdict,
        note=f"beats {wins} of {n} random circuits; {critical} are needed at this alpha"
        if critical <= n
        else f"no count out of {n} can reject at this alpha: draw more random circuits",
    )


def sufficiency_test(
    distance: float,
    random_distances: Float[np.ndarray, " draw"],
    *,
    quantile: float = 0.9,
    alpha: float = 0.05,
    alternative: float = 0.99,
) -> HypothesisTest:
    """H0: P(closer to the model than a random circuit) <= quantile. Rejection = sufficient.

    Distances are `squared_error` to the full model; a tie is not a win. One-sided exact binomial.

    >>> sufficiency_test(0.1, np.r_[np.ones(96), np.zeros(4)]).rejected
    True
    """
    others = _finite(distance, random_distances)
    levels = {"quantile": quantile, "alpha": alpha, "alternative": alternative}
    return _beats_random(
        "sufficiency",
        distance < others,
        **levels,
        what="circuit is closer to the model than a random circuit",
        verdict=f"it is closer to the model than {100 * quantile:g} % of random circuits",
    )


def partial_necessity_test(
    damage: float,
    random_damages: Float[np.ndarray, " draw"],
    *,
    quantile: float = 0.9,
    alpha: float = 0.05,
    alternative: float = 0.99,
) -> HypothesisTest:
    """H0: P(knock-out damages more than that of a random circuit) <= quantile.

    Damages are `squared_error` between the complement and the full model, for the circuit and for
    random circuits of the same size; a tie is not a win. Draw those from outside the circuit (see
    `outside_circuits`): circuits that share its edges share its damage.
    """
    others = _finite(damage, random_damages)
    levels = {"quantile": quantile, "alpha": alpha, "alternative": alternative}
    return _beats_random(
        "partial necessity",
        damage > others,
        **levels,
        what="knocking the circuit out damages more than knocking out a random circuit",
        verdict=f"its knock-out damages more than that of {100 * quantile:g} % of random circuits",
    )


def _finite(value: float, random_effects: np.ndarray) -> np.ndarray:
    others = np.asarray(random_effects, dtype=float)
    if np.isnan(value) or np.isnan(others).any():
        raise ValueError("effect of the circuit or of a random circuit is NaN")
    return others


def minimality_test(
    edge_effects: Float[np.ndarray, " edge"],
    random_effects: Float[np.ndarray, " draw"] | Float[np.ndarray, "edge draw"],
    *,
    quantile: float = 0.9,
    alpha: float = 0.05,
    alternative: float = 0.5,
    names: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Per edge, H0: P(its knock-out effect > that of a random added edge) >= quantile.

    Rejection = the edge is redundant, the circuit is not minimal. `edge_effects` are effects of
    removing each edge of the circuit; `random_effects` those of removing a random edge that was
    added to the circuit (one set of draws for all edges, or one per edge). A tie is not a win.
    p is the lower binomial tail, adjusted by Holm; `power` is that of the strictest (Bonferroni)
    step at a true share of `alternative`: small values mean that more draws are needed.

    Returns one row per edge: edge, effect, share, low, high (Clopper-Pearson), p, p_holm,
    redundant, power.

    Raises
    ------
    ValueError
        If an effect is NaN, the shapes do not match, or `alpha` is no error rate.
    """
    check_alpha(alpha)
    effects = np.asarray(edge_effects, dtype=float)
    draws = np.asarray(random_effects, dtype=float)
    draws = np.broadcast_to(draws, (len(effects), draws.shape[-1])) if draws.ndim == 1 else draws
    if draws.shape[0] != len(effects) or draws.shape[1] == 0 or effects.size == 0:
        raise ValueError(
            f"random_effects must be [draw] or [edge, draw] with {len(effects)} edges and at "
            f"least one draw; got shape {np.asarray(random_effects).shape}"
        )
    if np.isnan(effects).any() or np.isnan(draws).any():
        raise ValueError("an edge effect or a random effect is NaN")
    n = draws.shape[1]
    wins = (effects[:, None] > draws).sum(axis=1)
    p = binom.cdf(wins, n, quantile)
    adjusted = holm(p)
    low, high = share_intervals(wins, n, confidence=1 - alpha)
    critical = highest_rejected_count(n, quantile, alpha / len(effects))
    power = float(binom.cdf(critical, n, alternative)) if critical >= 0 else 0.0
    return pd.DataFrame(
        {
            "edge": list(names) if names is not None else np.arange(len(effects)),
            "effect": effects,
            "share": wins / n,
            "low": low,
            "high": high,
            "p": p,
            "p_holm": adjusted,
            "redundant": adjusted <= alpha,
            "power": power,
        }
    )
