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
from numpy.random import Generator

from circuitvar.audit.intervals import jackknife_df, row_jackknife_se, t_interval
from circuitvar.audit.resampling import Scores, columns, membership
from circuitvar.audit.types import Component, Estimate
from circuitvar.audit.variance.against_exact import approximation_error
from circuitvar.tasks.units import Clusters, unit_of_example

Edge = Float[np.ndarray, " edge"]
Groups = Mapping[str, Bool[np.ndarray, " edge"]]
_SAMPLED = ("L0", "L1", "L2")
_GROUPS = 10


@dataclass(frozen=True, eq=False)
class Part:
    """One line of the ledger, in squared score units per edge."""

    layer: str
    """L0 spread of exact effects over prompts, L1 approximation by the method, L2 templates, L4
    analytic choices, L5 training seed; L3, selection, is not in score units."""
    source: str
    variance: Edge
    left_out: Float[np.ndarray, "group edge"] | None = None
    """The same with one group of units left out, for an interval."""
    why: str = "too few units to leave groups out"
    """Why there is no interval where `left_out` is None: `fixed levels`, too few runs, ..."""


def sampling_parts(
    scores: Scores,
    *,
    exact: Scores | None = None,
    clusters: Clusters = None,
    n: int | None = None,
    n_templates: int | None = None,
    rng: Generator,
) -> tuple[Part, ...]:
    """Lines L0 to L2 of the mean score of `n` prompts, with group-jackknife replicates.

    Within templates: Var(h) = Var(c) + Var(d) + 2 Cov(c, d), each over n; between templates:
    var_t over the effective number of templates; bias² of the method as it stands. Without
    `exact` the first three are one line. `n` and `n_templates` default to those of `scores`; give
    those of the audit when exact effects cover a part of its prompts.
    """
    rows, units = len(scores), unit_of_example(len(scores), clusters)
    templates = int(units.max()) + 1 if clusters is not None else 0
    code = units if templates > 1 else np.zeros(rows, dtype=np.int64)
    split, least = (units, 4) if templates > 1 else (np.arange(rows), 3)
    splits = int(split.max()) + 1
    groups = min(_GROUPS, splits)
    keeps = [np.ones(rows, dtype=bool)]
    if groups >= least and rows // groups >= 2:
        group = rng.permutation(np.arange(splits) % groups)[split]
        keeps += [group != g for g in range(groups)]
    share = np.bincount(code) / rows
    effective = float((share**2).sum()) if n_templates is None else 1 / n_templates
    blocks = []
    for part in columns(scores.shape[1]):
        h, c = scores[:, part], None if exact is None else exact[:, part]
        blocks.append([_parts(h, c, code, keep, n or rows, effective) for keep in keeps])
    parts = []
    for i, (layer, source, _) in enumerate(blocks[0][0]):
        values = np.concatenate([[found[i][2] for found in block] for block in blocks], axis=1)
        parts.append(Part(layer, source, values[0], values[1:] if len(keeps) > 1 else None))
    return tuple(parts)


def _parts(scores, exact, code, keep, n, effective):
    """(layer, source, variance) of the kept examples."""
    h = scores[keep].astype(np.float64)
    code = np.unique(code[keep], return_inverse=True)[1]
    member, sizes = membership(code), np.bincount(code)
    number, rows = len(sizes), len(h)
    within_df = rows - number
    if within_df < 1:
        raise ValueError(
            f"{rows} examples in {number} templates leave nothing within templates; score at "
            "least 2 prompts of some template"
        )
    means = (member @ h) / sizes[:, None]
    inner = h - means[code]
    within = (inner**2).sum(axis=0) / within_df
    if exact is None:
        lines = [("L0", "prompts within templates (exact and approximation)", within / n)]
    else:
        c = exact[keep].astype(np.float64)
        c_inner = c - ((member @ c) / sizes[:, None])[code]
        d_inner = inner - c_inner
        lines = [
            (layer, source, value.sum(axis=0) / within_df / n)
            for layer, source, value in (
                ("L0", "exact effect, prompts within templates", c_inner**2),
                ("L1", "approximation noise", d_inner**2),
                ("L1", "2 x covariance of noise and effect", 2 * c_inner * d_inner),
            )
        ]
        squared = approximation_error(scores[keep], exact[keep]).bias_squared
        lines.append(("L1", "bias² of the method", squared))
    if number > 1:
        grand = (sizes / rows) @ means
        between = (sizes @ (means - grand) ** 2) / (number - 1)
        n0 = (rows - (sizes**2).sum() / rows) / (number - 1)
        lines.append(("L2", "between templates", (between - within) / n0 * effective))
    return lines


def choice_part(scores: Float[np.ndarray, "run edge"], source: str, *, layer: str = "L4") -> Part:
    """Variance of the score over runs that differ in one way: choices (L4) or training seeds (L5).

    The runs share their prompts, so none of it is sampling.
    """
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} run of {source!r} has no variance; give at least 2")
    value = scores.var(axis=0, ddof=1, dtype=np.float64)
    left, runs, squares = None, len(scores), scores.astype(np.float64) ** 2
    if runs > 2:
        rest = (scores.sum(axis=0, dtype=np.float64) - scores) / (runs - 1)
        left = (squares.sum(axis=0) - squares - (runs - 1) * rest**2) / (runs - 2)
    return Part(layer, source, value, left, why="fewer than 3 runs")


def ledger(
    parts: Sequence[Part], *, groups: Groups | None = None, level: float = 0.95
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
        per_edge = np.stack([part.variance[inside] for part in parts])
        summed = np.array([variance.sum() for variance in per_edge])
        total, edge_total = summed.sum(), per_edge.sum(axis=0)
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
    found = []
    for row in chosen.to_dict(orient="records"):
        variance = Estimate(
            row["source"],
            row["variance"],
            low=row["share_low"] * row["total"],
            high=row["share_high"] * row["total"],
            interval=f"{row['interval']} (of the share)",
            kind="jackknife" if np.isfinite(row["share_low"]) else "",
        )
        found.append(Component(str(row["source"]), variance, row["share"], row["layer"]))
    return tuple(found)


def selection_ledger(
    inclusion: Mapping[str, tuple[Edge, int]], *, groups: Groups | None = None
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
            share = value / total if total > 0 else np.nan
            rows.append((axis, name, int(inside.sum()), value, share, 2 * value))
    names = "axis group edges selection_variance share expected_symmetric_difference"
    return pd.DataFrame(rows, columns=names.split())


def _share_interval(parts, i, inside, share, level) -> Estimate:
    """Jackknife interval of a share, t with `jackknife_df`.

    Only lines whose units are the same are varied together, the others stay at their estimate.
    Clipped nowhere: a share may be negative.
    """
    own, source, why = parts[i].left_out, parts[i].source, "no variance"
    if own is None:
        why = parts[i].why
    elif np.isfinite(share):
        replicates = np.zeros((len(parts), len(own)))
        for j, part in enumerate(parts):
            other = part.left_out
            sampled = part.layer in _SAMPLED and parts[i].layer in _SAMPLED
            if other is not None and len(other) == len(own) and (sampled or j == i):
                replicates[j] = other[:, inside].sum(axis=1)
            else:
                replicates[j] = part.variance[inside].sum()
        totals = replicates.sum(axis=0)
        if totals.all():
            shares = replicates[i] / totals
            how = {"interval": "delete-a-group jackknife", "kind": "jackknife", "n": len(own)}
            found = Estimate(source, share, row_jackknife_se(shares), level=level, **how)
            return t_interval(found, df=jackknife_df(shares))
    missing = f"no interval: {why}"
    return Estimate(source, float(share), level=level, interval=f"none ({why})", missing=missing)
