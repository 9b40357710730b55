"""Per-edge summary over examples: mean, standard error, signal to noise, sign consistency.

Layer L0 of the variance ledger when the scores are exact effects. The coefficient of variation is
not a summary of an edge: it explodes near 0, so it is given only where |mean| >= 2 SE.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binom

from circuitvar.audit.weights import Clusters, unit_of_example

Edge = Float[np.ndarray, " edge"]


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
    scores: Float[np.ndarray, "example edge"],
    *,
    clusters: Clusters = None,
    columns_at_once: int | None = None,
) -> EdgeSummary:
    """Summarise per-example scores, edge by edge, in column blocks (no float64 copy of the matrix).

    SE = SD / sqrt(n); with T clusters SE² = T/(T-1) sum_t (sum_{i in t} (s_i - mean))² / n². One
    example, or one cluster, has no SE (NaN).

    >>> s = edge_summary(np.array([[1.0], [3.0], [2.0]]))
    >>> s.mean.tolist(), s.sd.tolist(), s.sign_consistency.tolist()
    ([2.0], [1.0], [1.0])
    """
    n, n_edges = scores.shape
    columns_at_once = columns_at_once or max(1, BLOCK_VALUES // n)
    units = unit_of_example(n, clusters)
    number = int(units.max()) + 1
    member = np.zeros((number, n)) if clusters is not None else np.empty((0, n))
    if clusters is not None:
        member[units, np.arange(n)] = 1
    mean, sd, se, sign = (np.full(n_edges, np.nan) for _ in range(4))
    for start in range(0, n_edges, columns_at_once):
        part = slice(start, start + columns_at_once)
        block = scores[:, part].astype(np.float64)
        mean[part] = block.mean(axis=0)
        sign[part] = (np.sign(block) == np.sign(mean[part])).mean(axis=0)
        block -= mean[part]
        if n > 1:
            sd[part] = np.sqrt((block**2).sum(axis=0) / (n - 1))
        if clusters is None:
            se[part] = sd[part] / np.sqrt(n)
        elif number > 1:
            total = ((member @ block) ** 2).sum(axis=0)
            se[part] = np.sqrt(number / (number - 1) * total) / n
    return EdgeSummary(mean, sd, se, sign, n, number)


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


def magnitude_without_direction(
    summary: EdgeSummary, *, top: int, below: float = 0.6
) -> Bool[np.ndarray, " edge"]:
    """Edges among the `top` largest mean |score| whose sign consistency is under `below`."""
    order = np.argsort(-np.abs(summary.mean), kind="stable")
    ranked = np.zeros(len(order), dtype=bool)
    ranked[order[:top]] = True
    return ranked & (summary.sign_consistency < below)


def log_cv_se(values: Float[np.ndarray, " example"]) -> float:
    """SE of log(CV): sqrt([(kurtosis - 1)/4 + CV² - skewness CV] / n), raw kurtosis (3 for a
    normal law); delta method."""
    values = np.asarray(values, dtype=np.float64)
    centred = values - values.mean()
    variance = (centred**2).mean()
    if variance == 0 or values.mean() == 0:
        return float("nan")
    skewness = (centred**3).mean() / variance**1.5
    kurtosis = (centred**4).mean() / variance**2
    cv = np.sqrt(variance) / abs(values.mean())
    skewness *= np.sign(values.mean())
    inside = (kurtosis - 1) / 4 + cv**2 - skewness * cv
    return float(np.sqrt(max(inside, 0.0) / len(values)))


def median_of_means(
    scores: Float[np.ndarray, "example edge"], *, blocks: int = 20, rng: np.random.Generator
) -> Edge:
    """Median over random blocks of block means: a location that heavy tails cannot move."""
    order = rng.permutation(len(scores))
    parts = np.array_split(order, min(blocks, len(scores)))
    return np.median([scores[part].mean(axis=0, dtype=np.float64) for part in parts], axis=0)


def _ratio(top: Edge, bottom: Edge) -> Edge:
    """top / bottom; inf where only the bottom is 0, NaN where both are."""
    value = np.where(np.asarray(top) > 0, np.inf, np.nan)
    np.divide(top, bottom, out=value, where=bottom > 0)
    return np.where(np.isnan(bottom), np.nan, value)
