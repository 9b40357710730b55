"""Tests of edge effects with multiplicity control over all edges.

Edges are strongly correlated, so max-T (Westfall and Young 1993) on the resamples is the default.
With many prompts nearly every edge differs from 0: for circuits test |effect| > minimum effect, or
use membership of the top k (`inner_outer`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import false_discovery_control
from scipy.stats import t as student_t

from circuitvar.audit.edge_summary import EdgeSummary
from circuitvar.audit.weights import Resamples

Edge = Float[np.ndarray, " edge"]


@dataclass(frozen=True, eq=False)
class MaxT:
    """Simultaneous tests of all edges."""

    critical: float
    """|mean| > minimum effect + critical * SE rejects, simultaneously over edges."""
    statistic: Edge
    single_step: Edge
    """Adjusted p, one critical value for all edges."""
    step_down: Edge
    """Adjusted p, step-down: never larger than single-step."""
    level: float

    @property
    def rejected(self) -> Bool[np.ndarray, " edge"]:
        return self.step_down <= 1 - self.level


def t_test(summary: EdgeSummary, *, minimum_effect: float = 0.0) -> Edge:
    """Unadjusted p of |effect| <= minimum effect, t(units - 1); two-sided at minimum effect 0,
    and the one-sided test at the nearer boundary otherwise. NaN where there is no SE."""
    t = _statistic(summary, minimum_effect)
    tail = student_t.sf(t, max(summary.units - 1, 1))
    return np.where(np.isnan(t), np.nan, tail * (2 if minimum_effect == 0 else 1))


def false_discovery(p_values: Edge, *, dependent: bool = False) -> Edge:
    """Benjamini-Hochberg adjusted p (Benjamini-Yekutieli when `dependent`); NaN stays NaN."""
    adjusted, known = np.full(len(p_values), np.nan), ~np.isnan(p_values)
    if known.any():
        method = "by" if dependent else "bh"
        adjusted[known] = false_discovery_control(p_values[known], method=method)
    return adjusted


def max_t(
    scores: Float[np.ndarray, "example edge"],
    resamples: Resamples,
    summary: EdgeSummary,
    *,
    minimum_effect: float = 0.0,
    level: float = 0.95,
    chunk: int = 128,
) -> MaxT:
    """Max-T critical value and adjusted p-values from resampled means.

    T*_b = max_e |m*_be - m_e| / SE_e, critical value = its `level` quantile; step-down adjusted p
    of the edge at rank j uses the maximum over edges ranked j or worse, made monotone. All p have
    the +1 of a Monte-Carlo test. `summary` and `resamples` must use the same units (templates
    where there are templates). Edges with zero SE have p = NaN and enter no maximum.

    >>> from circuitvar.audit.edge_summary import edge_summary
    >>> from circuitvar.audit.weights import bootstrap
    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(50, 20)) + 3 * (np.arange(20) < 4)
    >>> max_t(s, bootstrap(50, 199, rng=rng), edge_summary(s)).rejected.sum().item()
    4
    """
    if summary.units != resamples.counts.shape[1]:
        raise ValueError(
            f"the summary rests on {summary.units} units and the resamples on "
            f"{resamples.counts.shape[1]}; give both the same clusters"
        )
    statistic = _statistic(summary, minimum_effect)
    usable = np.flatnonzero(summary.se > 0)
    order = usable[np.argsort(-statistic[usable], kind="stable")]
    replicates, observed = resamples.replicates, statistic[order].astype(np.float32)
    exceed, maxima = np.zeros(len(order), dtype=np.int64), np.empty(replicates)
    inverse = np.zeros(len(statistic), dtype=np.float32)
    inverse[usable] = 1 / summary.se[usable]
    mean, worst_first = summary.mean.astype(np.float32), order[::-1]
    running = np.empty((min(chunk, replicates), len(order)), dtype=np.float32)
    for start in range(0, replicates, chunk):
        block = (resamples.weights[start : start + chunk] @ scores).astype(np.float32, copy=False)
        block -= mean
        np.abs(block, out=block)
        block *= inverse
        running = running[: len(block)]
        np.take(block, worst_first, axis=1, out=running, mode="clip")
        np.maximum.accumulate(running, axis=1, out=running)
        maxima[start : start + len(block)] = running[:, -1] if len(order) else 0
        exceed += np.add.reduce(running >= observed[::-1], axis=0, dtype=np.int32)[::-1]
    single, stepped = np.full(len(statistic), np.nan), np.full(len(statistic), np.nan)
    above = np.searchsorted(np.sort(maxima), observed.astype(np.float64), side="left")
    single[order] = (1 + replicates - above) / (replicates + 1)
    stepped[order] = np.maximum.accumulate((1 + exceed) / (replicates + 1))
    critical = float(np.quantile(maxima, level, method="higher"))
    return MaxT(critical, statistic, single, stepped, level)


def _statistic(summary: EdgeSummary, minimum_effect: float) -> Edge:
    if minimum_effect < 0:
        raise ValueError(f"minimum effect is {minimum_effect}; it is a size, 0 or more")
    value = np.full(len(summary.mean), np.nan)
    np.divide(np.abs(summary.mean) - minimum_effect, summary.se, out=value, where=summary.se > 0)
    return value
