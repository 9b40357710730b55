"""Interval of bootstrap agreement over data sets, from disjoint blocks of the data.

The infinitesimal jackknife needs nothing but the replicates and their counts, but it also counts
what is not linear in the data and is 1.5 to 3 times too large a variance. With the scores at hand,
halves of the data can be bootstrapped by themselves.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit.agreement.block_variance import LARGEST_GROWTH, SHARED_DF, weight_of_few
from circuitvar.audit.agreement.halves import EXTRAPOLATED, LEAST_UNITS
from circuitvar.audit.indices import closed_form_variance, pair_phi, phi
from circuitvar.audit.intervals import below_one_swap, t_interval, unseen_swap
from circuitvar.audit.resampling import Scores, Selector, replicate_sets
from circuitvar.audit.types import Axis, Estimate

CLOSE_CALL = 0.14
"""Part of the variance of one pair of replicates that V(n) is not taken below where a few close
calls decide: about .18 in simulations, known better than t(7) presumes."""
_SPLITS, _REPLICATES = 24, 16


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
        found, spreads, (-1.0, 0.0), unseen_swap(kept, share, level), strict=True
    ):
        new = t_interval(replace(old, se=spread, **known), df=SHARED_DF, bounds=(floor, 1.0))
        ends.append(below_one_swap(new, swap))
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
            found[i, b] = phi(halves[i, b], whole)
            noise[i, b] = closed_form_variance(halves[i, b], whole)
            single[i, b] = pair_phi(halves[i, b], whole).var()
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
