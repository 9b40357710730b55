"""How far a method is from exact patching: bias, noise and covariance per edge, and agreement.

Layer L1 of the ledger. With exact effect c(x) and the method's score h(x) = c(x) + b + d(x) on the
same examples: E(h - c)² = b² + Var(d) and Var(h) = Var(c) + Var(d) + 2 Cov(c, d). Only methods in
metric units have a bias; a method on its own scale is compared by rank.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit.indices import spearman
from circuitvar.audit.intervals import group_jackknife
from circuitvar.audit.resampling import Scores
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.units import Clusters

Edge = Float[np.ndarray, " edge"]


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
    check_pair(scores, exact)
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
    check_pair(scores, exact)
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


def check_pair(scores, exact) -> None:
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
