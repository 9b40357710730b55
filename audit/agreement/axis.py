"""Build `Axis` records: the stability of the edge set along one perturbation.

Three designs, three intervals: complementary halves (subsampling), resamples of one
data set (infinitesimal jackknife), independent runs (row jackknife).
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool
from numpy.random import Generator

from circuitvar.audit import indices
from circuitvar.audit.agreement.block_variance import least_of_resamples
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.intervals import CHOICES
from circuitvar.audit.resampling import Resamples, RunSets, Scores, Selector, pack, replicate_sets
from circuitvar.audit.types import Axis
from circuitvar.tasks.units import Clusters


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
            said |= {"interval": f"{estimate.interval}; {CHOICES}", "kind": "choices"}
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
