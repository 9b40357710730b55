"""Valid circuits by size where the whole count is out of reach: sparse exact, dense estimated."""

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.draw_topologies import draw_topologies
from circuitvar.audit.identifiability.estimate_valid import CHUNK, wilson
from circuitvar.audit.identifiability.list_valid import list_valid
from circuitvar.audit.identifiability.question import Question, is_valid
from circuitvar.audit.identifiability.space import topologies_by_size


def valid_by_size(
    question: Question,
    *,
    exact_up_to: int,
    n: int = 200_000,
    level: float = 0.95,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per size: topologies, valid circuits, whether exact or estimated, interval, draws.

    Sizes up to `exact_up_to` edges are listed exactly: plain draws almost never visit them. Larger
    sizes use uniform draws classified by size (post-stratification): share valid among the draws
    of a size, times its exact number of topologies, with a Wilson interval. A size without a draw
    gets NaN and the interval 0 to all.

    Raises:
        ValueError: too many valid circuits up to `exact_up_to`.
    """
    widths = question.net.widths
    total: dict[int, int] = {}
    for (edges, _), ways in topologies_by_size(widths).items():
        total[edges] = total.get(edges, 0) + ways
    listed = np.bincount(
        list_valid(question, max_edges=exact_up_to).sum(axis=1), minlength=max(total) + 1
    )
    drawn, hits = np.zeros((2, max(total) + 1), dtype=int)
    if max(total) > exact_up_to:
        for at in range(0, n, CHUNK):
            kept = draw_topologies(widths, min(CHUNK, n - at), rng=rng)
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
