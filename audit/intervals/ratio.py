"""Ratios of means over clustered examples, with a delete-one-unit jackknife interval.

Faithfulness, circuit error, accuracy and mean KL are all ratios of sums over examples. The unit
that is left out is the template where there are enough templates, else the prompt.
"""

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.intervals.intervals import row_jackknife_se, t_interval
from circuitvar.audit.types import Estimate
from circuitvar.circuits.binomial import clopper_pearson
from circuitvar.tasks.units import sampling_units


def ratio_of_means(
    name: str,
    numerator: Float[np.ndarray, " example"],
    denominator: Float[np.ndarray, " example"] | float = 1.0,
    *,
    templates: tuple[str, ...] | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    estimand: str = "",
) -> Estimate:
    """sum(numerator) / sum(denominator) with value ± t(units - 1) * jackknife SE.

    With the default denominator it is a mean. NaN where the denominators sum to zero.

    >>> e = ratio_of_means("mean", np.array([1.0, 2.0, 3.0, 6.0]))
    >>> e.value, round(e.se, 4)
    (3.0, 1.0801)
    """
    top = np.asarray(numerator, dtype=np.float64)
    bottom = np.broadcast_to(np.asarray(denominator, dtype=np.float64), top.shape)
    of_example, unit = sampling_units(len(top), templates)
    tops = np.bincount(of_example, weights=top)
    bottoms = np.bincount(of_example, weights=bottom)
    total = bottoms.sum()
    value = tops.sum() / total if total else float("nan")
    rest = total - bottoms
    left_out = np.full(len(tops), np.nan)
    np.divide(tops.sum() - tops, rest, out=left_out, where=rest != 0)
    estimate = Estimate(
        name,
        float(value),
        row_jackknife_se(left_out),
        level=level,
        n=len(tops),
        interval=f"delete-one-{unit} jackknife t",
        estimand=estimand,
        kind="jackknife",
        unit=unit,
    )
    return t_interval(estimate, df=len(tops) - 1, bounds=bounds)


def share_estimate(
    name: str,
    happened: Bool[np.ndarray, " example"],
    *,
    templates: tuple[str, ...] | None = None,
    level: float = 0.95,
    estimand: str = "",
) -> Estimate:
    """Share of examples where something happened.

    The jackknife of `ratio_of_means`, except where it happened always or never: the jackknife
    would claim certainty, so the exact binomial bound over prompts is given instead.

    >>> round(share_estimate("error", np.zeros(200, dtype=bool)).high, 4)
    0.0183
    """
    happened = np.asarray(happened, dtype=bool)
    n, count = len(happened), int(happened.sum())
    if 0 < count < n:
        return ratio_of_means(
            name,
            happened.astype(float),
            templates=templates,
            level=level,
            bounds=(0.0, 1.0),
            estimand=estimand,
        )
    low, high = clopper_pearson(count, n, alpha=1 - level)
    return Estimate(
        name,
        count / n,
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        interval="Clopper-Pearson, prompts taken as independent",
        estimand=estimand,
        kind="exact",
        unit="prompt",
    )
