"""Stability of selected sets: the index of Nogueira, Sechidis and Brown (JMLR 18(174), 2018).

phi is 1 when all runs keep the same edges and 0 in expectation for random sets, whatever their
sizes; for equal sizes it is the mean pairwise Kuncheva index. It never needs pairs. Columns that
every run or no run keeps may be left out of `masks` if `always` and `n_edges` say so.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from circuitvar.audit.intervals import (
    RESAMPLE_INTERVALS,
    OfShared,
    ResampleInterval,
    all_runs_equal,
    interval_of_runs,
    resample_se,
    t_interval,
    unseen_swap,
    without_interval,
)
from circuitvar.audit.types import Estimate


def phi_from_counts(
    counts: Real[np.ndarray, " edge"], runs: int, *, n_edges: int | None = None, always: int = 0
) -> float:
    """phi = 1 - M/(M-1) mean_e p_e (1 - p_e) / (k/E (1 - k/E)), with p_e = counts_e / M.

    NaN for one run and where it is undefined: no edge, or every edge, kept by all runs.

    >>> round(phi_from_counts(np.array([3, 2, 1, 0]), 3), 6)
    0.333333
    """
    n_edges = len(counts) if n_edges is None else n_edges
    p = np.asarray(counts, dtype=np.float64) / max(runs, 1)
    share = (p.sum() + always) / n_edges if n_edges else 0.0
    if runs < 2 or not 0 < share < 1:
        return float("nan")
    spread = (p * (1 - p)).sum() / n_edges
    return float(1 - runs / (runs - 1) * spread / (share * (1 - share)))


def phi(
    masks: Bool[np.ndarray, "run edge"], *, n_edges: int | None = None, always: int = 0
) -> float:
    """phi of a runs x edges selection matrix; see `phi_from_counts`."""
    return phi_from_counts(masks.sum(axis=0), len(masks), n_edges=n_edges, always=always)


def row_projections(
    masks: Bool[np.ndarray, "run edge"], *, n_edges: int | None = None, always: int = 0
) -> Float[np.ndarray, " run"]:
    """First-order contribution phi_i of each run (section 4 of the paper).

    phi_i = [mean_e Z_ie p_e - k_i k/E² + phi/2 (2 k_i k/E² - k_i/E - k/E + 1)] / (k/E (1 - k/E)).
    """
    n_edges = masks.shape[1] if n_edges is None else n_edges
    counts = masks.sum(axis=0)
    value = phi_from_counts(counts, len(masks), n_edges=n_edges, always=always)
    p = counts / len(masks)
    share = (p.sum() + always) / n_edges
    if not np.isfinite(value):
        return np.full(len(masks), np.nan)
    own = (masks.sum(axis=1) + always) / n_edges
    overlap = (times(masks, p) + always) / n_edges
    centred = overlap - own * share + value / 2 * (2 * own * share - own - share + 1)
    return centred / (share * (1 - share))


def closed_form_variance(
    masks: Bool[np.ndarray, "run edge"], *, n_edges: int | None = None, always: int = 0
) -> float:
    """v = 4/M² sum_i (phi_i - mean)², the published variance.

    It treats rows as independent runs: with resamples of one data set it understates the SE 6 to 26
    times, and it undercovers for fewer than about 30 runs. Kept for comparison with published
    intervals.
    """
    projections = row_projections(masks, n_edges=n_edges, always=always)
    centred = projections - projections.mean()
    return float(4 / len(masks) ** 2 * (centred @ centred))


def leave_one_run_out(
    masks: Bool[np.ndarray, "run edge"], *, n_edges: int | None = None, always: int = 0
) -> Float[np.ndarray, " run"]:
    """phi without run i, for every i, in one product.

    With c the counts, dropping row z changes sum c (M-1-c) by z @ (2c - M).
    """
    edges = masks.shape[1] if n_edges is None else n_edges
    runs, counts = len(masks), masks.sum(axis=0)
    if runs < 3:
        return np.full(runs, np.nan)
    spread = (counts * (runs - 1 - counts)).sum() + times(masks, 2.0 * counts - runs)
    sizes = masks.sum(axis=1)
    share = ((counts.sum() - sizes) / (runs - 1) + always) / edges
    den = share * (1 - share)
    value = np.full(runs, np.nan)
    ok = den > 0
    value[ok] = 1 - spread[ok] / ((runs - 1) * (runs - 2) * edges * den[ok])
    return value


def pair_phi(
    masks: Bool[np.ndarray, "run edge"], *, n_edges: int | None = None, always: int = 0
) -> Float[np.ndarray, " pair"]:
    """phi of every two runs on the scale of all: 1 - d_ij / (2 E q (1 - q)).

    With d the symmetric difference and q the mean share of edges kept by all runs; their mean is
    `phi`.
    """
    edges = masks.shape[1] if n_edges is None else n_edges
    shared = overlaps(masks)
    sizes = np.diag(shared)
    share = (sizes.mean() + always) / edges
    i, j = np.triu_indices(len(masks), 1)
    differ = sizes[i] + sizes[j] - 2 * shared[i, j]
    scale = 2 * edges * share * (1 - share)
    return 1 - differ / scale if scale > 0 else np.full(len(i), np.nan)


def phi_of_runs(
    masks: Bool[np.ndarray, "run edge"],
    *,
    n_edges: int | None = None,
    always: int = 0,
    level: float = 0.95,
    estimand: str = "agreement of independent runs",
) -> Estimate:
    """phi of M independent runs with the interval of `interval_of_runs`; none for M = 2.

    When all runs agree the jackknife SE is 0; the lower end is then (1 - level)^(2/(M-1)): the
    modal set has probability at least (1 - level)^(1/(M-1)), and phi is taken to be no worse than
    chance where a pair of runs disagrees.

    >>> e = phi_of_runs(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], dtype=bool))
    >>> round(e.value, 4), e.interval
    (0.3333, 'row jackknife t')
    """
    runs, kept = len(masks), {"n_edges": n_edges, "always": always}
    value = phi(masks, **kept)
    if runs < 3 or not np.isfinite(value):
        return without_interval("phi", value, runs, level=level, estimand=estimand)
    if value == 1.0:
        return all_runs_equal("phi", runs, level=level, estimand=estimand)
    size = float(masks.sum()) / runs + always
    share = size / (masks.shape[1] if n_edges is None else n_edges)
    index = OfShared(
        "phi",
        shared=value + (1 - value) * share,
        slope=1 / (1 - share),
        size=size,
        swap=unseen_swap(size, share, level, pairs=runs // 2)[0],
        floor=-1.0,
    )
    return interval_of_runs(
        index,
        value,
        leave_one_run_out(masks, **kept),
        pair_phi(masks, **kept),
        level=level,
        estimand=estimand,
    )


def phi_of_resamples(
    masks: Bool[np.ndarray, "replicate edge"],
    counts: Float[np.ndarray, "replicate unit"],
    *,
    n_edges: int | None = None,
    always: int = 0,
    level: float = 0.95,
    method: ResampleInterval = "ij",
    estimand: str = "agreement of resamples of one data set",
) -> Estimate:
    """phi over B resamples of one data set, with an interval over data sets.

    Bias-corrected infinitesimal jackknife or jackknife-after-bootstrap with t_b = 2(phi_b - mean);
    `counts` are `Resamples.counts` (prompts, or templates where those were resampled); t(n-1).
    """
    projections = row_projections(masks, n_edges=n_edges, always=always)
    value = phi(masks, n_edges=n_edges, always=always)
    se, units = float("nan"), counts.shape[1]
    if np.isfinite(value):
        t = 2 * (projections - projections.mean())
        left_out = None
        if method == "jab":
            left_out = phi_without_unit(masks, counts, n_edges=n_edges, always=always)
        se = resample_se(counts, t, method=method, without_unit=left_out)
    estimate = Estimate(
        "phi",
        value,
        se,
        level=level,
        n=units,
        interval=RESAMPLE_INTERVALS[method],
        estimand=estimand,
        kind="resamples",
    )
    return t_interval(estimate, df=units - 1, bounds=(-1.0, 1.0))


def phi_without_unit(
    masks: Bool[np.ndarray, "replicate edge"],
    counts: Float[np.ndarray, "replicate unit"],
    *,
    n_edges: int | None = None,
    always: int = 0,
) -> Float[np.ndarray, " unit"]:
    """phi over the replicates that lack unit i, for every i; NaN where fewer than 2 lack it."""
    lacking = (counts == 0).T.astype(np.float32)
    kept = np.concatenate(
        [lacking @ block.astype(np.float32) for block in column_blocks(masks)], axis=1
    )
    return np.array(
        [
            phi_from_counts(row, int(size), n_edges=n_edges or masks.shape[1], always=always)
            for row, size in zip(kept, lacking.sum(axis=1), strict=True)
        ]
    )


def overlaps(masks: Bool[np.ndarray, "run edge"], *, always: int = 0) -> Int[np.ndarray, "run run"]:
    """Number of edges every two runs share.

    Columns that all or no runs keep may be left out of `masks` when their number that all keep is
    given as `always`.
    """
    total = np.full((len(masks), len(masks)), always, dtype=np.int64)
    for block in column_blocks(masks):
        dense = block.astype(np.float32)
        total += (dense @ dense.T).astype(np.int64)
    return total


def column_blocks(masks: Bool[np.ndarray, "run edge"], width: int = 4096):
    """Yield column blocks, so that float copies of a wide mask stay small."""
    for start in range(0, max(masks.shape[1], 1), width):
        yield masks[:, start : start + width]


def times(
    masks: Bool[np.ndarray, "run edge"], vector: Float[np.ndarray, " edge"]
) -> Float[np.ndarray, " run"]:
    """masks @ vector in float64 without a float64 copy of the whole mask."""
    total, start = np.zeros(len(masks)), 0
    for block in column_blocks(masks):
        total += block.astype(np.float64) @ vector[start : start + block.shape[1]]
        start += block.shape[1]
    return total
