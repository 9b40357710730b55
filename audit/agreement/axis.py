"""Build `Axis` records: the stability of the edge set along one perturbation.

Three designs, three intervals: complementary halves (subsampling), resamples of one
data set (infinitesimal jackknife), independent runs (row jackknife).
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.agreement.close_calls import least_of_resamples
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.indices import (
    jaccard_of_resamples,
    jaccard_of_runs,
    mean_chance,
    pairwise_cv,
    pairwise_jaccard,
    phi_of_resamples,
    phi_of_runs,
)
from circuitvar.audit.intervals import CHOICES
from circuitvar.audit.resampling import Resamples, RunSets, Selector, pack, replicate_sets
from circuitvar.audit.types import Axis
from circuitvar.tasks.units import Clusters


def halves_axis(
    scores: Float[np.ndarray, "example edge"],
    *,
    rng: np.random.Generator,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
    clusters: Clusters = None,
    pairs: int = 50,
    level: float = 0.95,
) -> Axis:
    """Complementary halves of the prompts, or of the templates when `clusters` is given."""
    found = halves_agreement(
        scores,
        rng=rng,
        size=size,
        signed=signed,
        select=select,
        clusters=clusters,
        pairs=pairs,
        level=level,
    )
    mean = found.pair_jaccard.mean()
    return Axis(
        key=f"halves-{found.unit}",
        title=f"Complementary halves of the {found.unit}s",
        unit=found.unit,
        runs=found.sets.runs,
        phi=found.phi,
        jaccard=found.jaccard,
        jaccard_cv=float(found.pair_jaccard.std(ddof=1) / mean) if pairs > 1 and mean else np.nan,
        chance=found.chance,
        inclusion=found.sets.inclusion,
        sizes=found.sets.sizes.astype(np.float64),
        note="Unbiased for samples of half the size.",
    )


def resample_axis(
    sets: RunSets, resamples: Resamples, *, key: str = "bootstrap", level: float = 0.95
) -> Axis:
    """Resamples of one data set: `sets = replicate_sets(scores, resamples.weights, size=k)`."""
    masks = sets.masks(sets.contested)
    pairs = pairwise_jaccard(masks, always=sets.always)
    estimand = f"agreement of {resamples.scheme} replicates of one data set"
    phi = phi_of_resamples(
        masks,
        resamples.counts,
        n_edges=sets.n_edges,
        always=sets.always,
        level=level,
        estimand=estimand,
    )
    jaccard = jaccard_of_resamples(pairs, resamples.counts, level=level, estimand=estimand)
    phi, jaccard = (replace(estimate, unit=resamples.unit) for estimate in (phi, jaccard))
    size = float(sets.sizes.mean())
    phi, jaccard = least_of_resamples(phi, jaccard, pairs, size=size, n_edges=sets.n_edges)
    return _axis(
        sets,
        pairs,
        key=key,
        title=f"{resamples.scheme.capitalize()} of the {resamples.unit}s",
        unit=resamples.unit,
        phi=phi,
        jaccard=jaccard,
        note="Replicates share one data set: not an estimate of agreement between data sets.",
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
    contested = sets.masks(sets.contested)
    pairs = pairwise_jaccard(contested, always=sets.always)
    estimand = f"agreement of two {unit} runs"
    phi = phi_of_runs(
        contested, n_edges=sets.n_edges, always=sets.always, level=level, estimand=estimand
    )
    jaccard = jaccard_of_runs(pairs, size=float(sets.sizes.mean()), level=level, estimand=estimand)
    if chosen and sets.runs > 2:
        phi, jaccard = (
            replace(e, interval=f"{e.interval}; {CHOICES}", kind="choices") for e in (phi, jaccard)
        )
    return _axis(sets, pairs, key=key, title=title, unit=unit, phi=phi, jaccard=jaccard, note=note)


def _axis(sets: RunSets, pairs: Float[np.ndarray, "run run"], **said) -> Axis:
    return Axis(
        runs=sets.runs,
        jaccard_cv=pairwise_cv(pairs),
        chance=mean_chance(sets.sizes, sets.n_edges),
        inclusion=sets.inclusion,
        sizes=sets.sizes.astype(np.float64),
        **said,
    )


def bootstrap_axis(
    scores: Float[np.ndarray, "example edge"],
    resamples: Resamples,
    *,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
    level: float = 0.95,
) -> tuple[Axis, RunSets]:
    """`resample_axis` straight from scores, with the edge sets behind it."""
    sets = replicate_sets(scores, resamples.weights, size=size, signed=signed, select=select)
    key = "bootstrap" if resamples.unit == "prompt" else f"bootstrap-{resamples.unit}"
    return resample_axis(sets, resamples, key=key, level=level), sets
