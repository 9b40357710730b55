"""Does the explanation do the unit's work? Replace the unit by its simulation, read the output.

a = 1 - sum |y_sim - y| / sum |y_mean - y| over examples, y a number per example (logit
difference, loss) with the unit intact, simulated or set to its mean. 1 is perfect, 0 no better
than the mean. Published averages are small (best .07 for ResNet-50, 2405.06855), so expect that.
"""

import numpy as np
from jaxtyping import Float

from circuitvar.audit.types import Estimate

Outputs = Float[np.ndarray, " example"]


def substitution_score(
    intact: Outputs,
    simulated: Outputs,
    mean_ablated: Outputs,
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Share of the unit's effect that its explanation restores, with a prompt-bootstrap interval.

    >>> y = np.array([1.0, 2.0]); mean = np.array([0.0, 0.0])
    >>> substitution_score(y, y, mean, rng=np.random.default_rng(0)).value
    1.0
    """
    lost = np.abs(np.asarray(simulated, float) - intact)
    effect = np.abs(np.asarray(mean_ablated, float) - intact)
    if not (np.isfinite(lost).all() and np.isfinite(effect).all()):
        raise ValueError("outputs contain NaN or infinity; check the ablated runs.")
    n = len(effect)
    if effect.sum() <= 1e-9 * max(np.abs(intact).sum(), 1e-12):
        return Estimate(
            "substitution score",
            float("nan"),
            n=n,
            estimand="unit has no effect",
            unit="prompt",
            missing="no interval: unit has no effect",
        )
    draws = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    below = draws @ effect
    values = np.where(below > 0, 1 - (draws @ lost) / np.where(below > 0, below, 1), np.nan)
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Estimate(
        name="substitution score",
        value=float(1 - lost.sum() / effect.sum()),
        se=float(np.nanstd(values, ddof=1)),
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        interval="percentile bootstrap over prompts",
        kind="bootstrap",
        unit="prompt",
        estimand="share of the unit's effect on the output restored by its simulation",
        draws=values,
    )
