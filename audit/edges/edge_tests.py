"""Tests of edge effects with multiplicity control over all edges.

Edges are strongly correlated, so max-T (Westfall and Young 1993) is the default. With many prompts
nearly every edge differs from 0: for circuits test |effect| > minimum effect, or use membership of
the top k (`inner_outer`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator
from scipy.stats import t as student_t

from circuitvar.audit.edges.edge_summary import EdgeSummary
from circuitvar.audit.resampling import Scores, columns, membership, weighted_sums
from circuitvar.tasks.units import Clusters, unit_of_example

Edge = Float[np.ndarray, " edge"]
FEW_UNITS = 10
"""Below this many units (256 flips up to sign) the flips are too few for the tail of many edges."""


@dataclass(frozen=True, eq=False)
class MaxT:
    """Simultaneous tests of all edges."""

    critical: float
    """mean ± critical * SE holds the effects of all edges at once."""
    statistic: Edge
    single_step: Edge
    """Adjusted p, one critical value for all edges."""
    step_down: Edge
    """Adjusted p, step-down: never larger than single-step."""
    level: float

    @property
    def rejected(self) -> Bool[np.ndarray, " edge"]:
        """Edges whose step-down p is at most 1 - level."""
        return self.step_down <= 1 - self.level


def t_test(summary: EdgeSummary, *, minimum_effect: float = 0.0) -> Edge:
    """Unadjusted p of |effect| <= minimum effect, t(df) of the summary.

    Two-sided at minimum effect 0, and the one-sided test at the nearer boundary otherwise. NaN
    where there is no SE.
    """
    t = _statistic(summary, minimum_effect)
    tail = student_t.sf(t, max(summary.df, 1.0))
    return np.where(np.isnan(t), np.nan, tail * (2 if minimum_effect == 0 else 1))


def max_t(
    scores: Scores,
    summary: EdgeSummary,
    *,
    rng: Generator,
    clusters: Clusters = None,
    replicates: int = 1000,
    minimum_effect: float = 0.0,
    level: float = 0.95,
    chunk: int = 128,
) -> MaxT:
    """Max-T adjusted p-values and critical value from random sign flips of the units.

    Each replicate flips the sign of every prompt (template, with `clusters`), keeping the
    correlation between edges, and takes the largest studentised |mean| over edges. Step-down p of
    the edge at rank j uses the edges ranked j or worse, made monotone. All p have the +1 of a
    Monte-Carlo test. Exact for symmetric scores at any n; max-T on bootstrap means, the usual
    choice, rejects too much below about 100 units. Edges with zero SE have p = NaN and enter no
    maximum.

    The critical value is for a simultaneous band mean ± critical SE. It flips deviations of the
    units from their plain mean: prompts, or template means, so that unequal template sizes do not
    pass for spread. This gives the quantile of the largest |t(units - 1)|; where templates of
    unequal size leave fewer degrees of freedom (`cluster_df`), it becomes the value with the same
    tail under t(df), and with fewer than 10 units, which have too few flips for the tail of many
    edges, at least that of Bonferroni. A 95 % band of 50 independent edges over 12 templates covers
    .95 to .98 with sizes up to 2 : 1, .98 to .99 at 3 : 1 and always where few templates hold most
    prompts: df is then about 2 and the band says little; p-values hold their size there.

    >>> from circuitvar.audit.edges.edge_summary import edge_summary
    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(50, 20)) + 3 * (np.arange(20) < 4)
    >>> max_t(s, edge_summary(s), rng=rng, replicates=199).rejected.sum().item()
    4
    """
    values, relative_size = _unit_values(scores, clusters)
    number = len(values)
    if summary.units != number:
        raise ValueError(
            f"the summary rests on {summary.units} units and the test on {number}; "
            "give both the same clusters"
        )
    statistic = _statistic(summary, minimum_effect)
    mean = summary.mean
    shift = minimum_effect * np.sign(mean)
    band, centre = values, mean
    square = spread = _mean_square(values)
    balanced = bool((relative_size == 1).all())
    if not balanced:
        band = values / relative_size[:, None]
        centre, spread = band.mean(axis=0), _mean_square(band)
        values, shift = values - np.outer(relative_size, shift), np.zeros_like(mean)
        square = _mean_square(values)
    usable = np.flatnonzero((summary.se > 0) & (square > 0) & (spread > centre**2))
    # Largest |mean| / root mean square has the order of largest |t| and no division per replicate.
    inverse, inverse_centred = np.zeros((2, len(mean)), dtype=np.float32)
    inverse[usable] = 1 / np.sqrt((square - 2 * shift * mean + shift**2)[usable])
    inverse_centred[usable] = 1 / np.sqrt((spread - centre**2)[usable])
    observed = np.maximum(np.abs(mean) - minimum_effect, 0).astype(np.float32) * inverse
    rank = statistic if balanced else (np.abs(mean) - minimum_effect) * inverse
    worst_first = usable[np.argsort(rank[usable], kind="stable")]
    observed = observed[worst_first]
    exceed, peak = np.zeros(len(usable), dtype=np.int64), np.zeros(replicates)
    centred_peak, running = np.zeros(replicates), np.empty((chunk, len(usable)), dtype=np.float32)
    for start in range(0, replicates, chunk):
        here = slice(start, min(start + chunk, replicates))
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), (here.stop - start, number))
        flipped = ((signs / number) @ values).astype(np.float32, copy=False)
        net = signs.mean(axis=1, dtype=np.float64)
        around = flipped if balanced else ((signs / number) @ band).astype(np.float32)
        centred_peak[here] = _largest(around, net, centre, inverse_centred)
        if shift.any():
            flipped -= np.outer(net, shift).astype(np.float32)
        flipped *= inverse
        np.abs(flipped, out=flipped)
        running = running[: len(flipped)]
        np.take(flipped, worst_first, axis=1, out=running, mode="clip")
        np.maximum.accumulate(running, axis=1, out=running)
        peak[here] = running[:, -1] if len(usable) else 0.0
        exceed += np.add.reduce(running >= observed, axis=0, dtype=np.int32)
    single, stepped = np.full((2, len(mean)), np.nan)
    below = np.searchsorted(np.sort(peak), observed.astype(np.float64), side="left")
    single[worst_first] = (1 + replicates - below) / (replicates + 1)
    stepped[worst_first[::-1]] = np.maximum.accumulate((1 + exceed[::-1]) / (replicates + 1))
    u = min(float(np.quantile(centred_peak, level, method="higher")), 1 - 1e-9)
    critical = u * np.sqrt((number - 1) / (1 - u * u))
    if not balanced or number < FEW_UNITS:
        share = (1 - level) / max(len(usable), 1)
        critical = _moved_critical(critical, number, summary.df, share)
    return MaxT(float(critical), statistic, single, stepped, level)


def _moved_critical(critical: float, number: int, df: float, share: float) -> float:
    """Move a critical |t(number - 1)| to the same tail of t(df).

    With few units no further in than the two-sided tail `share`, the level of one edge
    (Bonferroni).
    """
    tail = max(float(student_t.sf(critical, number - 1)), np.finfo(float).tiny)
    return float(student_t.isf(min(tail, share / 2) if number < FEW_UNITS else tail, df))


def _largest(flipped, net, mean, inverse) -> Float[np.ndarray, " replicate"]:
    """Largest |flipped - net * mean| * inverse of each replicate, without a second large array."""
    top = np.zeros(len(flipped))
    mean32, row = mean.astype(np.float32), np.empty(flipped.shape[1], dtype=np.float32)
    for b, values in enumerate(flipped):
        np.multiply(mean32, np.float32(-net[b]), out=row)
        np.add(row, values, out=row)
        np.multiply(row, inverse, out=row)
        top[b] = max(row.max(initial=0.0), -row.min(initial=0.0))
    return top


def _unit_values(scores, clusters: Clusters):
    """(scores of independent units, size of each relative to the mean size).

    Their plain mean is the mean score.
    """
    if clusters is None:
        return scores, np.ones(len(scores))
    units = unit_of_example(len(scores), clusters)
    sizes = np.bincount(units)
    member = membership(units) * (len(sizes) / len(scores))
    return weighted_sums(member, scores), sizes * len(sizes) / len(scores)


def _mean_square(values) -> Edge:
    blocks = (values[:, part].astype(np.float64) for part in columns(values.shape[1]))
    return np.concatenate([(block**2).mean(axis=0) for block in blocks])


def _statistic(summary: EdgeSummary, minimum_effect: float) -> Edge:
    if minimum_effect < 0:
        raise ValueError(f"minimum effect is {minimum_effect}; it is a size, 0 or more")
    value = np.full(len(summary.mean), np.nan)
    np.divide(np.abs(summary.mean) - minimum_effect, summary.se, out=value, where=summary.se > 0)
    return value


@dataclass(frozen=True, eq=False)
class InnerOuter:
    """inner <= true top-k <= outer, simultaneously: what is surely in the top k, what may be."""

    inner: Bool[np.ndarray, " edge"]
    outer: Bool[np.ndarray, " edge"]


def inner_outer(mean: Edge, se: Edge, *, size: int, critical: float) -> InnerOuter:
    """Confidence sets for the `size` largest |effect| from the band |mean| ± critical * SE.

    L = max(0, |m| - c SE), U = |m| + c SE; inner = {e: #{f != e: U_f > L_e} <= k - 1},
    outer = {e: #{f: L_f > U_e} <= k - 1}: at least at the level of the band, conservative (a
    projection). `critical`: `MaxT.critical`, or `bonferroni`.

    >>> found = inner_outer(np.array([9.0, 5.0, 4.9, 0.0]), np.full(4, 0.1), size=2, critical=2.0)
    >>> found.inner.tolist(), found.outer.tolist()
    ([True, False, False, False], [True, True, True, False])
    """
    if not 1 <= size <= len(mean):
        raise ValueError(f"size is {size}; choose between 1 and {len(mean)} edges")
    if not (np.isfinite(mean).all() and np.isfinite(se).all()):
        raise ValueError("mean or SE is not finite; at least 2 independent units are needed")
    low = np.maximum(0.0, np.abs(mean) - critical * se)
    high = np.abs(mean) + critical * se
    above_low = len(high) - np.searchsorted(np.sort(high), low, side="right")
    above_low -= high > low
    above_high = len(low) - np.searchsorted(np.sort(low), high, side="right")
    return InnerOuter(above_low <= size - 1, above_high <= size - 1)


def bonferroni(n_edges: int, *, units: int, level: float = 0.95) -> float:
    """Critical value of a simultaneous band by Bonferroni, t(units - 1).

    >>> round(bonferroni(32491, units=1000), 3)
    4.835
    """
    return float(student_t.isf((1 - level) / (2 * n_edges), units - 1))
