"""The variance ledger: where the variance of an edge's score comes from, layer by layer.

One run's score of an edge (a mean over n prompts) differs from the exact population effect by the
sum of independent parts; the ledger lists them so that the shares add up to 1 by construction.
Negative estimates are kept and flagged. Structure (edges in or out) has its own ledger: it is not
in score units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.intervals import jackknife_df, row_jackknife_se, t_interval
from circuitvar.audit.types import Component, Estimate
from circuitvar.audit.variance.approximation import approximation_error
from circuitvar.tasks.units import Clusters, unit_of_example

Edge = Float[np.ndarray, " edge"]

LAYERS = {
    "L0": "intrinsic spread of exact effects over prompts",
    "L1": "approximation of exact effects by the method",
    "L2": "sampling of templates",
    "L3": "selection",
    "L4": "analytic choices",
    "L5": "training seed",
}
_SAMPLED = ("L0", "L1", "L2")
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Part:
    """One line of the ledger, in squared score units per edge."""

    layer: str
    source: str
    variance: Edge
    left_out: Float[np.ndarray, "group edge"] | None = None
    """The same with one group of units left out, for an interval."""
    why: str = "too few units to leave groups out"
    """Why there is no interval where `left_out` is None: `fixed levels`, too few runs, ..."""


def sampling_parts(
    scores: Float[np.ndarray, "example edge"],
    *,
    exact: Float[np.ndarray, "example edge"] | None = None,
    clusters: Clusters = None,
    n: int | None = None,
    n_templates: int | None = None,
    bias: bool = True,
    groups: int = 10,
    rng: np.random.Generator,
) -> tuple[Part, ...]:
    """Lines L0 to L2 of the mean score of `n` prompts, with group-jackknife replicates.

    Within templates: Var(h) = Var(c) + Var(d) + 2 Cov(c, d), each over n; between templates:
    var_t over the effective number of templates; bias² of the method as it stands. Without
    `exact` the first three are one line. `n` and `n_templates` default to those of `scores`; give
    those of the audit when exact effects cover a part of its prompts.
    """
    units = unit_of_example(len(scores), clusters)
    templates = int(units.max()) + 1 if clusters is not None else 0
    code = units if templates > 1 else np.zeros(len(scores), dtype=np.int64)
    share = np.bincount(code) / len(scores)
    effective = float((share**2).sum()) if n_templates is None else 1 / n_templates
    splits = templates if templates > 1 else len(scores)
    groups = min(groups, splits)
    keeps = [np.ones(len(scores), dtype=bool)]
    if groups >= (4 if templates > 1 else 3) and len(scores) // groups >= 2:
        split = units if templates > 1 else np.arange(len(scores))
        group = rng.permutation(np.arange(splits) % groups)[split]
        keeps += [group != g for g in range(groups)]
    blocks = []
    for start in range(0, scores.shape[1], _BLOCK):
        part = slice(start, start + _BLOCK)
        h, c = scores[:, part], None if exact is None else exact[:, part]
        options = {"bias": bias, "n": n or len(scores), "effective": effective}
        blocks.append([_parts(h, c, code, keep, **options) for keep in keeps])
    parts = []
    for i, (layer, source, _) in enumerate(blocks[0][0]):
        values = np.concatenate([[found[i][2] for found in block] for block in blocks], axis=1)
        parts.append(Part(layer, source, values[0], values[1:] if len(keeps) > 1 else None))
    return tuple(parts)


def _parts(scores, exact, code, keep, *, bias, n, effective):
    """(layer, source, variance) of the kept examples."""
    h = scores[keep].astype(np.float64)
    code = np.unique(code[keep], return_inverse=True)[1]
    sizes = np.bincount(code)
    number, rows = len(sizes), len(h)
    means = _group_means(h, code, sizes)
    within_df = rows - number
    if within_df < 1:
        raise ValueError(
            f"{rows} examples in {number} templates leave nothing within templates; score at "
            "least 2 prompts of some template"
        )
    inner = h - means[code]
    within = (inner**2).sum(axis=0) / within_df
    lines = []
    if exact is None:
        lines.append(("L0", "prompts within templates (exact and approximation)", within / n))
    else:
        c = exact[keep].astype(np.float64)
        c_inner = c - _group_means(c, code, sizes)[code]
        d_inner = inner - c_inner
        for layer, source, value in (
            ("L0", "exact effect, prompts within templates", c_inner**2),
            ("L1", "approximation noise", d_inner**2),
            ("L1", "2 x covariance of noise and effect", 2 * c_inner * d_inner),
        ):
            lines.append((layer, source, value.sum(axis=0) / within_df / n))
        if bias:
            squared = approximation_error(scores[keep], exact[keep]).bias_squared
            lines.append(("L1", "bias² of the method", squared))
    if number > 1:
        share = sizes / rows
        grand = share @ means
        between = (sizes @ (means - grand) ** 2) / (number - 1)
        n0 = (rows - (sizes**2).sum() / rows) / (number - 1)
        lines.append(("L2", "between templates", (between - within) / n0 * effective))
    return lines


def _group_means(values, code, sizes):
    member = np.zeros((len(sizes), len(values)))
    member[code, np.arange(len(values))] = 1
    return (member @ values) / sizes[:, None]


def choice_part(
    scores: Float[np.ndarray, "run edge"],
    source: str,
    *,
    layer: str = "L4",
    noise: Edge | None = None,
) -> Part:
    """Variance of the score over runs that differ in one way: choices (L4) or training seeds (L5).

    `noise`: sampling variance every run has on its own, subtracted so that it is not counted twice
    (zero when the runs share their prompts).
    """
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} run of {source!r} has no variance; give at least 2")
    value = scores.var(axis=0, ddof=1, dtype=np.float64)
    total = scores.sum(axis=0, dtype=np.float64)
    squares = (scores.astype(np.float64) ** 2).sum(axis=0)
    left, runs = None, len(scores)
    if runs > 2:
        rest = (total - scores) / (runs - 1)
        left = (squares - scores.astype(np.float64) ** 2 - (runs - 1) * rest**2) / (runs - 2)
    if noise is not None:
        value = value - noise
        left = None if left is None else left - noise
    return Part(layer, source, value, left, why="fewer than 3 runs")


def ledger(
    parts: Sequence[Part],
    *,
    groups: Mapping[str, Bool[np.ndarray, " edge"]] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Tidy ledger: one row per edge group and line.

    `variance` summed over the group, its `share` of the group's total (shares sum to 1), jackknife
    interval of the share and which one it is (`interval`; else why there is none), the median share
    over edges, and `negative` where the estimate is below 0. Only levels that are a sample have an
    interval: fixed choices have none.

    >>> parts = [Part("L0", "prompts", np.array([3.0, 1.0])), Part("L2", "templates", np.ones(2))]
    >>> ledger(parts).share.tolist()
    [0.6666666666666666, 0.3333333333333333]
    """
    if not parts:
        raise ValueError("a ledger without lines; pass at least one Part")
    n_edges = len(parts[0].variance)
    groups = {"all": np.ones(n_edges, dtype=bool)} if groups is None else groups
    rows = []
    for name, inside in groups.items():
        summed = np.array([part.variance[inside].sum() for part in parts])
        total = summed.sum()
        per_edge = np.stack([part.variance[inside] for part in parts])
        edge_total = per_edge.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            edge_share = np.where(edge_total > 0, per_edge / edge_total, np.nan)
        known = edge_share[:, np.isfinite(edge_share).all(axis=0)]
        median = np.median(known, axis=1) if known.size else np.full(len(parts), np.nan)
        for i, part in enumerate(parts):
            share = summed[i] / total if total != 0 else np.nan
            interval = _share_interval(parts, i, inside, share, level)
            rows.append(
                {
                    "group": name,
                    "edges": int(inside.sum()),
                    "layer": part.layer,
                    "source": part.source,
                    "variance": float(summed[i]),
                    "share": float(share),
                    "share_low": interval.low,
                    "share_high": interval.high,
                    "interval": interval.interval,
                    "median_share": float(median[i]),
                    "negative": bool(summed[i] < 0),
                    "total": float(total),
                }
            )
    return pd.DataFrame(rows)


def components_of(frame: pd.DataFrame, *, group: str = "all") -> tuple[Component, ...]:
    """`Component` records of one edge group of a ledger."""
    chosen = pd.DataFrame(frame[frame["group"] == group])
    if chosen.empty:
        raise ValueError(f"no edge group {group!r}; there are {', '.join(frame['group'].unique())}")
    return tuple(
        Component(
            str(row["source"]),
            Estimate(
                row["source"],
                row["variance"],
                low=row["share_low"] * row["total"],
                high=row["share_high"] * row["total"],
                interval=f"{row['interval']} (of the share)",
                kind="jackknife" if np.isfinite(row["share_low"]) else "",
            ),
            row["share"],
            row["layer"],
        )
        for row in chosen.to_dict(orient="records")
    )


def selection_ledger(
    inclusion: Mapping[str, tuple[Edge, int]],
    *,
    groups: Mapping[str, Bool[np.ndarray, " edge"]] | None = None,
) -> pd.DataFrame:
    """Layer L3, one row per perturbation and edge group.

    `inclusion` maps an axis to its inclusion frequencies and runs. sum p(1-p) is unbiased (times
    M/(M-1)); two independent runs differ in twice as many edges on average.
    """
    rows = []
    for axis, (p, runs) in inclusion.items():
        unbiased = runs / (runs - 1) if runs > 1 else np.nan
        spread = p * (1 - p) * unbiased
        total = spread.sum()
        for name, inside in (groups or {"all": np.ones(len(p), dtype=bool)}).items():
            value = float(spread[inside].sum())
            rows.append(
                {
                    "axis": axis,
                    "group": name,
                    "edges": int(inside.sum()),
                    "selection_variance": value,
                    "share": value / total if total > 0 else np.nan,
                    "expected_symmetric_difference": 2 * value,
                }
            )
    return pd.DataFrame(rows)


def _share_interval(parts, i, inside, share, level) -> Estimate:
    """Jackknife interval of a share, t with `jackknife_df`.

    Only lines whose units are the same are varied together, the others stay at their estimate.
    Clipped nowhere: a share may be negative.
    """
    own = parts[i].left_out
    if own is None or not np.isfinite(share):
        why = parts[i].why if own is None else "no variance"
        return _no_interval(parts[i].source, share, level, why)
    replicates = np.zeros((len(parts), len(own)))
    for j, part in enumerate(parts):
        other = part.left_out
        sampled = part.layer in _SAMPLED and parts[i].layer in _SAMPLED
        if other is not None and len(other) == len(own) and (sampled or j == i):
            replicates[j] = other[:, inside].sum(axis=1)
        else:
            replicates[j] = part.variance[inside].sum()
    totals = replicates.sum(axis=0)
    if (totals == 0).any():
        return _no_interval(parts[i].source, share, level, "no variance")
    shares = replicates[i] / totals
    how = {"interval": "delete-a-group jackknife", "kind": "jackknife", "n": len(own)}
    estimate = Estimate(parts[i].source, share, row_jackknife_se(shares), level=level, **how)
    return t_interval(estimate, df=jackknife_df(shares))


def _no_interval(source: str, share: float, level: float, why: str) -> Estimate:
    missing = f"no interval: {why}"
    return Estimate(source, float(share), level=level, interval=f"none ({why})", missing=missing)
