"""Stability of selected sets: the index of Nogueira, Sechidis and Brown (JMLR 18(174), 2018).

phi is 1 when all runs keep the same edges and 0 in expectation for random sets, whatever their
sizes; for equal sizes it is the mean pairwise Kuncheva index. It never needs pairs. Columns that
every run or no run keeps may be left out of `masks` if `whole` says so: see `RunSets.compact`.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.stats import t as student_t

from circuitvar.audit import intervals
from circuitvar.audit.resampling import Whole, columns
from circuitvar.audit.types import Estimate

Edge = Real[np.ndarray, " edge"]
Masks = Bool[np.ndarray, "run edge"]
Others = Bool[np.ndarray, "other edge"]
Runs = Float[np.ndarray, " run"]
Units = Float[np.ndarray, "run unit"]
Side = Literal["greater", "less", "two-sided"]
CORE = 0.9
"""Edges kept by at least this share of runs are core."""
NOISE = 0.1
"""Edges kept by less than this share of runs are noise; those between are contingent."""
CLASSES = ("core", "contingent", "noise")


def phi_from_counts(counts: Edge, runs: int, whole: Whole | None = None) -> float:
    """phi = 1 - M/(M-1) mean_e p_e (1 - p_e) / (k/E (1 - k/E)), with p_e = counts_e / M.

    NaN for one run and where it is undefined: no edge, or every edge, kept by all runs.

    >>> round(phi_from_counts(np.array([3, 2, 1, 0]), 3), 6)
    0.333333
    """
    n_edges, always = whole or Whole(len(counts))
    p = np.asarray(counts, dtype=np.float64) / max(runs, 1)
    share = (p.sum() + always) / n_edges if n_edges else 0.0
    if runs < 2 or not 0 < share < 1:
        return float("nan")
    spread = (p * (1 - p)).sum() / n_edges
    return float(1 - runs / (runs - 1) * spread / (share * (1 - share)))


def phi(masks: Masks, whole: Whole | None = None) -> float:
    """phi of a runs x edges selection matrix; see `phi_from_counts`."""
    return phi_from_counts(masks.sum(axis=0), len(masks), whole)


def classify(inclusion: Edge, *, core: float = CORE, noise: float = NOISE) -> np.ndarray:
    """Edges by how often they are kept: `core` from `core` on, `noise` below `noise`, `contingent`.

    The consensus classes of Parekh (CIRCUS, arXiv 2603.00523) with cuts instead of exact 1 and 0.

    >>> classify(np.array([1.0, 0.5, 0.0])).tolist()
    ['core', 'contingent', 'noise']
    """
    if not 0 <= noise <= core <= 1:
        raise ValueError(f"cuts are noise={noise}, core={core}; use 0 <= noise <= core <= 1")
    return np.select([inclusion >= core, inclusion >= noise], CLASSES[:2], CLASSES[2])


def row_projections(masks: Masks, whole: Whole | None = None) -> Runs:
    """First-order contribution phi_i of each run (section 4 of the paper).

    phi_i = [mean_e Z_ie p_e - k_i k/E² + phi/2 (2 k_i k/E² - k_i/E - k/E + 1)] / (k/E (1 - k/E)).
    """
    n_edges, always = whole or Whole(masks.shape[1])
    counts = masks.sum(axis=0)
    value = phi_from_counts(counts, len(masks), whole)
    p = counts / len(masks)
    share = (p.sum() + always) / n_edges
    if not np.isfinite(value):
        return np.full(len(masks), np.nan)
    own = (masks.sum(axis=1) + always) / n_edges
    overlap = (times(masks, p) + always) / n_edges
    centred = overlap - own * share + value / 2 * (2 * own * share - own - share + 1)
    return centred / (share * (1 - share))


def closed_form_variance(masks: Masks, whole: Whole | None = None) -> float:
    """v = 4/M² sum_i (phi_i - mean)², the published variance.

    It treats rows as independent runs: with resamples of one data set it understates the SE 6 to 26
    times, and it undercovers for fewer than about 30 runs. Kept for comparison with published
    intervals.
    """
    projections = row_projections(masks, whole)
    centred = projections - projections.mean()
    return float(4 / len(masks) ** 2 * (centred @ centred))


def leave_one_run_out(masks: Masks, whole: Whole | None = None) -> Runs:
    """phi without run i, for every i, in one product.

    With c the counts, dropping row z changes sum c (M-1-c) by z @ (2c - M).
    """
    edges, always = whole or Whole(masks.shape[1])
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


def pair_phi(masks: Masks, whole: Whole | None = None) -> Float[np.ndarray, " pair"]:
    """phi of every two runs on the scale of all: 1 - d_ij / (2 E q (1 - q)).

    With d the symmetric difference and q the mean share of edges kept by all runs; their mean is
    `phi`.
    """
    edges, always = whole or Whole(masks.shape[1])
    shared = overlaps(masks)
    sizes = np.diag(shared)
    share = (sizes.mean() + always) / edges
    i, j = np.triu_indices(len(masks), 1)
    differ = sizes[i] + sizes[j] - 2 * shared[i, j]
    scale = 2 * edges * share * (1 - share)
    return 1 - differ / scale if scale > 0 else np.full(len(i), np.nan)


def phi_of_runs(masks: Masks, whole: Whole | None = None, *, level: float = 0.95) -> Estimate:
    """phi of M independent runs with the interval of `interval_of_runs`; none for M = 2.

    When all runs agree the jackknife SE is 0; the lower end is then (1 - level)^(2/(M-1)): see
    `intervals.all_runs_equal`.

    >>> e = phi_of_runs(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], dtype=bool))
    >>> round(e.value, 4), e.interval
    (0.3333, 'row jackknife t')
    """
    runs, value = len(masks), phi(masks, whole)
    if runs < 3 or not np.isfinite(value):
        return intervals.without_interval("phi", value, runs, level)
    if value == 1.0:
        return intervals.all_runs_equal("phi", runs, level)
    n_edges, always = whole or Whole(masks.shape[1])
    size = float(masks.sum()) / runs + always
    share = size / n_edges
    index = intervals.OfShared(
        "phi",
        value,
        shared=value + (1 - value) * share,
        slope=1 / (1 - share),
        size=size,
        swap=intervals.unseen_swap(size, share, level, pairs=runs // 2)[0],
        floor=-1.0,
    )
    left_out, pairs = leave_one_run_out(masks, whole), pair_phi(masks, whole)
    return intervals.interval_of_runs(index, left_out, pairs, level=level)


def phi_of_resamples(
    masks: Masks,
    counts: Units,
    whole: Whole | None = None,
    *,
    level: float = 0.95,
    method: intervals.ResampleInterval = "ij",
) -> Estimate:
    """phi over B resamples of one data set, with an interval over data sets.

    Bias-corrected infinitesimal jackknife or jackknife-after-bootstrap with t_b = 2(phi_b - mean);
    `counts` are `Resamples.counts` (prompts, or templates where those were resampled); t(n-1).
    """
    value, terms, left_out = phi(masks, whole), None, None
    if intervals.after_bootstrap(method):
        left_out = phi_without_unit(masks, counts, whole)
    if np.isfinite(value):
        projections = row_projections(masks, whole)
        terms = 2 * (projections - projections.mean())
    found = (value, counts, terms, left_out)
    return intervals.interval_of_resamples("phi", *found, floor=-1.0, level=level)


def phi_without_unit(masks: Masks, counts: Units, whole: Whole | None = None) -> np.ndarray:
    """phi over the replicates that lack unit i, for every i; NaN where fewer than 2 lack it."""
    lacking = (counts == 0).T.astype(np.float32)
    blocks = [lacking @ masks[:, part].astype(np.float32) for part in columns(masks.shape[1])]
    kept, sizes = np.concatenate(blocks, axis=1), lacking.sum(axis=1)
    return np.array(
        [phi_from_counts(row, int(n), whole) for row, n in zip(kept, sizes, strict=True)]
    )


def phi_difference(
    masks_a: Masks, masks_b: Others, counts: Units | None = None, *, level: float = 0.95
) -> Estimate:
    """phi(b) - phi(a), with an interval.

    With `counts`: paired, both from the same resamples (IJ of the difference). Without: two
    independent groups of independent runs, their own intervals recovered into one of the difference
    (MOVER, Zou and Donner 2008): low = d - sqrt((b - low_b)² + (high_a - a)²).
    """
    gap = phi(masks_b) - phi(masks_a)
    if counts is None:
        a, b = (phi_of_runs(masks, level=level) for masks in (masks_a, masks_b))
        low = gap - float(np.hypot(b.value - b.low, a.high - a.value))
        high = gap + float(np.hypot(b.high - b.value, a.value - a.low))
        se, n = float(np.hypot(a.se, b.se)), min(len(masks_a), len(masks_b))
        ends, how = (max(low, -2.0), min(high, 2.0)), "independent groups, row jackknife"
        return Estimate("phi difference", gap, se, *ends, level, n, how, kind="runs", unit="run")
    t = 2 * (row_projections(masks_b) - row_projections(masks_a))
    se = intervals.resample_se(counts, t - t.mean()) if np.isfinite(t).all() else float("nan")
    df, how = counts.shape[1] - 1, "paired infinitesimal jackknife"
    found = Estimate("phi difference", gap, se, level=level, n=df + 1, interval=how)
    return intervals.t_interval(replace(found, kind="resamples"), df=df)


def phi_test(
    estimate: Estimate, null: float, *, side: Side = "greater", df: float | None = None
) -> float:
    """p-value of V = (phi - phi_0)/SE (section 4.3 of the paper) against t(df), by default n - 1.

    `df=inf` is the normal law of the paper, which rejects too much for few runs. The SE must be one
    that is valid for the design.
    """
    if not estimate.se > 0:
        return float("nan")
    df = float(estimate.n - 1) if df is None else df
    t = (estimate.value - null) / estimate.se
    if side == "two-sided":
        return float(2 * student_t.sf(abs(t), df))
    return float(student_t.sf(t, df) if side == "greater" else student_t.cdf(t, df))


def overlaps(masks: Masks, whole: Whole | None = None) -> Int[np.ndarray, "run run"]:
    """Number of edges every two runs share."""
    total = np.full((len(masks), len(masks)), whole.always if whole else 0, dtype=np.int64)
    for part in columns(masks.shape[1]):
        dense = masks[:, part].astype(np.float32)
        total += (dense @ dense.T).astype(np.int64)
    return total


def times(masks: Masks, vector: Float[np.ndarray, " edge"]) -> Runs:
    """masks @ vector in float64 without a float64 copy of the whole mask."""
    total = np.zeros(len(masks))
    for part in columns(masks.shape[1]):
        total += masks[:, part].astype(np.float64) @ vector[part]
    return total
