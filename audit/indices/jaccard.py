"""Mean pairwise Jaccard over runs, with its chance level and an interval over runs or prompts.

Jaccard rises mechanically with circuit size and is capped by unequal sizes, so it is never shown
without `mean_chance`. M runs give M(M-1)/2 dependent pairs: intervals resample runs, not pairs.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit import intervals
from circuitvar.audit.indices.phi import Masks, Runs, Units, overlaps
from circuitvar.audit.resampling import Whole
from circuitvar.audit.types import Estimate
from circuitvar.circuits.overlap import chance_jaccard, jaccard

Pairs = Float[np.ndarray, "run run"]
Scores = Float[np.ndarray, "run edge"]
Sizes = Int[np.ndarray, " run"]


def pairwise_jaccard(masks: Masks, whole: Whole | None = None) -> Pairs:
    """Jaccard of every two runs; NaN for two empty circuits.

    >>> pairwise_jaccard(np.array([[1, 1, 1, 0], [0, 1, 1, 1]], dtype=bool))[0, 1].item()
    0.5
    """
    shared = overlaps(masks, whole).astype(np.float64)
    sizes = np.diag(shared).copy()
    union = sizes[:, None] + sizes[None, :]
    union -= shared
    with np.errstate(invalid="ignore"):
        shared /= union
    return shared


def off_diagonal(pairs: Pairs) -> Float[np.ndarray, " pair"]:
    """The M(M-1)/2 values above the diagonal."""
    return pairs[np.triu_indices(len(pairs), 1)]


def mean_pairwise(pairs: Pairs) -> float:
    """Mean over distinct pairs; NaN for one run."""
    runs = len(pairs)
    if runs < 2:
        return float("nan")
    return float((pairs.sum() - np.trace(pairs)) / (runs * (runs - 1)))


def pairwise_cv(pairs: Pairs) -> float:
    """Standard deviation over mean of the pairwise values, as in Méloux et al. (arXiv 2510.00845).

    NaN where there are fewer than 2 pairs or the mean is 0.
    """
    values = off_diagonal(pairs)
    mean = values.mean() if len(values) else 0.0
    return float(values.std(ddof=1) / mean) if len(values) > 1 and mean > 0 else float("nan")


def means_with_others(pairs: Pairs) -> Runs:
    """Mean value of each run with the others."""
    return (pairs.sum(axis=1) - np.diag(pairs)) / (len(pairs) - 1)


def jaccard_of_runs(pairs: Pairs, *, size: float, level: float = 0.95) -> Estimate:
    """Mean pairwise value of M independent runs with the interval of `interval_of_runs`.

    `size` is the mean size of the sets. No interval for M = 2. When all runs agree the interval is
    that of `phi.phi_of_runs` with disagreement counted as 0.
    """
    runs, value = len(pairs), mean_pairwise(pairs)
    if runs < 3 or not np.isfinite(value):
        return intervals.without_interval("jaccard", value, runs, level)
    each, rows = off_diagonal(pairs), pairs.sum(axis=1) - np.diag(pairs)
    if (each == 1).all():
        return intervals.all_runs_equal("jaccard", runs, level)
    index = intervals.OfShared(
        "jaccard",
        value,
        shared=2 * value / (1 + value),
        slope=(1 + value) ** 2 / 2,
        size=size,
        swap=intervals.unseen_swap(size, 0.0, level, pairs=runs // 2)[1],
        floor=0.0,
    )
    left_out = (rows.sum() - 2 * rows) / ((runs - 1) * (runs - 2))
    return intervals.interval_of_runs(index, left_out, each, level=level)


def jaccard_of_resamples(
    pairs: Pairs, counts: Units, *, level: float = 0.95, method: intervals.ResampleInterval = "ij"
) -> Estimate:
    """Mean pairwise value over B resamples of one data set, with an interval over data sets.

    `resample_se` of t_b = 2 (J_b - J) with J_b the mean of replicate b against the others.
    """
    value, terms = mean_pairwise(pairs), None
    if len(pairs) > 2 and np.isfinite(value):
        terms = 2 * (means_with_others(pairs) - value)
    left_out = mean_without_unit(pairs, counts) if intervals.after_bootstrap(method) else None
    found = (value, counts, terms, left_out)
    return intervals.interval_of_resamples("jaccard", *found, floor=0.0, level=level)


def mean_without_unit(pairs: Pairs, counts: Units) -> Float[np.ndarray, " unit"]:
    """Mean over pairs of replicates that both lack unit i, for every i; NaN below 2 of them."""
    lacking = (counts == 0).T.astype(np.float64)
    number = lacking.sum(axis=1)
    total = ((lacking @ pairs) * lacking).sum(axis=1) - lacking @ np.diag(pairs)
    value = np.full(len(lacking), np.nan)
    ok = number > 1
    value[ok] = total[ok] / (number[ok] * (number[ok] - 1))
    return value


def mean_chance(sizes: Sizes, n_edges: int) -> float:
    """Expected mean pairwise Jaccard of random sets of the observed sizes (exact).

    >>> round(mean_chance(np.array([3, 3, 3]), 10), 6)
    0.200833
    """
    values, number = np.unique(np.asarray(sizes, dtype=np.int64), return_counts=True)
    total = weight = 0.0
    for i, first in enumerate(values.tolist()):
        for j, second in enumerate(values.tolist()[i:], start=i):
            pairs = number[i] * (number[i] - 1) / 2 if i == j else number[i] * number[j]
            if pairs:
                total += pairs * chance_jaccard(first, second, n_edges)
                weight += pairs
    return float(total / weight) if weight else float("nan")


def jaccard_to(masks: Masks, reference: Bool[np.ndarray, " edge"]) -> Runs:
    """Jaccard of each run to one circuit, e.g. the medoid."""
    return jaccard(masks.sum(axis=1), reference.sum(), (masks & reference).sum(axis=1))


def size_matched_jaccard(scores: Scores, sizes: Sizes) -> Pairs:
    """Jaccard of every two runs cut to the smaller size, best |score| first: membership alone."""
    rank = np.argsort(np.argsort(-np.abs(scores), axis=1, kind="stable"), axis=1)
    pairs = np.eye(len(scores))
    for size in np.unique(sizes):
        overlap = overlaps(rank < size)
        here = np.minimum(sizes[:, None], sizes[None, :]) == size
        pairs[here] = jaccard(size, size, overlap)[here]
    np.fill_diagonal(pairs, np.where(np.asarray(sizes) > 0, 1.0, np.nan))
    return pairs


def medoid(pairs: Pairs) -> int:
    """Run with the highest mean Jaccard to the others; the first of them on ties.

    "Jaccard to the median circuit" (Méloux et al., arXiv 2510.00845) is not defined in what we
    could read; ours is to one of the runs, which a majority circuit, perhaps empty, need not be.

    >>> medoid(np.array([[1, 0.5, 0.1], [0.5, 1, 0.4], [0.1, 0.4, 1]]))
    1

    Raises
    ------
    ValueError
        There is no run.
    """
    if not len(pairs):
        raise ValueError("no runs, so no medoid; pass at least one")
    return int(np.argmax(np.nan_to_num(pairs, nan=0.0).sum(axis=1)))


def to_medoid(pairs: Pairs) -> Runs:
    """Jaccard of every run to the medoid (1 for the medoid itself)."""
    return pairs[medoid(pairs)]
