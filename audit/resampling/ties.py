"""Edges that tie at the cut of a selection: their order in the graph decides which are kept.

Ties go to the edge with the smaller column, in every replicate alike. A circuit that is cut out of
equal scores is therefore found again every time, which is the order of the graph and no stability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.resampling.weights import bootstrap, complementary_halves, weighted_sums
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.circuits.find import strength
from circuitvar.circuits.types import EdgeScores

TOLERANCE = 1e-6
"""Scores that differ by less than this share of the cut are equal up to float32 rounding."""
LEAST = 0.05
"""Ties that would lower phi by less, were they broken at random, decide nothing."""
DRAWS = 10
"""Resamples, or pairs of halves, that are looked at for ties."""


def tied_at_cut(
    scores: Float[np.ndarray, "replicate edge"], size: int, *, signed: bool = False
) -> Int[np.ndarray, " replicate"]:
    """Edges that tie for the last places of the `size` strongest; 0 where the cut is clear.

    With m edges tied for t places, breaking ties at random would make two runs share t(1 - t/m)
    edges fewer and lower phi by t(1 - t/m) / (size (1 - size/E)); below `LEAST` they count as 0.
    Edges of score 0 are never kept, so they do not tie.

    >>> tied_at_cut(np.array([[4.0, 1.0, 1.0, 1.0], [4.0, 3.0, 2.0, 1.0]]), 2)
    array([3, 0])
    """
    values = strength(scores, signed=signed).astype(np.float64)
    n_edges = values.shape[1]
    if not 0 < size < n_edges:
        return np.zeros(len(values), dtype=np.int64)
    cut = np.partition(values, n_edges - size, axis=1)[:, [n_edges - size]]
    near = np.abs(values - cut) <= TOLERANCE * np.abs(cut)
    tied = near.sum(axis=1)
    places = size - ((values > cut) & ~near).sum(axis=1)
    lost = places * (1 - places / tied) / (size * (1 - size / n_edges))
    return np.where((cut[:, 0] != 0) & (lost >= LEAST), tied, 0)


def with_ties(
    axes: Sequence[Axis],
    values: Float[np.ndarray, "example edge"],
    *,
    runs: Mapping[str, Float[np.ndarray, "run edge"]],
    clusters: Sequence[str] | None,
    size: int,
    signed: bool = False,
    seed: int = 0,
) -> tuple[Axis, ...]:
    """The axes with `tied` set where ties decide: in the mean over all prompts, or in most runs.

    `runs`: mean scores of the runs of axes that do not resample `values`; `clusters`: templates.
    """
    mean = values.mean(axis=0, dtype=np.float64, keepdims=True)
    whole = int(tied_at_cut(mean, size, signed=signed)[0])

    def tied(axis: Axis) -> int:
        means = runs.get(axis.key.removesuffix("-matched"))
        if whole:
            return whole
        if axis.key.startswith(("halves", "bootstrap")):
            by = clusters if axis.key.endswith("template") else None
            draw = complementary_halves if axis.key.startswith("halves") else bootstrap
            resamples = draw(len(values), DRAWS, rng=stream(seed, "ties", axis.key), clusters=by)
            # In float64 equal scores stay equal whatever the order of summation.
            means = weighted_sums(resamples.weights.astype(np.float64), values)
        if means is None:
            return 0
        found = tied_at_cut(means, size, signed=signed)
        some = found[found > 0]
        return int(np.median(some)) if 2 * len(some) > len(found) else 0

    return tuple(replace(axis, tied=tied(axis)) for axis in axes)


def require_scores(scores: EdgeScores) -> None:
    """Refuse scores that are all 0: the largest tie of all, no circuit can be cut out of it."""
    if not np.any(scores.mean):
        raise ValueError(
            f"every score of method {scores.method!r} is 0 on these {len(scores.values)} prompts "
            f"(metric {scores.metric!r}), so there is no circuit to choose; use another method, "
            "metric or corruption"
        )
