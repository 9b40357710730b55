"""Stability as a function of circuit size: phi and Jaccard against k, with the chance curve.

A Jaccard curve rises with k mechanically; phi and the chance curve show what is left of that.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.streams import stream
from circuitvar.tasks.units import Clusters

SHARES: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Sizes of the curve, as shares of the graph."""


def size_grid(n_edges: int, size: int) -> tuple[int, ...]:
    """Increasing sizes from a handful of edges to most of the graph, `size` among them.

    >>> size_grid(479, 47)
    (5, 10, 24, 47, 48, 96, 192, 287, 383)
    """
    grid = {round(share * n_edges) for share in SHARES} | {size}
    return tuple(sorted(k for k in grid if 5 <= k < n_edges))


def size_curve(
    scores: Float[np.ndarray, "example edge"],
    *,
    size: int,
    clusters: Clusters = None,
    signed: bool = False,
    pairs: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per size: k, phi, phi_low, phi_high, jaccard, chance, from complementary halves.

    All sizes see the same splits, so the curve is smooth in k.
    """
    rows = []
    for k in size_grid(scores.shape[1], size):
        found = halves_agreement(
            scores,
            rng=stream(seed, "size curve"),
            size=k,
            signed=signed,
            clusters=clusters,
            pairs=pairs,
            interval_splits=12,
            level=level,
        )
        rows.append(
            {
                "k": k,
                "phi": found.phi.value,
                "phi_low": found.phi.low,
                "phi_high": found.phi.high,
                "jaccard": found.jaccard.value,
                "chance": found.chance,
            }
        )
    return pd.DataFrame(rows)
