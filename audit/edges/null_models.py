"""Null models on score matrices: what stability looks like when there is nothing to find.

Beating a null that destroys the signal says little, since edges differ in noise; the null that
keeps the noise of every edge and the correlation between edges, and removes only the effects, is
the one to beat.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator

from circuitvar.audit.agreement import group_means
from circuitvar.audit.resampling import Scores
from circuitvar.tasks.units import Clusters, unit_of_example

Null = Callable[[Scores, Generator], Scores]


def sign_flipped(clusters: Clusters = None) -> Null:
    """Structure-preserving: the scores of each prompt, or of all of each template, times ±1.

    Magnitudes, correlation of edges and, with `clusters`, what prompts of a template share stay.
    """

    def null(scores: Scores, rng: Generator) -> Scores:
        units = unit_of_example(len(scores), clusters)
        sign = rng.choice(np.array([-1, 1], dtype=scores.dtype), size=int(units.max()) + 1)
        return scores * sign[units][:, None]

    return null


def centred_bootstrap(scores: Scores, rng: Generator) -> Scores:
    """Structure-preserving: examples redrawn with replacement from the scores minus their means."""
    centred = scores - scores.mean(axis=0, dtype=np.float64).astype(scores.dtype)
    return centred[rng.integers(len(scores), size=len(scores))]


def centred_flips(clusters: Clusters) -> Null:
    """Structure-preserving, for templates: centred scores times ±1 per template.

    Scores minus the mean of the template means, times ±1 and sqrt(T/(T-1)) for the mean that was
    taken off. Templates are not redrawn: one drawn twice would be in both halves.
    """
    flipped = sign_flipped(clusters)

    def null(scores: Scores, rng: Generator) -> Scores:
        means = group_means(scores, np.asarray(clusters))
        number = len(means)
        scale = np.sqrt(number / max(number - 1, 1)).astype(scores.dtype)
        return scale * flipped(scores - means.mean(axis=0), rng)

    return null


def shuffled_edges(scores: Scores, rng: Generator) -> Scores:
    """Signal-destroying: within each example, scores go to random edges."""
    return rng.permuted(scores, axis=1)


def shuffled_within(strata: Int[np.ndarray, " edge"]) -> Null:
    """Signal-destroying within strata: scores go to random edges of the same type or layer."""

    def null(scores: Scores, rng: Generator) -> Scores:
        out = scores.copy()
        for stratum in np.unique(strata):
            inside = np.flatnonzero(strata == stratum)
            out[:, inside] = rng.permuted(scores[:, inside], axis=1)
        return out

    return null


def structure_preserving(clusters: Clusters = None) -> tuple[tuple[str, Null], ...]:
    """Nulls that keep noise and correlation and remove effects, at the level of the units."""
    if clusters is None:
        return ("sign-flipped examples", sign_flipped()), ("centred bootstrap", centred_bootstrap)
    return (
        ("sign-flipped templates", sign_flipped(clusters)),
        ("centred, sign-flipped templates", centred_flips(clusters)),
    )


SIGNAL_DESTROYING: tuple[tuple[str, Null], ...] = (("shuffled edges", shuffled_edges),)


@dataclass(frozen=True, eq=False)
class NullComparison:
    """An observed statistic against its law under a null model."""

    observed: float
    null: Float[np.ndarray, " draw"]
    p_value: float
    """(1 + #{null >= observed}) / (draws + 1)."""
    margin: float
    """Observed minus the mean under the null."""


def compare_with_null(
    scores: Scores,
    statistic: Callable[[Scores, Generator], float],
    null: Null,
    *,
    draws: int = 99,
    rng: Generator,
) -> NullComparison:
    """Run the same statistic, e.g. phi of complementary halves, on the data and on null data.

    Each draw has its own stream, so the order of evaluation does not matter. Undefined values
    (NaN) under the null are an error: they would silently count as beaten.
    """
    streams = rng.spawn(draws + 1)
    observed = float(statistic(scores, streams[0]))
    values = np.array([statistic(null(scores, stream), stream) for stream in streams[1:]])
    if not np.isfinite(values).all() or not np.isfinite(observed):
        raise ValueError("the statistic is undefined on the data or on null data; change the size")
    p = (1 + int((values >= observed).sum())) / (draws + 1)
    return NullComparison(observed, values, p, observed - float(values.mean()))
