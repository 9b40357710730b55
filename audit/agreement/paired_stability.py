"""Did stability change? Two score matrices of the same prompts, resampled together.

Two methods, models or checkpoints scored on the same prompts move together from sample to sample;
the difference of their agreements is known far better than either. The designs are those of the
audit's axes: the same halves, the same bootstrap replicates, the same templates for both.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement.block_variance import DIFFERENCE_DF, difference_variance
from circuitvar.audit.agreement.halves import LEAST_UNITS, pair_agreement
from circuitvar.audit.indices import (
    leave_one_run_out,
    mean_pairwise,
    off_diagonal,
    pair_phi,
    pairwise_jaccard,
    phi,
    row_projections,
)
from circuitvar.audit.intervals import (
    few_runs_se,
    resample_se,
    row_jackknife_se,
    t_interval,
    tied_runs_se,
    unseen_swap,
    with_unseen_swap,
)
from circuitvar.audit.resampling import (
    Resamples,
    complementary_halves,
    replicate_sets,
    template_means,
)
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.units import Clusters, unit_of_example

Scores = Float[np.ndarray, "example edge"]
_SPLITS = 24


@dataclass(frozen=True, eq=False)
class Selected:
    """Scores and how a circuit is selected from their mean."""

    scores: Scores
    size: int
    signed: bool = False


@dataclass(frozen=True, eq=False)
class Change:
    """A number of the first, of the second, and their paired difference."""

    name: str
    first: float
    second: float
    difference: Estimate
    """Second minus first."""
    df: float
    """Degrees of freedom of its standard error."""


def halves_change(
    first: Selected,
    second: Selected,
    *,
    rng: np.random.Generator,
    clusters: Clusters = None,
    pairs: int = 50,
    level: float = 0.95,
) -> tuple[Change, Change]:
    """phi and Jaccard of complementary halves on the same splits.

    The variance of the difference over data sets is `block_variance.difference_variance`; t with
    `DIFFERENCE_DF` degrees of freedom. No interval below 8 units.
    """
    n = len(first.scores)
    resamples = complementary_halves(n, pairs, rng=rng, clusters=clusters)

    def agreement(weights) -> tuple[np.ndarray, np.ndarray]:
        both = [
            np.stack(
                pair_agreement(replicate_sets(s.scores, weights, size=s.size, signed=s.signed))
            )
            for s in (first, second)
        ]
        return np.stack(both), both[1] - both[0]

    both, gap = agreement(resamples.weights)
    units = resamples.counts.shape[1]
    variance = np.full(2, np.nan)
    if units >= LEAST_UNITS:
        of_example = unit_of_example(n, clusters)
        variance = difference_variance(agreement, of_example, _SPLITS, rng=rng)
        variance += gap.var(axis=1, ddof=1) / pairs if pairs > 1 else 0.0
    unit = resamples.unit
    found = [
        _change(
            name,
            both[0, i].mean(),
            both[1, i].mean(),
            np.sqrt(variance[i]),
            df=DIFFERENCE_DF,
            n=units,
            level=level,
            how=f"the same halves of the {unit}s",
            least=_unseen_swap(first, second, level)[i],
        )
        for i, name in enumerate(("phi", "jaccard"))
    ]
    return found[0], found[1]


def bootstrap_change(
    first: Selected, second: Selected, resamples: Resamples, *, level: float = 0.95
) -> tuple[Change, Change]:
    """phi and Jaccard between the same bootstrap replicates.

    Infinitesimal jackknife of the difference, t(n-1), at least that of one unseen swap.
    """
    values, terms = [], []
    for s in (first, second):
        sets = replicate_sets(s.scores, resamples.weights, size=s.size, signed=s.signed)
        masks, whole = sets.masks(sets.contested), {"n_edges": sets.n_edges, "always": sets.always}
        projections = row_projections(masks, **whole)
        pairs = pairwise_jaccard(masks, always=sets.always)
        own, mean = _means_with_others(pairs), mean_pairwise(pairs)
        values.append((phi(masks, **whole), mean))
        terms.append((2 * (projections - projections.mean()), 2 * (own - mean)))
    units = resamples.counts.shape[1]
    found = [
        _change(
            name,
            values[0][i],
            values[1][i],
            resample_se(resamples.counts, terms[1][i] - terms[0][i]),
            df=units - 1,
            n=units,
            level=level,
            how="the same bootstrap replicates",
            least=_unseen_swap(first, second, level)[i],
        )
        for i, name in enumerate(("phi", "jaccard"))
    ]
    return found[0], found[1]


def template_change(
    first: Selected, second: Selected, templates: tuple[str, ...], *, level: float = 0.95
) -> tuple[Change, Change]:
    """phi and Jaccard between the circuits of single templates.

    Jackknife over templates, t(T-1), with the floors of `runs_interval` for tied and for few runs,
    and one unseen swap.
    """
    masks = [
        top_n_masks(template_means(s.scores, templates)[0], s.size, signed=s.signed)
        for s in (first, second)
    ]
    runs = len(masks[0])

    pairs = [pairwise_jaccard(m) for m in masks]
    sizes = [float(m.sum(axis=1).mean()) for m in masks]
    least = _unseen_swap(first, second, level, pairs=runs // 2) if runs > 2 else (0.0, 0.0)

    def change(i: int, name: str, values, left_out, each, few) -> Change:
        se = row_jackknife_se(left_out(masks[1]) - left_out(masks[0]))
        if least[i] > 0:
            se = max(se, tied_runs_se(each[1] - each[0], runs), math.hypot(*few))
        return _change(
            name,
            values[0],
            values[1],
            se,
            df=runs - 1,
            n=runs,
            level=level,
            how="the same templates",
            least=least[i],
        )

    agreement = [mean_pairwise(p) for p in pairs]
    few = [few_runs_se(2 * j / (1 + j), k, runs) for j, k in zip(agreement, sizes, strict=True)]
    slopes = [(1 + j) ** 2 / 2 for j in agreement]
    free = [1 - k / masks[0].shape[1] for k in sizes]
    return (
        change(
            0,
            "phi",
            [phi(m) for m in masks],
            leave_one_run_out,
            [pair_phi(m) for m in masks],
            [f / x if x > 0 else 0.0 for f, x in zip(few, free, strict=True)],
        ),
        change(
            1,
            "jaccard",
            agreement,
            _jaccard_without_run,
            [off_diagonal(p) for p in pairs],
            [f * x for f, x in zip(few, slopes, strict=True)],
        ),
    )


def _means_with_others(pairs: Float[np.ndarray, "run run"]) -> Float[np.ndarray, " run"]:
    return (pairs.sum(axis=1) - np.diag(pairs)) / (len(pairs) - 1)


def _jaccard_without_run(masks) -> Float[np.ndarray, " run"]:
    """Mean pairwise Jaccard without run i, for every i."""
    pairs, runs = pairwise_jaccard(masks), len(masks)
    if runs < 3:
        return np.full(runs, np.nan)
    total = runs * (runs - 1) * mean_pairwise(pairs)
    return (total - 2 * (runs - 1) * _means_with_others(pairs)) / ((runs - 1) * (runs - 2))


def _unseen_swap(
    first: Selected, second: Selected, level: float, *, pairs: int = 4
) -> tuple[float, float]:
    """Least half-width for phi and Jaccard: of one swap that one data set need not show.

    As in `halves`; 0 for the same scores and selection, whose difference is 0 in every sample.
    """
    size, edges = min(first.size, second.size), first.scores.shape[1]
    same = (first.size, first.signed) == (second.size, second.signed)
    if size >= edges or (same and np.array_equal(first.scores, second.scores)):
        return 0.0, 0.0
    return unseen_swap(size, size / edges, level, pairs=max(pairs, 1))


def _change(
    name, first, second, se, *, df: int, n: int, level: float, how: str, least: float = 0.0
) -> Change:
    gap = Estimate("difference", second - first, se, level=level, n=n, interval=f"paired: {how}")
    gap = t_interval(gap, df=df)
    gap = with_unseen_swap(gap, least, bounds=(-2.0, 2.0))
    return Change(name, float(first), float(second), gap, df)
