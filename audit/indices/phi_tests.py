"""Differences between two values of phi, and tests of one against a bar.

Section 4.3 of Nogueira, Sechidis and Brown, JMLR 18(174), 2018.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import t as student_t

from circuitvar.audit.indices.phi import Masks, phi, phi_of_runs, row_projections
from circuitvar.audit.intervals import resample_se, t_interval
from circuitvar.audit.types import Estimate


def phi_difference(
    masks_a: Masks,
    masks_b: Bool[np.ndarray, "other edge"],
    counts: Float[np.ndarray, "run unit"] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """phi(b) - phi(a), with an interval.

    With `counts`: paired, both from the same resamples (IJ of the difference). Without: two
    independent groups of independent runs, their own intervals recovered into one of the difference
    (MOVER, Zou and Donner 2008): low = d - sqrt((b - low_b)² + (high_a - a)²).
    """
    gap = phi(masks_b) - phi(masks_a)
    if counts is None:
        a, b = (phi_of_runs(masks, level=level) for masks in (masks_a, masks_b))
        low = gap - float(np.hypot(b.value - b.low, a.high - a.value))
        high = gap + float(np.hypot(b.high - b.value, a.value - a.low))
        se, n = float(np.hypot(a.se, b.se)), min(len(masks_a), len(masks_b))
        ends, how = (max(low, -2.0), min(high, 2.0)), "independent groups, row jackknife"
        return Estimate("phi difference", gap, se, *ends, level, n, how, kind="runs", unit="run")
    t = 2 * (row_projections(masks_b) - row_projections(masks_a))
    se = resample_se(counts, t - t.mean()) if np.isfinite(t).all() else float("nan")
    df, how = counts.shape[1] - 1, "paired infinitesimal jackknife"
    found = Estimate("phi difference", gap, se, level=level, n=df + 1, interval=how)
    return t_interval(replace(found, kind="resamples"), df=df)


def phi_test(
    estimate: Estimate,
    null: float,
    *,
    side: Literal["greater", "less", "two-sided"] = "greater",
    df: float | None = None,
) -> float:
    """p-value of V = (phi - phi_0)/SE (section 4.3 of the paper) against t(df).

    By default with n - 1 degrees of freedom; `df=inf` is the normal law of the paper, which rejects
    too much for few runs. The SE must be one that is valid for the design.
    """
    if not estimate.se > 0:
        return float("nan")
    df = float(estimate.n - 1) if df is None else df
    t = (estimate.value - null) / estimate.se
    tail = {
        "greater": student_t.sf(t, df),
        "less": student_t.cdf(t, df),
        "two-sided": 2 * student_t.sf(abs(t), df),
    }
    return float(tail[side])
