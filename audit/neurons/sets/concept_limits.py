"""Finite-sample limits of every concept class, simultaneous over classes, and what they certify."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.neurons.data import Moments, ProbingSet
from circuitvar.audit.neurons.resampling import class_scores
from circuitvar.audit.neurons.similarity import (
    ConceptOptions,
    clustered_ratio_half_width,
    get_similarity,
    similarity_interval,
)


@dataclass(frozen=True)
class Certificate:
    """All three statements hold together with the level of the intervals."""

    best: int
    """Column with the highest empirical similarity; -1 when none is defined."""
    faithful_at_least: float
    """Lower limit of the population similarity of that column."""
    regret_at_most: float
    """Upper limit of (best population similarity) - (its population similarity)."""
    identified: bool
    """True when its lower limit is above every other upper limit: it is the best concept."""


def identification_certificate(
    estimate: Float[np.ndarray, " concept"],
    low: Float[np.ndarray, " concept"],
    high: Float[np.ndarray, " concept"],
) -> Certificate:
    """Certificate for the empirical winner from intervals that hold simultaneously.

    >>> c = identification_certificate(np.array([0.8, 0.3]), np.array([0.7, 0.2]),
    ...                                np.array([0.9, 0.4]))
    >>> c.identified, round(c.regret_at_most, 2)
    (True, 0.0)
    """
    if np.isnan(estimate).all():
        return Certificate(-1, float("nan"), float("nan"), False)
    best = int(np.nanargmax(estimate))
    others = np.delete(high, best)
    rival = float(np.nanmax(others)) if len(others) and not np.isnan(others).all() else -np.inf
    return Certificate(
        best=best,
        faithful_at_least=float(low[best]),
        regret_at_most=max(0.0, rival - float(low[best])),
        identified=bool(low[best] > rival),
    )


def simultaneous_limits(
    data: ProbingSet, m: Moments, members: Sequence[Sequence[int]], options: ConceptOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Lower limit, upper limit and estimate per (class, unit) from the sums of the whole sample.

    Exact binomial when every cluster has one row; else the clustered distribution-free bound.
    None for weighted samples or graded concepts, where the counts are not binomial.
    """
    concepts = data.concepts
    if not (data.weights == 1).all() or not ((concepts == 0) | (concepts == 1)).all():
        return None
    fn = get_similarity(options.interval_metric).fn
    assert fn is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = fn(m)[0].astype(np.float64)
    delta = options.alpha / max(sum(map(len, members)), 1)
    n, on, c, both = (
        np.asarray(part[0], np.float64) for part in (m.n, m.active, m.concept, m.both)
    )
    if data.n_groups == data.n_samples:
        low, high = similarity_interval(options.interval_metric, n, on, c, both, delta=delta)
    elif options.interval_metric == "iou":
        largest = float(np.bincount(data.groups).max())
        width = clustered_ratio_half_width(on + c - both, data.n_groups, largest, delta=delta)
        low, high = np.clip(estimate - width, 0, 1), np.clip(estimate + width, 0, 1)
    else:
        return None
    stacked = [class_scores(part[None], members)[0] for part in (low, high, estimate)]
    return stacked[0], stacked[1], stacked[2]
