"""Valid circuits by size where the whole count is out of reach: sparse exact, dense estimated."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import hypot

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.count.estimate_valid import CHUNK, wilson
from circuitvar.audit.identifiability.count.list_valid import list_valid, only_in_space
from circuitvar.audit.identifiability.nets import (
    Count,
    Question,
    Space,
    draw_topologies,
    in_space,
    is_valid,
    topologies_by_size,
)

LISTED = 200_000
"""Sizes are listed exactly while the topologies up to them are at most this many."""


def valid_by_size(
    question: Question,
    *,
    exact_up_to: int,
    n: int = 200_000,
    level: float = 0.95,
    space: Space = "whole",
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per size: topologies, valid circuits, whether exact or estimated, interval, draws.

    All of them in `space`; draws outside it are left out.

    Sizes up to `exact_up_to` edges are listed exactly: plain draws almost never visit them. Larger
    sizes use uniform draws classified by size (post-stratification): share valid among the draws
    of a size, times its exact number of topologies, with a Wilson interval. A size without a draw
    gets NaN and the interval 0 to all.

    Raises
    ------
    ValueError
        Too many valid circuits up to `exact_up_to`.
    """
    widths = question.net.widths
    total = _topologies(widths, space)
    sparse = only_in_space(question, list_valid(question, max_edges=exact_up_to), space)
    listed = np.bincount(sparse.sum(axis=1), minlength=max(total, default=0) + 1)
    drawn, hits = np.zeros((2, len(listed)), dtype=int)
    if total and max(total) > exact_up_to:
        for at in range(0, n, CHUNK):
            kept = draw_topologies(widths, min(CHUNK, n - at), rng=rng)
            kept = only_in_space(question, kept, space)
            size = kept.sum(axis=1)
            drawn += np.bincount(size, minlength=len(drawn))
            hits += np.bincount(size[is_valid(question, kept)], minlength=len(drawn))
    rows = []
    for edges in sorted(total):
        if edges <= exact_up_to:
            value = float(listed[edges])
            rows.append((edges, total[edges], value, "exact", value, value, 0))
            continue
        if drawn[edges]:
            low, high = wilson(int(hits[edges]), int(drawn[edges]), level)
            share = hits[edges] / drawn[edges]
        else:
            low, high, share = 0.0, 1.0, float("nan")
        t = total[edges]
        rows.append((edges, t, share * t, "estimate", low * t, high * t, int(drawn[edges])))
    columns = ["edges", "topologies", "valid", "known", "low", "high", "draws"]
    return pd.DataFrame(rows, columns=columns)


def sparse_sizes(widths: Sequence[int], most: int = LISTED) -> int:
    """Largest size up to which there are at most `most` topologies; 0 where there is none.

    >>> sparse_sizes((2, 3, 3, 1)), sparse_sizes((2, 6, 6, 1))
    (18, 9)
    """
    total = sorted(_topologies(widths, "whole").items())
    seen = accumulate(ways for _, ways in total)
    return max((edges for (edges, _), n in zip(total, seen, strict=True) if n <= most), default=0)


def _topologies(widths: Sequence[int], space: Space) -> Counter[int]:
    """Edges -> number of topologies in the space."""
    total: Counter[int] = Counter()
    for (edges, active), ways in topologies_by_size(widths).items():
        if in_space(space, active, widths):
            total[edges] += ways
    return total


def total_of_sizes(sizes: pd.DataFrame, *, space: Space, level: float = 0.95) -> tuple[Count, ...]:
    """Number of valid circuits over all sizes, and a lower bound where sparse sizes were listed.

    Exact where every size was. Otherwise the interval joins the Wilson intervals of independent
    sizes (Zou and Donner 2008): the distances of the limits from the estimates add in quadrature.
    Sizes that no draw had count as 0 in the estimate and below, as all of them above.
    """
    name = "valid circuits"
    listed = sizes.loc[sizes["known"] == "exact"]
    bound = int(listed["valid"].to_numpy(dtype=float).sum())
    rest = sizes.loc[sizes["known"] != "exact"]
    if rest.empty:
        return (Count(name, bound, "exact", space, how="size strata, all listed"),)
    seen = rest.loc[rest["draws"] > 0]
    unseen = float(rest.loc[rest["draws"] == 0, "topologies"].to_numpy(dtype=float).sum())
    valid, low, high = (seen[k].to_numpy(dtype=float) for k in ("valid", "low", "high"))
    value = bound + float(valid.sum())
    start = int(rest["edges"].min())
    low = max(float(bound), value - hypot(*(valid - low)))
    high = value + hypot(*(high - valid)) + unseen
    how = f"size strata, listed below {start} edges, Wilson intervals from there"
    draws = int(seen["draws"].sum())
    found = Count(name, value, "estimate", space, low, high, level, draws, how)
    how = f"circuits of fewer than {start} edges, counted exactly"
    return found, Count(f"{name}, at least", bound, "lower bound", space, how=how)
