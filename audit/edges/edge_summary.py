"""Per-edge summary over examples: mean, standard error, signal to noise, sign consistency.

Layer L0 of the variance ledger when the scores are exact effects. The coefficient of variation is
not a summary of an edge: it explodes near 0, so it is given only where |mean| >= 2 SE.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import binom

from circuitvar.audit.resampling import Scores, columns, membership
from circuitvar.tasks.units import Clusters, unit_of_example

Edge = Float[np.ndarray, " edge"]
Component = float | Edge


@dataclass(frozen=True, eq=False)
class EdgeSummary:
    """One number per edge and statistic, in the units of the score."""

    mean: Edge
    sd: Edge
    """Standard deviation over examples (n - 1)."""
    se: Edge
    """Standard error of the mean; cluster-robust when clusters were given."""
    sign_consistency: Edge
    """Share of examples whose score has the sign of the mean; baseline 1/2."""
    examples: int
    units: int
    """Independent units behind the SE: examples or clusters."""
    df: float
    """Degrees of freedom of SE²: units - 1; fewer where clusters differ in size."""

    @property
    def snr(self) -> Edge:
        """|mean| / SE; NaN where both are 0."""
        return _ratio(np.abs(self.mean), self.se)

    @property
    def snr_single(self) -> Edge:
        """|mean| / SD: signal to noise of a single example."""
        return _ratio(np.abs(self.mean), self.sd)

    @property
    def cv(self) -> Edge:
        """SD / |mean|, NaN where |mean| < 2 SE."""
        value = _ratio(self.sd, np.abs(self.mean))
        return np.where(np.abs(self.mean) >= 2 * self.se, value, np.nan)


BLOCK_VALUES = 2**22
"""Scores of one column block: 32 MB in float64, however many examples there are."""


def edge_summary(
    scores: Scores, *, clusters: Clusters = None, columns_at_once: int | None = None
) -> EdgeSummary:
    """Summarise per-example scores, edge by edge, in column blocks (no float64 copy of the matrix).

    SE = SD / sqrt(n), df = n - 1. With clusters SE² = kappa sum_t (w_t (m_t - mean))², w_t the
    share of examples and m_t the mean of cluster t; `cluster_df` gives kappa and df. One example,
    or one cluster, has no SE (NaN) and df 0.

    >>> s = edge_summary(np.array([[1.0], [3.0], [2.0]]))
    >>> s.mean.tolist(), s.sd.tolist(), s.sign_consistency.tolist()
    ([2.0], [1.0], [1.0])
    """
    n, n_edges = scores.shape
    units = unit_of_example(n, clusters)
    number = int(units.max()) + 1
    member, kappa, df = None, 1.0, float(number - 1)
    if clusters is not None:
        member, (kappa, df) = membership(units), cluster_df(np.bincount(units))
    mean, sd, se, sign = np.full((4, n_edges), np.nan)
    for part in columns(n_edges, columns_at_once or max(1, BLOCK_VALUES // n)):
        block = scores[:, part].astype(np.float64)
        mean[part] = block.mean(axis=0)
        sign[part] = (np.sign(block) == np.sign(mean[part])).mean(axis=0)
        block -= mean[part]
        if n > 1:
            sd[part] = np.sqrt((block**2).sum(axis=0) / (n - 1))
        if member is None:
            se[part] = sd[part] / np.sqrt(n)
        elif number > 1:
            total = ((member @ block) ** 2).sum(axis=0)
            se[part] = np.sqrt(kappa * total) / n
    return EdgeSummary(mean, sd, se, sign, n, number, df)


def cluster_df(sizes: Int[np.ndarray, " cluster"]) -> tuple[float, float]:
    """Factor kappa of the cluster SE² and its degrees of freedom, for clusters of these sizes.

    V = sum_t (w_t (m_t - mean))² is a quadratic form m'Am of the cluster means, w_t = n_t/n,
    A = (I - 1w')' diag(w²) (I - 1w'). If cluster effects of equal variance dominate, kappa =
    sum w² / tr(A) makes kappa V unbiased for the variance of the mean, and V has the first two
    moments of a multiple of chi-square with df = tr(A)² / tr(A²), as has the bias-reduced (CR2)
    variance with Satterthwaite df of Bell and McCaffrey (2002, Survey Methodology 28) and
    Pustejovsky and Tipton (2018, JBES 36). If noise within clusters dominates, kappa V is too large
    by kappa (1 - sum w²). Equal sizes: T/(T-1) and T - 1. One cluster: NaN and 0.

    >>> [round(x, 4) for x in cluster_df(np.array([2, 1]))], cluster_df(np.array([7, 7, 7]))
    ([2.8125, 1.0], (1.5, 2.0))
    """
    number, n = len(sizes), int(sizes.sum())
    if number < 2:
        return float("nan"), 0.0
    if (sizes == sizes[0]).all():
        return number / (number - 1), float(number - 1)
    w = sizes / n
    square = float((w**2).sum())
    # Gram matrix of the rows w_t (e_t - w) has the trace of A and the trace of its square.
    gram = np.outer(w, w) * (np.eye(number) - w[:, None] - w + square)
    trace = float(np.trace(gram))
    return square / trace, trace**2 / float((gram**2).sum())


def sign_test(summary: EdgeSummary) -> Edge:
    """Two-sided binomial p of the sign consistency against 1/2; NaN where the mean is 0.

    Examples count as independent; in a clustered summary n is divided by the design effect of the
    mean, SE² / (SD²/n), rounded down, and so is the number of agreeing signs.
    """
    n = np.full(len(summary.mean), summary.examples)
    if summary.units < summary.examples:
        worth = _ratio(summary.sd, summary.se) ** 2
        n = np.clip(np.floor(np.nan_to_num(worth, nan=1.0)), 1, summary.examples).astype(np.int64)
    share = np.maximum(summary.sign_consistency, 1 - summary.sign_consistency)
    agree = np.floor(share * n + 1e-9)
    p = np.minimum(1.0, 2 * binom.sf(agree - 1, n, 0.5))
    return np.where(summary.mean == 0, np.nan, p)


def _ratio(top: Edge, bottom: Edge) -> Edge:
    """top / bottom; inf where only the bottom is 0, NaN where both are."""
    value = np.where(np.asarray(top) > 0, np.inf, np.nan)
    np.divide(top, bottom, out=value, where=bottom > 0)
    return np.where(np.isnan(bottom), np.nan, value)


def mean_se(
    template: Component, prompt: Component, draw: Component = 0.0, *, sizes: tuple[int, int, int]
):
    """SE of a mean score with T templates x P prompts x R draws.

    sqrt(var_t/T + var_p/(T P) + var_e/(T P R)), negative components as 0: what another design
    would give (D-study). Templates, not prompts, buy precision when templates differ.

    >>> round(float(mean_se(0.5, 1.0, 2.0, sizes=(48, 10, 2))), 3)
    0.121
    """
    t, p, r = sizes
    if min(sizes) < 1:
        raise ValueError(f"sizes are {sizes}; each of templates, prompts and draws is 1 or more")
    parts = [np.maximum(part, 0.0) for part in (template, prompt, draw)]
    return np.sqrt(parts[0] / t + parts[1] / (t * p) + parts[2] / (t * p * r))


def decision_table(
    template: Component,
    prompt: Component,
    draw: Component = 0.0,
    *,
    designs: Iterable[tuple[int, int]],
    draws: int = 1,
) -> pd.DataFrame:
    """One row per (templates, prompts per template): prompts in total, SE of a mean (median edge).

    >>> decision_table(0.5, 1.0, designs=[(12, 100), (48, 10)]).round(3).to_dict("list")["se"]
    [0.206, 0.112]
    """
    rows = []
    for templates, prompts in designs:
        se = mean_se(template, prompt, draw, sizes=(templates, prompts, draws))
        rows.append((templates, prompts, templates * prompts, float(np.median(se))))
    return pd.DataFrame(rows, columns=["templates", "prompts_per_template", "prompts", "se"])
