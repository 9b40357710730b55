"""Finite-sample limits of every concept class for one chunk of units, simultaneous over classes."""

from collections.abc import Sequence

import numpy as np

from circuitvar.audit.neurons.data import Moments, ProbingSet
from circuitvar.audit.neurons.resampling import class_scores
from circuitvar.audit.neurons.similarity import (
    ConceptOptions,
    clustered_ratio_half_width,
    get_similarity,
    similarity_interval,
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
