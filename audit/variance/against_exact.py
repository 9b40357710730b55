"""Does an approximation rank edges as exact patching does? Agreement of means, with intervals.

Both are scored on the same prompts, so the comparison is free of sampling differences; what prompts
remain uncertain enters through a delete-one-unit jackknife. A table has one row per method.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.indices import spearman
from circuitvar.audit.intervals import jackknife_estimate
from circuitvar.audit.resampling import Scores, membership
from circuitvar.audit.types import Estimate
from circuitvar.audit.variance.approximation import approximation_error, check_pair
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.types import Method
from circuitvar.tasks.units import sampling_units

Edge = Float[np.ndarray, " edge"]
SHOWN = {
    "rank correlation with exact": "rank",
    "top-n overlap with exact": "overlap",
    "sign agreement with exact": "sign_strongest",
}
"""Estimate -> start of its columns."""


def top_overlap(a: Edge, b: Edge, size: int, *, signed: bool = False) -> float:
    """Share of the `size` strongest edges that two score vectors have in common.

    Edges with score 0 are never kept (`select.top_n`): where fewer than `size` are left it is the
    share of the larger of the two sets. NaN where both are empty.

    >>> top_overlap(np.array([3.0, 2.0, 1.0]), np.array([3.0, 0.0, 1.0]), 2)
    0.5
    """
    masks = top_n_masks(np.stack([a, b]), size, signed=signed)
    kept = int(masks.sum(axis=1).max())
    return float((masks[0] & masks[1]).sum() / kept) if kept else float("nan")


def sign_agreement(a: Edge, b: Edge, size: int) -> float:
    """Share of the `size` strongest edges of `b` on which both have the same sign.

    Edges without an effect in `b` have none. NaN where no edge has one.
    """
    strongest = np.argsort(-np.abs(b), kind="stable")[:size]
    real = strongest[b[strongest] != 0]
    return float((np.sign(a[real]) == np.sign(b[real])).mean()) if len(real) else float("nan")


def agreement_estimates(
    method: Scores,
    exact: Scores,
    templates: tuple[str, ...],
    *,
    size: int,
    signed: bool = False,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Rank correlation over all edges, overlap and sign agreement on the strongest `size`."""
    check_pair(method, exact)
    kind = "scores" if signed else "|scores|"
    statistics = (
        (
            lambda a, b: spearman(a, b) if signed else spearman(np.abs(a), np.abs(b)),
            f"Spearman correlation of mean {kind} over all edges",
            -1.0,
        ),
        (
            lambda a, b: top_overlap(a, b, size, signed=signed),
            f"share of the {size} strongest edges in common",
            0.0,
        ),
        (
            lambda a, b: sign_agreement(a, b, size),
            f"share of equal signs on the {size} strongest edges by exact patching",
            0.0,
        ),
    )
    of_example, unit = sampling_units(len(method), templates)
    left_out = [_leave_one_out(scores, of_example) for scores in (method, exact)]
    means = [scores.mean(axis=0, dtype=np.float64) for scores in (method, exact)]
    found = []
    for name, (statistic, estimand, floor) in zip(SHOWN, statistics, strict=True):
        each = np.array([statistic(*pair) for pair in zip(*left_out, strict=True)])
        said = {"unit": unit, "level": level, "bounds": (floor, 1.0), "estimand": estimand}
        found.append(jackknife_estimate(name, statistic(*means), each, **said))
    return tuple(found)


def _leave_one_out(scores: Scores, unit: np.ndarray) -> Float[np.ndarray, "unit edge"]:
    """Mean scores without each unit."""
    sums = membership(unit) @ scores.astype(np.float64)
    sizes = np.bincount(unit)[:, None]
    return (sums.sum(axis=0) - sums) / (sizes.sum() - sizes)


@dataclass(frozen=True, eq=False)
class OnExact:
    """Scores of one method on the prompts that were also patched exactly."""

    method: Method
    values: Scores


def methods_table(
    methods: Sequence[OnExact],
    exact: Scores,
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
    """
    truth = exact.mean(axis=0, dtype=np.float64)
    how = {"size": size, "signed": signed, "level": level}
    rows = []
    for one in methods:
        row: dict[str, object] = {"method": one.method.key}
        row |= _error(one, exact)
        row["sign"] = sign_agreement(one.values.mean(axis=0, dtype=np.float64), truth, len(truth))
        for estimate in agreement_estimates(one.values, exact, templates, **how):
            start = SHOWN[estimate.name]
            row |= {start: estimate.value, f"{start}_low": estimate.low}
            row |= {f"{start}_high": estimate.high}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.insert(1, "exact_rms", float(np.sqrt((truth**2).mean())))
    return frame.assign(n=len(exact))


def _error(one: OnExact, exact: Scores) -> dict[str, float]:
    if one.method.unit != "metric":
        return dict.fromkeys(("bias", "bias_rms", "noise_sd", "covariance"), np.nan)
    error = approximation_error(one.values, exact)
    return {
        "bias": float(error.bias.mean()),
        "bias_rms": float(np.sqrt((error.bias**2).mean())),
        "noise_sd": float(np.sqrt(error.noise_variance.mean())),
        "covariance": float(2 * error.covariance.mean()),
    }
