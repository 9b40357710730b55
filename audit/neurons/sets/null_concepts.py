"""How high the best of M concepts scores by chance: matched-frequency null columns.

A concept that varies inside clusters is shuffled inside each cluster, so it keeps its count in
every prompt; a concept constant inside clusters is shuffled across clusters. The best of M such
columns is the bar a held-out score must clear. Columns that are the same function of the position
in every prompt stay testable, which label permutation within template and position would not allow.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.neurons.data import ProbingSet, take_samples
from circuitvar.audit.neurons.resampling import map_unit_blocks
from circuitvar.audit.neurons.similarity import (
    ConceptOptions,
    activity,
    chunk_size,
    get_similarity,
    rank_scores,
    sample_moments,
)


def null_concepts(
    data: ProbingSet, *, rng: np.random.Generator
) -> Float[np.ndarray, "sample concept"]:
    """One null column per concept, with the same values per cluster or the same clusters."""
    out = np.empty_like(data.concepts)
    order = np.argsort(data.groups, kind="stable")
    groups = data.groups[order]
    first = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    low, high = (f.reduceat(data.concepts[order], first) for f in (np.minimum, np.maximum))
    constant = (low == high).all(axis=0)
    across = rng.permutation(data.n_groups)
    clusters = data.concepts[order][first]
    out[:, constant] = clusters[across][data.groups][:, constant]
    for column in np.flatnonzero(~constant):
        # Cluster code plus a number below 1: one sort shuffles inside every cluster.
        shuffled = order[np.argsort(groups + rng.random(len(order)))]
        out[order, column] = data.concepts[shuffled, column]
    return out


def null_best(
    data: ProbingSet,
    options: ConceptOptions,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    eligible: Bool[np.ndarray, " concept"] | None = None,
    rows: Int[np.ndarray, " row"] | None = None,
    workers: int = 1,
) -> Float[np.ndarray, " unit"]:
    """The `level` quantile, per unit, of the best similarity over a full set of null concepts.

    The similarity is the first metric of `options`, whose `null_draws` sets are drawn. `rows`
    restricts the null to some samples; `workers` threads share the blocks of units.
    """
    metric, draws = options.metrics[0], options.null_draws
    fn = get_similarity(metric).fn
    keep = np.ones(data.n_concepts, dtype=bool) if eligible is None else eligible
    columns = int(keep.sum())
    # The concepts and clusters of some rows, without copying any activations.
    bare = replace(data, acts=np.zeros((data.n_samples, 0)))
    part = take_samples(bare, np.arange(data.n_samples) if rows is None else rows)
    nulls = np.concatenate([null_concepts(part, rng=rng)[:, keep] for _ in range(draws)], axis=1)

    def best_of_draws(scores: Float[np.ndarray, "column unit"]) -> Float[np.ndarray, "draw unit"]:
        return np.where(np.isnan(scores), -np.inf, scores).reshape(draws, columns, -1).max(axis=1)

    def work(_: slice, block: Float[np.ndarray, "sample unit"]) -> Float[np.ndarray, "draw unit"]:
        block = block if rows is None else block[rows]
        if fn is None:
            return best_of_draws(rank_scores(metric, block, nulls, part.weights).T)
        on = activity(
            block,
            [metric],
            quantile=options.quantile,
            threshold=options.threshold,
            weights=part.weights,
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = fn(sample_moments(block, on, nulls, part.weights, with_log=metric == "wpmi"))
        return best_of_draws(scores[0])

    best = np.full((draws, data.n_units), np.nan, dtype=np.float32)
    for units, found in map_unit_blocks(data, chunk_size(data, draws), work, workers=workers):
        best[:, units] = found
    best[~np.isfinite(best)] = np.nan
    out = np.full(data.n_units, np.nan)
    defined = ~np.isnan(best).any(axis=0)
    out[defined] = np.quantile(best[:, defined], level, axis=0, method="higher")
    return out
