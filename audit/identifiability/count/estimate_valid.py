"""Monte Carlo estimate of the number of valid circuits, where they are too many to count."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import hypot, sqrt

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy.special import ndtri

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count.list_valid import inside, list_valid, only_in_space

CHUNK = 50_000


def estimate_valid(
    question: nets.Question,
    *,
    n: int = 400_000,
    level: float = 0.95,
    space: nets.Space = "whole",
    rng: np.random.Generator,
    passes: Callable[[Bool[np.ndarray, "draw edge"]], Bool[np.ndarray, " draw"]] | None = None,
) -> nets.Count:
    """Share of valid circuits among uniform draws, times the exact size of the whole space.

    Wilson score interval on the share. For a smaller space a draw counts when it is valid and
    inside it, still against the whole space. `passes` replaces the question's box by any test of
    circuits, e.g. agreement under interventions. Zero hits give an interval that starts at 0, not
    a proof that nothing fits.

    Raises
    ------
    ValueError
        Fewer than one draw, a level outside (0, 1).
    """
    if n < 1 or not 0 < level < 1:
        raise ValueError(f"need n >= 1 draws and a level between 0 and 1; got {n} and {level}")
    widths = question.net.widths
    total = nets.count_topologies(widths)
    hits = 0
    for at in range(0, n, CHUNK):
        kept = nets.draw_topologies(widths, min(CHUNK, n - at), rng=rng)
        good = nets.is_valid(question, kept) if passes is None else passes(kept)
        hits += int((good & inside(question, kept, space)).sum())
    return estimate_of_share("valid circuits", hits, n, total, level=level, space=space)


def estimate_of_share(
    name: str, hits: int, n: int, total: int, *, level: float = 0.95, space: nets.Space = "whole"
) -> nets.Count:
    """`total` times the share `hits / n` of uniform draws, with its Wilson interval."""
    low, high = wilson(hits, n, level)
    how = "Monte Carlo, Wilson interval"
    value = hits / n * total
    return nets.Count(name, value, "estimate", space, low * total, high * total, level, n, how)


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share.

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    >>> [round(x, 4) for x in wilson(10, 100)]
    [0.0552, 0.1744]
    """
    z = float(ndtri(0.5 + level / 2))
    p, scale = hits / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    # Exact at the ends, where rounding would leave 1e-18.
    return (middle - half if hits else 0.0), (middle + half if hits < n else 1.0)


LISTED = 200_000
"""Sizes are listed exactly while the topologies up to them are at most this many."""


def valid_by_size(
    question: nets.Question,
    *,
    exact_up_to: int,
    n: int = 200_000,
    level: float = 0.95,
    space: nets.Space = "whole",
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
    total = nets.by_edges(nets.topologies_by_size(widths), space, widths)
    sparse = only_in_space(question, list_valid(question, max_edges=exact_up_to), space)
    listed = np.bincount(sparse.sum(axis=1), minlength=max(total, default=0) + 1)
    drawn, hits = np.zeros((2, len(listed)), dtype=int)
    if total and max(total) > exact_up_to:
        for at in range(0, n, CHUNK):
            kept = nets.draw_topologies(widths, min(CHUNK, n - at), rng=rng)
            kept = only_in_space(question, kept, space)
            size = kept.sum(axis=1)
            drawn += np.bincount(size, minlength=len(drawn))
            hits += np.bincount(size[nets.is_valid(question, kept)], minlength=len(drawn))
    rows = []
    for edges in sorted(total):
        if edges <= exact_up_to:
            value = float(listed[edges])
            rows.append((edges, total[edges], value, "exact", value, value, 0))
            continue
        t, k, n_drawn = total[edges], int(hits[edges]), int(drawn[edges])
        low, high = wilson(k, n_drawn, level) if n_drawn else (0.0, 1.0)
        share = k / n_drawn if n_drawn else float("nan")
        rows.append((edges, t, share * t, "estimate", low * t, high * t, n_drawn))
    columns = ["edges", "topologies", "valid", "known", "low", "high", "draws"]
    return pd.DataFrame(rows, columns=columns)


def sparse_sizes(widths: Sequence[int], most: int = LISTED) -> int:
    """Largest size up to which there are at most `most` topologies; 0 where there is none.

    >>> sparse_sizes((2, 3, 3, 1)), sparse_sizes((2, 6, 6, 1))
    (18, 9)
    """
    total = nets.by_edges(nets.topologies_by_size(widths), "whole", widths)
    seen = accumulate(total.values())
    return max((edges for edges, n in zip(total, seen, strict=True) if n <= most), default=0)


def total_of_sizes(
    sizes: pd.DataFrame, *, space: nets.Space, level: float = 0.95
) -> tuple[nets.Count, ...]:
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
        return (nets.Count(name, bound, "exact", space, how="size strata, all listed"),)
    seen = rest.loc[rest["draws"] > 0]
    unseen = float(rest.loc[rest["draws"] == 0, "topologies"].to_numpy(dtype=float).sum())
    valid, low, high = (seen[k].to_numpy(dtype=float) for k in ("valid", "low", "high"))
    value = bound + float(valid.sum())
    start = int(rest["edges"].min())
    low = max(float(bound), value - hypot(*(valid - low)))
    high = value + hypot(*(high - valid)) + unseen
    how = f"size strata, listed below {start} edges, Wilson intervals from there"
    draws = int(seen["draws"].sum())
    found = nets.Count(name, value, "estimate", space, low, high, level, draws, how)
    how = f"circuits of fewer than {start} edges, counted exactly"
    return found, nets.Count(f"{name}, at least", bound, "lower bound", space, how=how)
