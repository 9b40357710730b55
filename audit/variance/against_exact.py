"""How far a method is from exact patching: bias, noise and covariance per edge, and agreement.

Layer L1 of the ledger. Both are scored on the same prompts, so the comparison is free of sampling
differences. With exact effect c(x) and the method's score h(x) = c(x) + b + d(x): E(h - c)² = b² +
Var(d) and Var(h) = Var(c) + Var(d) + 2 Cov(c, d). Only methods in metric units have a bias; a
method on its own scale is compared by rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit.indices import spearman
from circuitvar.audit.intervals import group_jackknife, jackknife_estimate
from circuitvar.audit.resampling import Scores, membership
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.types import Method
from circuitvar.tasks.units import Clusters, sampling_units

Edge = Float[np.ndarray, " edge"]
SHOWN = {
    "rank correlation with exact": "rank",
    "top-n overlap with exact": "overlap",
    "sign agreement with exact": "sign_strongest",
}
"""Estimate -> start of its columns."""
SIGNED = ("rank correlation with exact",)
"""Those that can be below 0."""


@dataclass(frozen=True, eq=False)
class ApproximationError:
    """Split of a method's error, per edge, in squared metric units."""

    bias: Edge
    """mean(h - c), in metric units."""
    bias_squared: Edge
    """Unbiased: mean(h - c)² - Var(d)/n, so it may be negative."""
    noise_variance: Edge
    """Var(d) over examples."""
    covariance: Edge
    """Cov(c, d)."""


def approximation_error(scores: Scores, exact: Scores) -> ApproximationError:
    """Split the error of `scores` against `exact` on the same examples and edges.

    >>> e = approximation_error(np.array([[2.0], [4.0]]), np.array([[1.0], [2.0]]))
    >>> e.bias.item(), e.noise_variance.item(), e.covariance.item(), e.bias_squared.item()
    (1.5, 0.5, 0.5, 2.0)
    """
    _check(scores, exact)
    n = len(scores)
    if n < 2:
        raise ValueError("one example has no noise variance; score at least 2 with both methods")
    c = exact.astype(np.float64)
    d = scores.astype(np.float64) - c
    bias = d.mean(axis=0)
    c -= c.mean(axis=0)
    d -= bias
    noise = (d**2).sum(axis=0) / (n - 1)
    covariance = (c * d).sum(axis=0) / (n - 1)
    return ApproximationError(bias, bias**2 - noise / n, noise, covariance)


def agreement_with_exact(
    scores: Scores,
    exact: Scores,
    *,
    top: int,
    rng: Generator,
    clusters: Clusters = None,
    level: float = 0.95,
) -> tuple[Estimate, ...]:
    """Agreement of mean scores with mean exact effects, with delete-a-group jackknife intervals.

    Spearman over all edges (signed); Spearman of |score| on the union of the two top-`top` sets;
    share of the exact top edges whose sign agrees; Jaccard of the two top sets. Both means are
    taken over the same examples, so prompt sampling is shared and only its effect on the
    comparison counts.
    """
    _check(scores, exact)
    if not 1 <= top <= scores.shape[1]:
        raise ValueError(f"top is {top}; choose between 1 and {scores.shape[1]} edges")

    def statistic(weights):
        mean, effect = weights @ scores, weights @ exact
        kept, truth = top_n_masks(np.stack([mean, effect]), top)
        union, both = kept | truth, kept & truth
        ranks = spearman(np.abs(mean), np.abs(effect), only=union) if union.sum() > 1 else np.nan
        agree = np.sign(mean[truth]) == np.sign(effect[truth])
        signs = agree.mean() if truth.any() else np.nan
        jaccard = both.sum() / union.sum() if union.any() else np.nan
        return np.array([spearman(mean, effect), ranks, signs, jaccard])

    names = (
        "Spearman with exact",
        "Spearman of |score| on the union of circuits",
        "sign agreement on the exact circuit",
        "Jaccard with the exact circuit",
    )
    n, how = len(scores), {"rng": rng, "clusters": clusters, "level": level, "bounds": (-1.0, 1.0)}
    estimand = f"agreement with exact patching on {n} examples"
    return group_jackknife(statistic, n, names=names, estimand=estimand, **how)


def _check(scores, exact) -> None:
    """Refuse two matrices that are not of the same prompts and edges, or not finite."""
    if scores.shape != exact.shape:
        raise ValueError(
            f"scores {scores.shape} and exact effects {exact.shape} differ in shape; pass the same "
            "examples and edges of both"
        )
    for name, values in (("scores", scores), ("exact effects", exact)):
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            raise ValueError(
                f"{name} are not finite at example {bad[0][0]}, edge {bad[0][1]}; drop that "
                "example or fix the method"
            )


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


def exact_numbers(size: int, *, signed: bool = False) -> dict[str, Callable[[Edge, Edge], float]]:
    """Every number that says how close mean scores are to mean exact effects, by its name.

    The first argument are the scores and the second the effects, both of the same prompts.
    """

    def rank(scores: Edge, effects: Edge) -> float:
        return spearman(scores, effects) if signed else spearman(np.abs(scores), np.abs(effects))

    numbers = (
        rank,
        lambda scores, effects: top_overlap(scores, effects, size, signed=signed),
        lambda scores, effects: sign_agreement(scores, effects, size),
    )
    return dict(zip(SHOWN, numbers, strict=True))


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
    _check(method, exact)
    kind = "scores" if signed else "|scores|"
    estimands = (
        f"Spearman correlation of mean {kind} over all edges",
        f"share of the {size} strongest edges in common",
        f"share of equal signs on the {size} strongest edges by exact patching",
    )
    of_example, unit = sampling_units(len(method), templates)
    left_out = [_leave_one_out(scores, of_example) for scores in (method, exact)]
    means = [scores.mean(axis=0, dtype=np.float64) for scores in (method, exact)]
    found = []
    statistics = exact_numbers(size, signed=signed)
    for (name, statistic), estimand in zip(statistics.items(), estimands, strict=True):
        floor = -1.0 if name in SIGNED else 0.0
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
