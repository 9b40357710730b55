"""Monte Carlo estimate of the number of valid circuits, where they are too many to count."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from jaxtyping import Bool
from scipy.special import ndtri

from circuitvar.audit.identifiability.count.list_valid import active_nodes
from circuitvar.audit.identifiability.nets import (
    Count,
    Question,
    Space,
    count_topologies,
    draw_topologies,
    in_space,
    is_valid,
)

CHUNK = 50_000


def estimate_valid(
    question: Question,
    *,
    n: int = 400_000,
    level: float = 0.95,
    space: Space = "whole",
    rng: np.random.Generator,
    passes: Callable[[Bool[np.ndarray, "draw edge"]], Bool[np.ndarray, " draw"]] | None = None,
) -> Count:
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
    total = count_topologies(widths)
    inside = np.array([in_space(space, a, widths) for a in range(sum(widths[1:-1]) + 1)])
    hits = 0
    for at in range(0, n, CHUNK):
        kept = draw_topologies(widths, min(CHUNK, n - at), rng=rng)
        good = is_valid(question, kept) if passes is None else passes(kept)
        hits += int((good & inside[active_nodes(question, kept)]).sum())
    return estimate_of_share("valid circuits", hits, n, total, level=level, space=space)


def estimate_of_share(
    name: str, hits: int, n: int, total: int, *, level: float = 0.95, space: Space = "whole"
) -> Count:
    """`total` times the share `hits / n` of uniform draws, with its Wilson interval."""
    low, high = wilson(hits, n, level)
    how = "Monte Carlo, Wilson interval"
    value = hits / n * total
    return Count(name, value, "estimate", space, low * total, high * total, level, n, how)


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
