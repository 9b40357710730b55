"""Every compared method against exact patching, over all edges, on the same prompts.

One row per method: bias and noise (layer L1 of the ledger, variance reference section 2), rank
correlation and sign agreement with delete-one-unit jackknife intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.variance.against_exact import agreement_estimates
from circuitvar.audit.variance.approximation import approximation_error
from circuitvar.circuits.types import Method

SHOWN = {
    "rank correlation with exact": "rank",
    "top-n overlap with exact": "overlap",
    "sign agreement with exact": "sign_strongest",
}
"""Estimate -> start of its columns."""


@dataclass(frozen=True, eq=False)
class OnExact:
    """Scores of one method on the prompts that were also patched exactly."""

    method: Method
    values: Float[np.ndarray, "example edge"]


def methods_table(
    methods: Sequence[OnExact],
    exact: Float[np.ndarray, "example edge"],
    templates: tuple[str, ...],
    *,
    size: int,
    signed: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per method, in the order given.

    `bias` is the mean of h - c over edges and prompts, `bias_rms` the root mean square over edges
    of each edge's bias, `noise_sd` the root mean over edges of the noise variance, `exact_rms` the
    root mean square of mean exact effects: all in metric units, NaN for a method on another scale.
    `covariance` is the mean over edges of 2 Cov(c, d), squared metric units: Var(h) = Var(c) +
    Var(d) + 2 Cov(c, d), with c the exact effect, h the score and d = h - c less its mean.
    `sign` is the share of all edges with a non-zero exact effect whose mean scores agree in sign,
    `sign_strongest` that among the `size` strongest by exact patching.

    Raises
    ------
    ValueError
        Scores and exact scores differ in shape, or are not finite.
    """
    truth = exact.mean(axis=0, dtype=np.float64)
    rows = []
    for one in methods:
        row: dict[str, object] = {"method": one.method.key}
        row |= _error(one, exact)
        row["sign"] = _signs(one.values.mean(axis=0, dtype=np.float64), truth)
        for estimate in agreement_estimates(
            one.values, exact, templates, size=size, signed=signed, level=level
        ):
            start = SHOWN[estimate.name]
            row |= {start: estimate.value, f"{start}_low": estimate.low}
            row |= {f"{start}_high": estimate.high}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.insert(1, "exact_rms", float(np.sqrt((truth**2).mean())))
    frame["n"] = len(exact)
    return frame


def _error(one: OnExact, exact: Float[np.ndarray, "example edge"]) -> dict[str, float]:
    if one.method.unit != "metric":
        return dict.fromkeys(("bias", "bias_rms", "noise_sd", "covariance"), np.nan)
    error = approximation_error(one.values, exact)
    return {
        "bias": float(error.bias.mean()),
        "bias_rms": float(np.sqrt((error.bias**2).mean())),
        "noise_sd": float(np.sqrt(error.noise_variance.mean())),
        "covariance": float(2 * error.covariance.mean()),
    }


def _signs(mean: Float[np.ndarray, " edge"], truth: Float[np.ndarray, " edge"]) -> float:
    real = truth != 0
    return float((np.sign(mean[real]) == np.sign(truth[real])).mean()) if real.any() else np.nan
