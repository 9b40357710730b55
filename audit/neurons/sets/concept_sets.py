"""Sets of concepts for one unit, each with the statement it supports.

Our own constructions in the setting of Yan, Oikarinen & Weng (2512.18092), who ask for a set of
concepts instead of one label; no theorem of theirs is claimed. The naive vote set covers the next
resample of the same data only: under near-ties it misses the population-best concept often.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.neurons.data import Votes
from circuitvar.audit.neurons.resampling import winner_ranks

Mask = Bool[np.ndarray, " class"]


def vote_set(shares: Float[np.ndarray, " class"], *, alpha: float = 0.05) -> Mask:
    """S_vote: fewest classes, by decreasing share, with a total share of at least 1 - alpha.

    Covers the winner of the next resample of the same data, up to Monte-Carlo error. On votes of
    half-size resamples it is S_new, which aims at the winner on a fresh data set (heuristic).

    >>> vote_set(np.array([0.6, 0.37, 0.03])).tolist()
    [True, True, False]
    """
    order = np.argsort(-shares, kind="stable")
    total = np.cumsum(shares[order])
    size = int(np.searchsorted(total, 1 - alpha - 1e-9)) + 1
    keep = np.zeros(len(shares), dtype=bool)
    keep[order[:size]] = True
    return keep


def conformal_set(votes: Votes, unit: int, *, alpha: float = 0.05) -> Mask:
    """S_conf: split-conformal votes; covers the next resample's winner with >= 1 - alpha exactly.

    Classes are ranked on the first half of the replicates; the r best are kept, r being the
    ceil((1 - alpha)(K/2 + 1))-th smallest rank of a winner in the second half. A tie counts with
    its worst-ranked member, so the set then holds all tied winners.
    """
    n_classes, replicates = len(votes.shares), len(votes.winners)
    first = replicates // 2
    early = votes.winners[:first, unit]
    share = np.bincount(early[early >= 0], minlength=n_classes).astype(float)
    if len(votes.tied):
        mine = votes.tied[(votes.tied[:, 2] == unit) & (votes.tied[:, 0] < first)]
        rows, sizes = np.unique(mine[:, 0], return_counts=True)
        share -= np.bincount(votes.winners[rows, unit], minlength=n_classes)
        split = dict(zip(rows.tolist(), sizes.tolist(), strict=True))
        for row, code, _ in mine:
            share[code] += 1 / split[int(row)]
    order = np.argsort(-share, kind="stable")
    ranks = np.sort(winner_ranks(votes, unit, order)[first:]) + 1
    needed = math.ceil((1 - alpha) * (len(ranks) + 1) - 1e-9)
    size = n_classes if needed > len(ranks) else min(int(ranks[needed - 1]), n_classes)
    keep = np.zeros(n_classes, dtype=bool)
    keep[order[:size]] = True
    return keep


def maxt_set(
    estimate: Float[np.ndarray, " class"],
    draws: Float[np.ndarray, "replicate class"],
    *,
    alpha: float = 0.05,
) -> Mask:
    """S_maxt: classes that may be best in the population (asymptotic, any metric).

    Keep c iff max_j (s_j - s_c) / se_jc is at most the 1 - alpha bootstrap quantile of the same
    maximum after re-centring at the estimate, with se_jc the bootstrap sd of s_j - s_c. Valid for
    the best class because its population differences are all <= 0. A replicate in which a score
    is undefined contributes no deviation for that class. Shape: model confidence set (Hansen,
    Lunde & Nason 2011), one class at a time.
    """
    keep = np.zeros(len(estimate), dtype=bool)
    defined = np.flatnonzero(np.isfinite(estimate))
    if not len(defined):
        return keep
    s = estimate[defined].astype(np.float64)
    noise = np.ascontiguousarray((draws[:, defined] - s).T, dtype=np.float32)
    noise[~np.isfinite(noise)] = 0.0
    centred = noise - noise.mean(axis=1, dtype=np.float64)[:, None]
    cover = centred @ centred.T / max(noise.shape[1] - 1, 1)
    spread = np.diag(cover)
    se = np.sqrt(np.maximum(spread[:, None] + spread - 2 * cover, 0))
    rounding = 1e-7 * (np.abs(s).max() + float(np.abs(noise).max()))
    tiny = se <= rounding
    lead = s[:, None] - s
    ratio = np.where(tiny, np.where(lead > rounding, np.inf, 0.0), lead / np.where(tiny, 1, se))
    statistic = ratio.max(axis=0)
    inverse = np.where(tiny, 0.0, 1 / np.where(tiny, 1, se)).astype(np.float32)
    # No replicate can exceed this, so hopeless classes need no pass over the replicates.
    reach = (noise.max(axis=1) - noise.min(axis=1)[:, None]) * inverse
    cap = (1 + 1e-5) * np.maximum(reach.max(axis=1), 0.0)
    place = math.ceil((1 - alpha) * (noise.shape[1] - 1) - 1e-9)
    for c in np.flatnonzero(statistic <= cap):
        maxima = ((noise - noise[c]) * inverse[:, c, None]).max(axis=0)
        limit = np.partition(maxima, place)[place]
        keep[defined[c]] = statistic[c] <= limit
    return keep


def interval_set(low: Float[np.ndarray, " class"], high: Float[np.ndarray, " class"]) -> Mask:
    """S_ci: classes whose upper limit reaches the best lower limit.

    With intervals that hold simultaneously at 1 - alpha it covers the population-best class with
    probability >= 1 - alpha at any sample size. Classes without an interval (NaN) are dropped.

    >>> interval_set(np.array([0.5, 0.2]), np.array([0.7, 0.4])).tolist()
    [True, False]
    """
    if np.isnan(low).all():
        return np.zeros(len(low), dtype=bool)
    return np.nan_to_num(high, nan=-np.inf) >= np.nanmax(low)


def margin(
    estimate: Float[np.ndarray, " class"], draws: Float[np.ndarray, "replicate class"]
) -> float:
    """(s_1 - s_2) / se of the difference: how far the winner leads, in standard errors."""
    order = np.argsort(-np.nan_to_num(estimate, nan=-np.inf))
    if np.isfinite(estimate).sum() < 2:
        return float("nan")
    first, second = order[:2]
    gaps = draws[:, first] - draws[:, second]
    se = float(gaps.std(ddof=1) if np.isfinite(gaps).all() else np.nanstd(gaps, ddof=1))
    lead = float(estimate[first] - estimate[second])
    return lead / se if se > 0 else float("inf") if lead > 0 else 0.0
