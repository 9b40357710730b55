"""Did stability change? Two score matrices of the same prompts, resampled together.

Two methods, models or checkpoints scored on the same prompts move together from sample to sample;
the difference of their agreements is known far better than either. The designs are those of the
audit's axes: the same halves, the same bootstrap replicates, the same templates for both.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit import indices, intervals, resampling
from circuitvar.audit.agreement.block_variance import DIFFERENCE_DF, difference_variance
from circuitvar.audit.agreement.halves import LEAST_UNITS, pair_agreement
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.units import Clusters, unit_of_example

_SPLITS = 24


@dataclass(frozen=True, eq=False)
class Selected:
    """resampling.Scores and how a circuit is selected from their mean."""

    scores: resampling.Scores
    size: int
    signed: bool = False

    def replicates(self, weights: Float[np.ndarray, "replicate example"]) -> resampling.RunSets:
        """The circuit of every replicate."""
        return resampling.replicate_sets(self.scores, weights, size=self.size, signed=self.signed)


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
    rng: Generator,
    clusters: Clusters = None,
    pairs: int = 50,
    level: float = 0.95,
) -> tuple[Change, Change]:
    """phi and Jaccard of complementary halves on the same splits.

    The variance of the difference over data sets is `block_variance.difference_variance`; t with
    `DIFFERENCE_DF` degrees of freedom. No interval below 8 units.
    """
    n, sides = len(first.scores), (first, second)
    resamples = resampling.complementary_halves(n, pairs, rng=rng, clusters=clusters)

    def agreement(weights) -> tuple[np.ndarray, np.ndarray]:
        both = np.stack([pair_agreement(s.replicates(weights)) for s in sides])
        return both, both[1] - both[0]

    both, gap = agreement(resamples.weights)
    units = resamples.counts.shape[1]
    variance = np.full(2, np.nan)
    if units >= LEAST_UNITS:
        of_example = unit_of_example(n, clusters)
        variance = difference_variance(agreement, of_example, _SPLITS, rng=rng)
        variance += gap.var(axis=1, ddof=1) / pairs if pairs > 1 else 0.0
    how = {"df": DIFFERENCE_DF, "n": units, "how": f"the same halves of the {resamples.unit}s"}
    least = _unseen_swap(first, second, level)
    return _changes(both.mean(axis=2), np.sqrt(variance), least=least, level=level, **how)


def bootstrap_change(
    first: Selected, second: Selected, resamples: resampling.Resamples, *, level: float = 0.95
) -> tuple[Change, Change]:
    """phi and Jaccard between the same bootstrap replicates.

    Infinitesimal jackknife of the difference, t(n-1), at least that of one unseen swap.
    """
    values, terms, counts = [], [], resamples.counts
    for side in (first, second):
        masks, whole = side.replicates(resamples.weights).compact
        projections = indices.row_projections(masks, whole)
        pairs = indices.pairwise_jaccard(masks, whole)
        mean = indices.mean_pairwise(pairs)
        values.append((indices.phi(masks, whole), mean))
        own = indices.means_with_others(pairs)
        terms.append((2 * (projections - projections.mean()), 2 * (own - mean)))
    se = [intervals.resample_se(counts, terms[1][i] - terms[0][i]) for i in range(2)]
    units, least = counts.shape[1], _unseen_swap(first, second, level)
    how = {"df": units - 1, "n": units, "how": "the same bootstrap replicates"}
    return _changes(np.array(values), se, least=least, level=level, **how)


def template_change(
    first: Selected, second: Selected, templates: tuple[str, ...], *, level: float = 0.95
) -> tuple[Change, Change]:
    """phi and Jaccard between the circuits of single templates.

    Jackknife over templates, t(T-1), with the floors of `runs_interval` for tied and for few runs,
    and one unseen swap.
    """
    values, left_out, each, few = [], [], [], []
    for side in (first, second):
        means = resampling.template_means(side.scores, templates)[0]
        masks = top_n_masks(means, side.size, signed=side.signed)
        pairs, size = indices.pairwise_jaccard(masks), float(masks.sum(axis=1).mean())
        jaccard = indices.mean_pairwise(pairs)
        values.append((indices.phi(masks), jaccard))
        left_out.append((indices.leave_one_run_out(masks), _jaccard_without_run(pairs)))
        each.append((indices.pair_phi(masks), indices.off_diagonal(pairs)))
        se = intervals.few_runs_se(2 * jaccard / (1 + jaccard), size, len(masks))
        free = 1 - size / masks.shape[1]
        few.append((se / free if free > 0 else 0.0, se * ((1 + jaccard) ** 2 / 2)))
    runs = len(left_out[0][0])
    least = _unseen_swap(first, second, level, pairs=runs // 2) if runs > 2 else (0.0, 0.0)
    spreads = []
    for i in range(2):
        se = intervals.row_jackknife_se(left_out[1][i] - left_out[0][i])
        if least[i] > 0:
            tied = intervals.tied_runs_se(each[1][i] - each[0][i], runs)
            se = max(se, tied, math.hypot(few[0][i], few[1][i]))
        spreads.append(se)
    how = {"df": runs - 1, "n": runs, "how": "the same templates"}
    return _changes(np.array(values), spreads, least=least, level=level, **how)


def _jaccard_without_run(pairs) -> Float[np.ndarray, " run"]:
    """Mean pairwise Jaccard without run i, for every i."""
    runs = len(pairs)
    if runs < 3:
        return np.full(runs, np.nan)
    total = runs * (runs - 1) * indices.mean_pairwise(pairs)
    rest = total - 2 * (runs - 1) * indices.means_with_others(pairs)
    return rest / ((runs - 1) * (runs - 2))


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
    return intervals.unseen_swap(size, size / edges, level, pairs=max(pairs, 1))


def _changes(both, se, *, least, level: float, df: int, n: int, how: str) -> tuple[Change, Change]:
    """The changes of phi and Jaccard: values of the first and of the second, SEs of the gaps."""
    found = []
    for i, name in enumerate(("phi", "jaccard")):
        first, second = (float(value) for value in both[:, i])
        known = {"level": level, "n": n, "interval": f"paired: {how}"}
        gap = intervals.t_interval(Estimate("difference", second - first, se[i], **known), df=df)
        gap = intervals.with_unseen_swap(gap, least[i], bounds=(-2.0, 2.0))
        found.append(Change(name, first, second, gap, df))
    return found[0], found[1]
