"""Variance of agreement over data sets, from disjoint blocks of the one data set there is.

The jackknife overstates it 1.4 to 2.6 times, because agreement is far from linear in the data.
Disjoint blocks are independent data sets; what they give holds for smaller samples and has to be
carried over to the whole.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.agreement.close_calls import weight_of_few
from circuitvar.audit.resampling import from_counts

Values = Float[np.ndarray, "index pair"]
Agreement = Callable[[Float[np.ndarray, "replicate example"]], tuple[object, Values]]

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


def halves_variance(
    agreement: Agreement,
    of_example: Int[np.ndarray, " example"],
    splits: int,
    *,
    values: Values,
    size: float,
    share: float,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, " index"], Bool[np.ndarray, " index"]]:
    """Variance over data sets of the mean phi and Jaccard of halves; whether it is conservative.

    `values`: agreement of the pairs of halves of all data; `size`: edges kept; `share`: of all.
    V(n/2), the variance between two disjoint blocks, each halved and compared in itself, is
    unbiased for data of half the size. The number of shared edges varies like a count, p (1 - p)
    with p the share of a set that the other has, so V(n) = V(n/2) * r(n) / r(n/2) with r = p (1 -
    p) for phi and p (1 - p) (1 + J)^4 for Jaccard, as J = p / (2 - p). In simulations r held within
    1.3 over a doubling of n where V itself changed by .15 to 1.6.

    Where a few edges close to the cut or two nearly tied routes decide, one data set can make its
    halves agree nearly always or nearly never, and shows nothing of it. The chance that halves
    agree on one close call is about uniform over data sets, whose variance is a third of that of
    one pair. V(n) is not taken below `CLOSE_CALL` times that of one pair of halves of a block or
    of all data, or that of one swap where none or one is usual; less where halves differ in more
    edges: times `close_calls.weight_of_few`. It is .27 and not a third because this variance is
    known better than seven degrees of freedom say.
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


def _count_variance(level: Float[np.ndarray, " index"], share: float):
    """Relative variance of (phi, Jaccard) at these values, if overlaps are counts."""
    phi, jaccard = level
    p = np.clip([phi + (1 - phi) * share, 2 * jaccard / (1 + jaccard)], 0, 1)
    return p * (1 - p) * np.array([1.0, (1 + jaccard) ** 4])


def difference_variance(
    agreement: Agreement, of_example: Int[np.ndarray, " example"], splits: int, *, rng
) -> Float[np.ndarray, " index"]:
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
