"""Interval of bootstrap agreement over data sets, from disjoint blocks of the data.

The infinitesimal jackknife needs nothing but the replicates and their counts, but it also counts
what is not linear in the data and is 1.5 to 3 times too large a variance. With the scores at hand,
halves of the data can be bootstrapped by themselves.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement.block_variance import LARGEST_GROWTH, SHARED_DF
from circuitvar.audit.agreement.close_calls import weight_of_few
from circuitvar.audit.agreement.halves import EXTRAPOLATED, LEAST_UNITS
from circuitvar.audit.indices import closed_form_variance, pair_phi
from circuitvar.audit.indices import phi as phi_of_masks
from circuitvar.audit.intervals import below_one_swap, t_interval, unseen_swap
from circuitvar.audit.resampling import Selector, replicate_sets
from circuitvar.audit.types import Axis, Estimate

CLOSE_CALL = 0.14
"""Part of the variance of one pair of replicates that V(n) is not taken below where a few close
calls decide: about .18 in simulations, known better than t(7) presumes."""
_SPLITS, _REPLICATES = 24, 16


def with_block_interval(
    axis: Axis,
    scores: Float[np.ndarray, "example edge"],
    *,
    size: int,
    rng: np.random.Generator,
    signed: bool = False,
    level: float = 0.95,
) -> Axis:
    """The bootstrap axis of these prompts with the intervals of `block_intervals`."""
    phi_, jaccard = block_intervals(
        axis.phi,
        axis.jaccard,
        scores,
        runs=axis.runs,
        kept=float(axis.sizes.mean()),
        size=size,
        rng=rng,
        signed=signed,
        level=level,
    )
    return replace(axis, phi=phi_, jaccard=jaccard)


def block_intervals(
    phi: Estimate,
    jaccard: Estimate,
    scores: Float[np.ndarray, "example edge"],
    *,
    runs: int,
    kept: float,
    rng: np.random.Generator,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
    level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """(phi, Jaccard) between `runs` bootstrap replicates of these prompts, with block intervals.

    The replicates keep `kept` edges on average. Intervals from `bootstrap_variance`, t(7), whose
    lower end is not above what one unseen swap of an edge would give; the estimates as they are
    where phi is undefined or there are fewer than 2 x 8 prompts.

    Jaccard J = p / (2 - p) with p the share of a set that the other has, so its SE is that of phi
    times (1 - k/E) (1 + J)²/2.
    """
    n, edges = scores.shape
    if not np.isfinite(phi.value) or n < 2 * LEAST_UNITS:
        return phi, jaccard
    share = kept / edges
    variance = bootstrap_variance(
        scores, phi.value, kept=kept, rng=rng, size=size, signed=signed, select=select
    )
    se = float(np.sqrt(variance + replicate_noise(phi.value, runs, kept, share)))
    slope = (1 - share) * (1 + jaccard.value) ** 2 / 2
    ends = zip(
        (phi, jaccard), (se, se * slope), (-1.0, 0.0), unseen_swap(kept, share, level), strict=True
    )
    how = {"interval": EXTRAPOLATED, "kind": "subsampling", "n": n, "level": level}
    first, second = (
        below_one_swap(
            t_interval(replace(old, se=spread, **how), df=SHARED_DF, bounds=(floor, 1.0)), swap
        )
        for old, spread, floor, swap in ends
    )
    return first, second


def replicate_noise(value: float, runs: int, kept: float, share: float) -> float:
    """Monte-Carlo variance of phi of B replicates, from the spread of inclusion alone.

    At most that of independent pairs, 2 (1 - phi)/(k (1 - k/E)) / (B (B - 1)).
    """
    return 2 * (1 - value) / (kept * (1 - share)) / (runs * (runs - 1))


def bootstrap_variance(
    scores: Float[np.ndarray, "example edge"],
    value: float,
    *,
    kept: float,
    rng: np.random.Generator,
    size: int | None = None,
    signed: bool = False,
    select: Selector | None = None,
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
    sets = replicate_sets(scores, weights, size=size, signed=signed, select=select)
    masks = sets.masks(sets.contested).reshape(_SPLITS, 2, _REPLICATES, -1)
    whole = {"n_edges": sets.n_edges, "always": sets.always}
    found, noise, single = np.empty((3, _SPLITS, 2))
    for i in range(_SPLITS):
        for b in range(2):
            found[i, b] = phi_of_masks(masks[i, b], **whole)
            noise[i, b] = closed_form_variance(masks[i, b], **whole)
            single[i, b] = pair_phi(masks[i, b], **whole).var()
    between = max(float(found.var(axis=1, ddof=1).mean() - noise.mean()), 0.0)
    p = np.clip([value + (1 - value) * share, found.mean() * (1 - share) + share], 0, 1)
    count = p * (1 - p)
    growth = min(count[0] / count[1], LARGEST_GROWTH) if count[1] > 0 else 1.0
    swaps = kept * (1 - share) * (1 - float(found.mean()))
    return max(between * growth, CLOSE_CALL * weight_of_few(swaps) * float(single.mean()))


def _block_weights(n: int, rng: np.random.Generator) -> Float[np.ndarray, "replicate example"]:
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
