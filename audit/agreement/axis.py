"""Build `Axis` records: the stability of the edge set along one perturbation.

Three designs, three intervals: complementary halves (subsampling), resamples of one data set
(infinitesimal jackknife), independent runs (row jackknife). The infinitesimal jackknife needs
nothing but the replicates and their counts, but it also counts what is not linear in the data and
is 1.5 to 3 times too large a variance: with the scores at hand, halves of the data can be
bootstrapped by themselves.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator

from circuitvar.audit import indices, intervals
from circuitvar.audit.agreement.block_variance import (
    LARGEST_GROWTH,
    SHARED_DF,
    least_of_resamples,
    weight_of_few,
)
from circuitvar.audit.agreement.halves import EXTRAPOLATED, LEAST_UNITS, halves_agreement
from circuitvar.audit.resampling import Resamples, RunSets, Scores, Selector, pack, replicate_sets
from circuitvar.audit.types import Axis, Estimate
from circuitvar.tasks.units import Clusters

CLOSE_CALL = 0.14
"""Part of the variance of one pair of replicates that V(n) is not taken below where a few close
calls decide: about .18 in simulations, known better than t(7) presumes."""
_SPLITS, _REPLICATES = 24, 16


def halves_axis(
    scores: Scores,
    *,
    rng: Generator,
    size: int | Selector,
    signed: bool = False,
    clusters: Clusters = None,
    pairs: int = 50,
    level: float = 0.95,
) -> Axis:
    """Complementary halves of the prompts, or of the templates when `clusters` is given."""
    found = halves_agreement(
        scores, rng=rng, size=size, signed=signed, clusters=clusters, pairs=pairs, level=level
    )
    mean = found.pair_jaccard.mean()
    return _axis(
        found.sets,
        key=f"halves-{found.unit}",
        title=f"Complementary halves of the {found.unit}s",
        unit=found.unit,
        phi=found.phi,
        jaccard=found.jaccard,
        jaccard_cv=float(found.pair_jaccard.std(ddof=1) / mean) if pairs > 1 and mean else np.nan,
        note="Unbiased for samples of half the size.",
    )


def runs_axis(
    masks: Bool[np.ndarray, "run edge"],
    *,
    key: str,
    title: str,
    unit: str,
    level: float = 0.95,
    note: str = "",
    chosen: bool = False,
) -> Axis:
    """Independent runs: fresh data sets, paraphrases, training seeds.

    Analytic choices are `chosen`: their interval holds for choices like these and its name and kind
    say so.
    """
    sets = pack(masks)
    contested, whole = sets.compact
    pairs = indices.pairwise_jaccard(contested, whole)
    size, said = float(sets.sizes.mean()), {"estimand": f"agreement of two {unit} runs"}
    found = []
    for estimate in (
        indices.phi_of_runs(contested, whole, level=level),
        indices.jaccard_of_runs(pairs, size=size, level=level),
    ):
        if chosen and sets.runs > 2:
            said |= {"interval": f"{estimate.interval}; {intervals.CHOICES}", "kind": "choices"}
        found.append(replace(estimate, **said))
    named = {"key": key, "title": title, "unit": unit, "note": note}
    cv = indices.pairwise_cv(pairs)
    return _axis(sets, phi=found[0], jaccard=found[1], jaccard_cv=cv, **named)


def _axis(sets: RunSets, **said) -> Axis:
    return Axis(
        runs=sets.runs,
        chance=indices.mean_chance(sets.sizes, sets.n_edges),
        inclusion=sets.inclusion,
        sizes=sets.sizes.astype(np.float64),
        **said,
    )


def bootstrap_axis(
    scores: Scores,
    resamples: Resamples,
    *,
    size: int | Selector,
    signed: bool = False,
    level: float = 0.95,
) -> tuple[Axis, RunSets]:
    """Resamples of one data set, with the edge sets behind the axis."""
    sets = replicate_sets(scores, resamples.weights, size=size, signed=signed)
    masks, whole = sets.compact
    pairs, unit = indices.pairwise_jaccard(masks, whole), resamples.unit
    estimand = f"agreement of {resamples.scheme} replicates of one data set"
    phi, jaccard = (
        replace(estimate, estimand=estimand, unit=unit)
        for estimate in (
            indices.phi_of_resamples(masks, resamples.counts, whole, level=level),
            indices.jaccard_of_resamples(pairs, resamples.counts, level=level),
        )
    )
    kept = float(sets.sizes.mean())
    phi, jaccard = least_of_resamples(phi, jaccard, pairs, size=kept, n_edges=sets.n_edges)
    axis = _axis(
        sets,
        key="bootstrap" if unit == "prompt" else f"bootstrap-{unit}",
        title=f"{resamples.scheme.capitalize()} of the {unit}s",
        unit=unit,
        phi=phi,
        jaccard=jaccard,
        jaccard_cv=indices.pairwise_cv(pairs),
        note="Replicates share one data set: not an estimate of agreement between data sets.",
    )
    return axis, sets


def with_block_interval(
    axis: Axis,
    scores: Scores,
    *,
    size: int | Selector,
    rng: Generator,
    signed: bool = False,
    level: float = 0.95,
) -> Axis:
    """The bootstrap axis of these prompts with the intervals of `block_intervals`."""
    how = {"size": size, "rng": rng, "signed": signed, "level": level}
    kept, found = float(axis.sizes.mean()), (axis.phi, axis.jaccard)
    found = block_intervals(found, scores, runs=axis.runs, kept=kept, **how)
    return replace(axis, phi=found[0], jaccard=found[1])


def block_intervals(
    found: tuple[Estimate, Estimate],
    scores: Scores,
    *,
    runs: int,
    kept: float,
    rng: Generator,
    size: int | Selector,
    signed: bool = False,
    level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """(phi, Jaccard) between `runs` bootstrap replicates of these prompts, with block intervals.

    The replicates keep `kept` edges on average. Intervals from `bootstrap_variance`, t(7), whose
    lower end is not above what one unseen swap of an edge would give; the estimates as they are
    where phi is undefined or there are fewer than 2 x 8 prompts.

    Jaccard J = p / (2 - p) with p the share of a set that the other has, so its SE is that of phi
    times (1 - k/E) (1 + J)²/2.
    """
    (n, edges), (value, jaccard) = scores.shape, (estimate.value for estimate in found)
    if not np.isfinite(value) or n < 2 * LEAST_UNITS:
        return found
    share = kept / edges
    # Monte-Carlo variance of phi of B replicates: at most that of independent pairs.
    noise = 2 * (1 - value) / (kept * (1 - share)) / (runs * (runs - 1))
    variance = bootstrap_variance(scores, value, kept=kept, rng=rng, size=size, signed=signed)
    se = float(np.sqrt(variance + noise))
    spreads = (se, se * ((1 - share) * (1 + jaccard) ** 2 / 2))
    known = {"interval": EXTRAPOLATED, "kind": "subsampling", "n": n, "level": level}
    ends = []
    for old, spread, floor, swap in zip(
        found, spreads, (-1.0, 0.0), intervals.unseen_swap(kept, share, level), strict=True
    ):
        new = replace(old, se=spread, **known)
        new = intervals.t_interval(new, df=SHARED_DF, bounds=(floor, 1.0))
        ends.append(intervals.below_one_swap(new, swap))
    return ends[0], ends[1]


def bootstrap_variance(
    scores: Scores,
    value: float,
    *,
    kept: float,
    rng: Generator,
    size: int | Selector,
    signed: bool = False,
) -> float:
    """Variance over data sets of phi between bootstrap replicates.

    `value` is phi of all data, `kept` the mean number of edges; selection as in `replicate_sets`.
    As `block_variance.halves_variance`: the variance between two disjoint halves of the data, each
    bootstrapped by itself (less the Monte-Carlo variance of 16 replicates), times r(n)/r(n/2) with
    r = p (1 - p), p = phi + (1 - phi) k/E. Not below `CLOSE_CALL` times the variance of one pair of
    replicates of a half, less where they differ in more than a few edges.
    """
    share = kept / scores.shape[1]
    weights = _block_weights(len(scores), rng)
    masks, whole = replicate_sets(scores, weights, size=size, signed=signed).compact
    halves = masks.reshape(_SPLITS, 2, _REPLICATES, -1)
    found, noise, single = np.empty((3, _SPLITS, 2))
    for i in range(_SPLITS):
        for b in range(2):
            found[i, b] = indices.phi(halves[i, b], whole)
            noise[i, b] = indices.closed_form_variance(halves[i, b], whole)
            single[i, b] = indices.pair_phi(halves[i, b], whole).var()
    between = max(float(found.var(axis=1, ddof=1).mean() - noise.mean()), 0.0)
    p = np.clip([value + (1 - value) * share, found.mean() * (1 - share) + share], 0, 1)
    count = p * (1 - p)
    growth = min(count[0] / count[1], LARGEST_GROWTH) if count[1] > 0 else 1.0
    swaps = kept * (1 - share) * (1 - float(found.mean()))
    return max(between * growth, CLOSE_CALL * weight_of_few(swaps) * float(single.mean()))


def _block_weights(n: int, rng: Generator) -> Float[np.ndarray, "replicate example"]:
    """Bootstrap weights within both halves of random splits, replicates of a half together."""
    half = n // 2
    weights = np.zeros((_SPLITS, 2, _REPLICATES, n), dtype=np.float32)
    for i in range(_SPLITS):
        order = rng.permutation(n)
        for b in range(2):
            block = order[b * half : (b + 1) * half]
            drawn = rng.multinomial(half, np.full(half, 1 / half), size=_REPLICATES)
            weights[i, b][:, block] = drawn / half
    return weights.reshape(-1, n)
