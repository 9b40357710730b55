"""Is every edge needed? Minimality test with control of the family-wise error.

Shi et al. 2024 (arXiv 2410.13032): an edge that matters no more than a random edge added to the
circuit is redundant. Their code leaves the correction over edges open; here it is Holm's.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import binom

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.evaluate.hypothesis import highest_rejected_count, share_intervals
from circuitvar.circuits.multiplicity import holm


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
