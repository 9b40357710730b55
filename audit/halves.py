"""Stability between complementary halves of the data: the default estimate of the suite.

Replicates of one data set share its error, so bootstrap and random-half agreement is wrong in both
directions (phi .144 on pure noise, .945 where the truth is .999). Only disjoint halves are
independent; their mean agreement is unbiased for fresh samples of half the size, at the level of
the unit that is split: templates where there are templates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.intervals import check_level, t_interval
from circuitvar.audit.jaccard import mean_chance
from circuitvar.audit.replicate_sets import RunSets, Selector, replicate_sets
from circuitvar.audit.set_indices import jaccard
from circuitvar.audit.types import Estimate
from circuitvar.audit.weights import (
    Clusters,
    Resamples,
    complementary_halves,
    from_counts,
    unit_of_example,
)

GROUPS = 20
"""Groups of units deleted in turn by the jackknife."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Agreement of complementary halves."""

    phi: Estimate
    jaccard: Estimate
    chance: float
    """Expected Jaccard of random sets of the observed sizes."""
    sets: RunSets
    """Rows 2r and 2r+1 are pair r; all are samples of half the size, without duplicates."""
    pair_phi: Float[np.ndarray, " pair"]
    pair_jaccard: Float[np.ndarray, " pair"]
    unit: str


def pair_agreement(sets: RunSets) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    """(phi, Jaccard) of rows 2r and 2r+1 for every r.

    For two runs phi = 1 - d / (2 E q (1 - q)), with d the symmetric difference and q the mean
    share of edges kept; for equal sizes it is the Kuncheva index.
    """
    first, second = sets.packed[0::2], sets.packed[1::2]
    k1, k2 = sets.sizes[0::2], sets.sizes[1::2]
    differ = np.bitwise_count(first ^ second).sum(axis=1, dtype=np.int64)
    share = (k1 + k2) / (2 * sets.n_edges)
    scale = 2 * sets.n_edges * share * (1 - share)
    value = np.full(len(differ), np.nan)
    np.divide(differ, scale, out=value, where=scale > 0)
    return 1 - value, jaccard(k1, k2, (k1 + k2 - differ) / 2)


def halves_agreement(
    scores: Float[np.ndarray, "example edge"],
    *,
    rng: np.random.Generator,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
    clusters: Clusters = None,
    pairs: int = 50,
    jackknife_pairs: int = 20,
    level: float = 0.95,
    memory_mb: float = 64.0,
) -> Halves:
    """phi and Jaccard of complementary halves, averaged over `pairs` random splits.

    `clusters`: template of each example; the split is then over templates. Interval:
    delete-a-group jackknife over at most 20 groups of units, t(groups - 1), on
    `jackknife_pairs` of the same splits; conservative (SE about 1.3 times the honest one). There
    is no interval below 4 units. `size`, `signed`, `select` as in `replicate_sets`.

    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=(40, 30)) + 5 * (np.arange(30) < 6)
    >>> halves_agreement(scores, size=6, rng=rng, pairs=5, jackknife_pairs=2).phi.value
    1.0
    """
    check_level(level)
    resamples = complementary_halves(len(scores), pairs, rng=rng, clusters=clusters)
    options = {"size": size, "signed": signed, "select": select, "memory_mb": memory_mb}
    sets = replicate_sets(scores, resamples.weights, **options)
    values = pair_agreement(sets)
    few = Resamples(
        resamples.weights[: 2 * jackknife_pairs],
        resamples.counts[: 2 * jackknife_pairs],
        resamples.scheme,
        resamples.unit,
        resamples.size,
    )
    left_out = _delete_a_group(scores, few, clusters, rng=rng, **options)
    units = resamples.counts.shape[1]
    estimand = f"agreement of fresh samples of {units / 2:g} {resamples.unit}s"
    estimates = []
    for name, value, deleted, floor in zip(
        ("phi", "jaccard"), values, left_out, (-1.0, 0.0), strict=True
    ):
        groups = len(deleted)
        spread = ((deleted - deleted.mean()) ** 2).sum() if groups else np.nan
        estimates.append(
            t_interval(
                name,
                float(value.mean()),
                float(np.sqrt((groups - 1) / groups * spread)) if groups else np.nan,
                df=groups - 1,
                n=units,
                level=level,
                interval="delete-a-group jackknife" if groups else f"none ({units} units)",
                estimand=estimand,
                bounds=(floor, 1.0),
                draws=value,
            )
        )
    chance = mean_chance(sets.sizes, sets.n_edges)
    return Halves(estimates[0], estimates[1], chance, sets, values[0], values[1], resamples.unit)


def _delete_a_group(scores, resamples: Resamples, clusters, *, rng, **options):
    """(phi, Jaccard) without each group of units, averaged over the same splits."""
    units = resamples.counts.shape[1]
    if units < 4:
        return np.empty(0), np.empty(0)
    groups = min(GROUPS, units)
    group = rng.permutation(np.arange(units) % groups)
    of_example = np.arange(units)
    if clusters is not None:
        of_example = unit_of_example(len(scores), clusters)
    phi, jac = np.empty(groups), np.empty(groups)
    for g in range(groups):
        kept = resamples.counts * (group != g)
        weights = from_counts(kept, of_example, scheme="", unit="").weights
        values = pair_agreement(replicate_sets(scores, weights, **options))
        phi[g], jac[g] = values[0].mean(), values[1].mean()
    return phi, jac
