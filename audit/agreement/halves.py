"""Stability between complementary halves of the data: the default estimate of the suite.

Replicates of one data set share its error, so bootstrap and random-half agreement is wrong in both
directions (phi .144 on pure noise, .945 where the truth is .999). Only disjoint halves are
independent; their mean agreement is unbiased for fresh samples of half the size, at the level of
the unit that is split: templates where there are templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit import resampling
from circuitvar.audit.agreement.block_variance import DECIDE, SHARED_DF, halves_variance
from circuitvar.audit.indices import jaccard, mean_chance
from circuitvar.audit.intervals import below_one_swap, t_interval, unseen_swap
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Estimate
from circuitvar.circuits.confidence import check_confidence
from circuitvar.tasks.shown import Shown, number
from circuitvar.tasks.units import Clusters, unit_of_example

Pair = Float[np.ndarray, " pair"]
EXTRAPOLATED = "subsampling, extrapolated"
"""Name of the interval."""
LEAST_UNITS = 8
"""Fewer prompts or templates than this give no interval."""
SHARES: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Sizes of the curve against size, as shares of the graph."""


@dataclass(frozen=True, eq=False, repr=False)
class Halves(Shown):
    """Agreement of complementary halves."""

    phi: Estimate
    jaccard: Estimate
    chance: float
    """Expected Jaccard of random sets of the observed sizes."""
    sets: resampling.RunSets
    """Rows 2r and 2r+1 are pair r; all are samples of half the size, without duplicates."""
    pair_phi: Pair
    pair_jaccard: Pair
    unit: str

    def _facts(self) -> Mapping[str, object]:
        return {"phi": self.phi.text, "Jaccard": self.jaccard.text, "unit": self.unit}

    def _details(self) -> Mapping[str, object]:
        return {"chance Jaccard": number(self.chance), "splits": len(self.pair_phi)}


def pair_agreement(sets: resampling.RunSets) -> tuple[Pair, Pair]:
    """(phi, Jaccard) of rows 2r and 2r+1 for every r.

    For two runs phi = 1 - d / (2 E q (1 - q)), with d the symmetric difference and q the mean
    share of edges kept; for equal sizes it is the Kuncheva index.
    """
    first, second = sets.packed[0::2], sets.packed[1::2]
    k1, k2 = sets.sizes[0::2], sets.sizes[1::2]
    differ = np.bitwise_count(first ^ second).sum(axis=1, dtype=np.int64)
    share = (k1 + k2) / (2 * sets.n_edges)
    scale = 2 * sets.n_edges * share * (1 - share)
    nothing = np.full(len(differ), np.nan)
    apart = np.divide(differ, scale, out=nothing, where=scale > 0)
    return 1 - apart, jaccard(k1, k2, (k1 + k2 - differ) / 2)


def halves_agreement(
    scores: resampling.Scores,
    *,
    rng: Generator | int,
    size: int | resampling.Selector,
    signed: bool = False,
    clusters: Clusters = None,
    pairs: int = 50,
    interval_splits: int = 36,
    level: float = 0.95,
) -> Halves:
    """phi and Jaccard of complementary halves, averaged over `pairs` random splits.

    `rng`: a generator, or the seed of one. `clusters`: template of each example; the split is then
    over templates. `size` and `signed` as in `replicate_sets`. Interval, from 8 units on,
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
    resamples = resampling.complementary_halves(len(scores), pairs, rng=rng, clusters=clusters)

    def agreement(weights):
        sets = resampling.replicate_sets(scores, weights, size=size, signed=signed)
        return sets, np.stack(pair_agreement(sets))

    sets, values = agreement(resamples.weights)
    units, unit, kept = resamples.counts.shape[1], resamples.unit, float(sets.sizes.mean())
    few, share = units < LEAST_UNITS, kept / sets.n_edges
    variance, coarse = np.full(2, np.nan), np.zeros(2, dtype=bool)
    if interval_splits > 1 and not few:
        of_example = unit_of_example(len(scores), clusters)
        known = {"values": values, "size": kept, "share": share, "rng": rng}
        variance, coarse = halves_variance(agreement, of_example, interval_splits, **known)
        if pairs > 1:
            variance += values.var(axis=1, ddof=1) / pairs
    said = {
        "level": level,
        "n": units,
        "estimand": f"agreement of fresh samples of {units / 2:g} {unit}s",
        "kind": "" if few else "subsampling",
        "unit": unit,
        "missing": f"no interval from fewer than {LEAST_UNITS} {unit}s" if few else "",
    }
    found, swaps = [], unseen_swap(kept, share, level)
    for i, (name, floor) in enumerate((("phi", -1.0), ("jaccard", 0.0))):
        label = f"none ({units} units)" if few else EXTRAPOLATED + f"; {DECIDE}" * int(coarse[i])
        value, se = values[i].mean(), np.sqrt(variance[i])
        estimate = Estimate(name, value, se, interval=label, draws=values[i], **said)
        estimate = t_interval(estimate, df=SHARED_DF, bounds=(floor, 1.0))
        found.append(below_one_swap(estimate, swaps[i]))
    chance = mean_chance(sets.sizes, sets.n_edges)
    return Halves(found[0], found[1], chance, sets, values[0], values[1], unit)


def size_grid(n_edges: int, size: int) -> tuple[int, ...]:
    """Increasing sizes from a handful of edges to most of the graph, `size` among them.

    >>> size_grid(479, 47)
    (5, 10, 24, 47, 48, 96, 192, 287, 383)
    """
    grid = {round(share * n_edges) for share in SHARES} | {size}
    return tuple(sorted(k for k in grid if 5 <= k < n_edges))


def size_curve(
    scores: resampling.Scores,
    *,
    size: int,
    clusters: Clusters = None,
    signed: bool = False,
    pairs: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per size: k, phi, phi_low, phi_high, jaccard, chance, from complementary halves.

    A Jaccard curve rises with k mechanically; phi and the chance curve show what is left of that.
    All sizes see the same splits, so the curve is smooth in k.
    """
    how = {"clusters": clusters, "signed": signed, "pairs": pairs, "level": level}
    rows = []
    for k in size_grid(scores.shape[1], size):
        rng = stream(seed, "size curve")
        found = halves_agreement(scores, rng=rng, size=k, interval_splits=12, **how)
        phi, chance = found.phi, found.chance
        rows.append((k, phi.value, phi.low, phi.high, found.jaccard.value, chance))
    return pd.DataFrame(rows, columns=["k", "phi", "phi_low", "phi_high", "jaccard", "chance"])
