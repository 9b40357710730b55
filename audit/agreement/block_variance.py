"""Variance of agreement over data sets, from disjoint blocks of the one data set there is.

The jackknife overstates it 1.4 to 2.6 times, because agreement is far from linear in the data.
Disjoint blocks are independent data sets; what they give holds for smaller samples and has to be
carried over to the whole. Where a few edges close to the cut decide, one data set can make its
resamples agree nearly always or nearly never, and shows nothing of how another would decide:
without a floor nominal 95 % intervals of the planted noise model held the truth in .50 to .95.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator

from circuitvar.audit.indices import off_diagonal
from circuitvar.audit.intervals import UNSEEN, t_interval, unseen_swap
from circuitvar.audit.resampling import from_counts
from circuitvar.audit.types import Estimate
from circuitvar.circuits.intervals import t_quantile

Index = Float[np.ndarray, " index"]
Example = Int[np.ndarray, " example"]
Values = Float[np.ndarray, "index pair"]
Pairs = Float[np.ndarray, "replicate replicate"]
Agreement = Callable[[Float[np.ndarray, "replicate example"]], tuple[object, Values]]

FEW_SWAPS = 3.0
"""Where two sets of a pair differ in fewer edges than this, a few close calls decide."""
DECIDE = "a few close calls decide"
"""What the name of an interval says when they do."""
_OF_RESAMPLES = 0.3
"""Part of the variance of one pair of resamples; .2 to .3 in simulations."""
CLOSE_CALL = 0.27
"""Part of the variance of one pair of halves that V(n) is not taken below where few edges
decide."""
COARSE_DIFFERENCE = 0.15
"""Above this standard deviation of the difference of two agreements of one pair of halves, few
edges decide."""
SHARED_DF = 7
"""Degrees of freedom of `halves_variance`: about what it is worth."""
DIFFERENCE_DF = 4
"""Degrees of freedom of `difference_variance`."""
LARGEST_GROWTH = 4.0
"""The overlap of sets that begin to agree varies at most so much more than that of their blocks."""
_INNER_PAIRS = 8


def weight_of_few(swaps: float) -> float:
    """1 up to `FEW_SWAPS`, then (`FEW_SWAPS` / swaps)²: many calls average out."""
    return min(1.0, FEW_SWAPS / swaps) ** 2 if swaps > 0 else 1.0


def halves_variance(
    agreement: Agreement,
    of_example: Example,
    splits: int,
    *,
    values: Values,
    size: float,
    share: float,
    rng: Generator,
) -> tuple[Index, Bool[np.ndarray, " index"]]:
    """Variance over data sets of the mean phi and Jaccard of halves; whether it is conservative.

    `values`: agreement of the pairs of halves of all data; `size`: edges kept; `share`: of all.
    V(n/2), the variance between two disjoint blocks, each halved and compared in itself, is
    unbiased for data of half the size. The number of shared edges varies like a count, p (1 - p)
    with p the share of a set that the other has, so V(n) = V(n/2) * r(n) / r(n/2) with r = p (1 -
    p) for phi and p (1 - p) (1 + J)^4 for Jaccard, as J = p / (2 - p). In simulations r held within
    1.3 over a doubling of n where V itself changed by .15 to 1.6.

    Where few close calls or two nearly tied routes decide, the chance that halves agree on one is
    about uniform over data sets, whose variance is a third of that of one pair. V(n) is not taken
    below `CLOSE_CALL` times that of one pair of halves of a block or of all data, or that of one
    swap where none or one is usual; less where halves differ in more edges: times `weight_of_few`.
    It is .27 and not a third because this variance is known better than seven df say.
    """
    between, single, level = _between_blocks(agreement, of_example, 2, splits, rng=rng)
    whole, block = (_count_variance(mean, share) for mean in (values.mean(axis=1), level))
    growth = np.divide(whole, block, out=np.ones(2), where=block > 0)
    variance = between * np.minimum(growth, LARGEST_GROWTH)
    least = CLOSE_CALL * _close_calls(values, level, single, size=size, share=share)
    return np.maximum(variance, least), least > variance


def _close_calls(values: Values, level, single, *, size: float, share: float):
    """Variance of (phi, Jaccard) of one pair of halves, the largest of three.

    Of a block; of all data; of swaps that happen in some pairs, each as large as one edge. A block
    with few units may always be wrong about the cut, and then shows no variance.
    """
    whole = values.mean(axis=1)
    in_block, in_whole = (
        size * np.array([(1 - share) * (1 - phi), (1 - j) / (1 + j)]) for phi, j in (level, whole)
    )
    edge = 1 / (size * (1 - share)) if 0 < share < 1 else 0.0
    step = edge * np.array([1.0, (1 - share) * (1 + whole[1]) ** 2 / 2])
    block, all_data = (
        np.array([weight_of_few(float(n)) for n in number]) for number in (in_block, in_whole)
    )
    swaps = np.clip(in_whole, 0.0, 1.0) * step**2
    spread = values.var(axis=1)
    return np.max([block * single, all_data * spread, all_data * swaps], axis=0)


def _count_variance(level: Index, share: float):
    """Relative variance of (phi, Jaccard) at these values, if overlaps are counts."""
    phi, jaccard = level
    p = np.clip([phi + (1 - phi) * share, 2 * jaccard / (1 + jaccard)], 0, 1)
    return p * (1 - p) * np.array([1.0, (1 + jaccard) ** 4])


def difference_variance(agreement: Agreement, of_example: Example, splits: int, *, rng) -> Index:
    """Variance over data sets of a difference of mean agreements of halves.

    V(n/2) between two disjoint blocks and V(n/4) between four are unbiased. V(n) is extrapolated
    as V(n/2) * sqrt(V(n/2)/V(n/4)), the root because the ratio is noisy, held between 1/2
    (regular) and 2 (agreement that varies more as weak effects begin to be found; pure noise stays
    at 1). Wherever one pair varies by more than `COARSE_DIFFERENCE`, V(n) is not
    taken below a third of its variance: see `halves_variance`.
    """
    two, *_ = _between_blocks(agreement, of_example, 2, splits, rng=rng)
    four, single, _ = _between_blocks(agreement, of_example, 4, max(splits // 2, 1), rng=rng)
    ratio = np.divide(two, four, out=np.ones(2), where=four > 0)
    variance = two * np.clip(np.sqrt(ratio), 0.5, 2.0)
    return np.where(single > COARSE_DIFFERENCE**2, np.maximum(variance, single / 3), variance)


def _between_blocks(agreement: Agreement, of_example, blocks: int, splits: int, *, rng):
    """(variance between blocks, variance of one pair of halves, mean agreement).

    Between disjoint blocks: of the mean agreement of halves within a block, less the Monte-Carlo
    variance of those means.
    """
    units = int(of_example.max()) + 1
    width, rows = units // blocks, []
    for _ in range(splits):
        order = rng.permutation(units)
        for b in range(blocks):
            block = order[b * width : (b + 1) * width]
            for _ in range(_INNER_PAIRS):
                counts = np.zeros((2, units), dtype=np.float32)
                shuffled = rng.permutation(block)
                counts[0, shuffled[: width // 2]] = 1
                counts[1, shuffled[width // 2 :]] = 1
                rows.append(counts)
    weights = from_counts(np.concatenate(rows), of_example, scheme="", unit="").weights
    values = agreement(weights)[1].reshape(2, splits, blocks, _INNER_PAIRS)
    noise = values.var(axis=3, ddof=1).mean(axis=(1, 2)) / _INNER_PAIRS
    between = values.mean(axis=3).var(axis=2, ddof=1).mean(axis=1)
    spread = values.var(axis=(1, 2, 3))
    return np.maximum(between - noise, 0.0), spread, values.mean(axis=(1, 2, 3))


def least_of_resamples(
    phi: Estimate, jaccard: Estimate, pairs: Pairs, *, size: float, n_edges: int
) -> tuple[Estimate, Estimate]:
    """The two with t intervals as wide as close calls, or one unseen swap, make them at least.

    `pairs`: Jaccard of every two; `size`: mean size of the sets. A pair with
    Jaccard J differs in 2 k (1 - J)/(1 + J) edges, so its phi is 1 - (1 - J)/((1 + J)(1 - k/E)).
    """
    share = size / n_edges
    if not 0 < share < 1 or len(pairs) < 3:
        return phi, jaccard
    each = off_diagonal(pairs)
    differ = (1 - each) / (1 + each)
    few = _OF_RESAMPLES * weight_of_few(size * float(differ.mean()))
    swaps = unseen_swap(size, share, phi.level)
    return (
        _at_least(phi, few * float((differ / (1 - share)).var()), swaps[0], floor=-1.0),
        _at_least(jaccard, few * float(each.var()), swaps[1], floor=0.0),
    )


def _at_least(estimate: Estimate, variance: float, swap: float, *, floor: float) -> Estimate:
    if not np.isfinite(estimate.se):
        return estimate
    df = estimate.n - 1
    quantile = t_quantile(df, estimate.level)
    se, name = estimate.se, estimate.interval
    if variance > se**2:
        se, name = float(np.sqrt(variance)), f"{estimate.interval}; {DECIDE}"
    if quantile * se < swap:
        se, name = swap / quantile, f"{estimate.interval}; {UNSEEN}"
    return t_interval(replace(estimate, se=se, interval=name), df=df, bounds=(floor, 1.0))
