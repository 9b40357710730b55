"""Stability between complementary halves of the data: the default estimate of the suite.

Replicates of one data set share its error, so bootstrap and random-half agreement is wrong in both
directions (phi .144 on pure noise, .945 where the truth is .999). Only disjoint halves are
independent; their mean agreement is unbiased for fresh samples of half the size, at the level of
the unit that is split: templates where there are templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement.block_variance import SHARED_DF, halves_variance
from circuitvar.audit.agreement.close_calls import DECIDE
from circuitvar.audit.indices import jaccard, mean_chance
from circuitvar.audit.intervals import below_one_swap, t_interval, unseen_swap
from circuitvar.audit.resampling import RunSets, Selector, complementary_halves, replicate_sets
from circuitvar.audit.types import Estimate
from circuitvar.circuits.confidence import check_confidence
from circuitvar.tasks.shown import Shown, number
from circuitvar.tasks.units import Clusters, unit_of_example

EXTRAPOLATED = "subsampling, extrapolated"
"""Name of the interval."""
LEAST_UNITS = 8
"""Fewer prompts or templates than this give no interval."""
DF = SHARED_DF
"""Degrees of freedom of the interval."""


@dataclass(frozen=True, eq=False, repr=False)
class Halves(Shown):
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

    def _facts(self) -> Mapping[str, object]:
        return {"phi": self.phi.text, "Jaccard": self.jaccard.text, "unit": self.unit}

    def _details(self) -> Mapping[str, object]:
        return {"chance Jaccard": number(self.chance), "splits": len(self.pair_phi)}


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
    rng: np.random.Generator | int,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
    clusters: Clusters = None,
    pairs: int = 50,
    interval_splits: int = 36,
    level: float = 0.95,
    memory_mb: float = 64.0,
) -> Halves:
    """phi and Jaccard of complementary halves, averaged over `pairs` random splits.

    `rng`: a generator, or the seed of one. `clusters`: template of each example; the split is then
    over templates. `size`, `signed`, `select` as in `replicate_sets`. Interval, from 8 units on,
    from `interval_splits` further splits of the data (most of the cost; 0 skips it): see
    `block_variance.halves_variance`; t with 7 degrees of freedom, about what that variance is
    worth; the lower end stays below what one unseen swap of an edge would give. Nominal 95 % covers
    .93 to .98 on noise, many weak effects, heavy tails and where a few close calls decide; it is
    conservative, .98 to 1, on a clear gap.

    >>> rng = np.random.default_rng(0)
    >>> scores = rng.normal(size=(40, 30)) + 5 * (np.arange(30) < 6)
    >>> halves_agreement(scores, size=6, rng=rng, pairs=5).phi.value
    1.0
    """
    check_confidence(level)
    rng = np.random.default_rng(rng)
    resamples = complementary_halves(len(scores), pairs, rng=rng, clusters=clusters)

    def agreement(weights):
        sets = replicate_sets(
            scores, weights, size=size, signed=signed, select=select, memory_mb=memory_mb
        )
        return sets, np.stack(pair_agreement(sets))

    sets, values = agreement(resamples.weights)
    units = resamples.counts.shape[1]
    of_example = unit_of_example(len(scores), clusters)
    variance, coarse = np.full(2, np.nan), np.zeros(2, dtype=bool)
    if interval_splits > 1 and units >= LEAST_UNITS:
        variance, coarse = halves_variance(
            agreement,
            of_example,
            interval_splits,
            values=values,
            size=float(sets.sizes.mean()),
            share=_share(sets),
            rng=rng,
        )
        if pairs > 1:
            variance += values.var(axis=1, ddof=1) / pairs
    few, unit = units < LEAST_UNITS, resamples.unit
    known = {
        "level": level,
        "n": units,
        "estimand": f"agreement of fresh samples of {units / 2:g} {unit}s",
        "kind": "" if few else "subsampling",
        "unit": unit,
        "missing": f"no interval from fewer than {LEAST_UNITS} {unit}s" if few else "",
    }
    labels = [
        f"none ({units} units)" if few else EXTRAPOLATED + f"; {DECIDE}" * int(c) for c in coarse
    ]
    phi, jac = (
        t_interval(
            Estimate(name, value.mean(), np.sqrt(spread), interval=label, draws=value, **known),
            df=DF,
            bounds=(floor, 1.0),
        )
        for name, value, spread, floor, label in zip(
            ("phi", "jaccard"), values, variance, (-1.0, 0.0), labels, strict=True
        )
    )
    phi, jac = (
        below_one_swap(estimate, swap)
        for estimate, swap in zip(
            (phi, jac), unseen_swap(float(sets.sizes.mean()), _share(sets), level), strict=True
        )
    )
    chance = mean_chance(sets.sizes, sets.n_edges)
    return Halves(phi, jac, chance, sets, values[0], values[1], resamples.unit)


def _share(sets: RunSets) -> float:
    """Edges kept over all edges."""
    return float(sets.sizes.mean()) / sets.n_edges
