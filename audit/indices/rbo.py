"""Rank-biased overlap of two rankings of the same edges (Webber, Moffat and Zobel 2010).

The persistence p decides how deep the comparison looks: the common p = 0.9 puts 99 % of the weight
on the top 30, useless for a circuit of 1000 edges; p = 1 - 1/k puts 85 % on the top k.
"""

import numpy as np
from jaxtyping import Float, Int


def rbo(
    a: Float[np.ndarray, " edge"],
    b: Float[np.ndarray, " edge"],
    *,
    depth: int | None = None,
    p: float | None = None,
) -> float:
    """Extrapolated rank-biased overlap of the orders by |score|, ties broken by edge index.

    RBO_ext = X_k/k p^k + (1-p)/p sum_{d<=k} X_d/d p^d, X_d the overlap of the two top-d lists.
    `depth` k defaults to all edges and `p` to 1 - 1/k.

    >>> round(rbo(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0]), p=0.9), 6)
    0.955
    """
    return rbo_of_ranks(ranks(a), ranks(b), depth=depth, p=p)


def ranks(scores: Float[np.ndarray, " edge"]) -> Int[np.ndarray, " edge"]:
    """0-based rank of each edge by |score|, largest first, ties by edge index."""
    order = np.argsort(-np.abs(scores), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def rbo_of_ranks(
    r1: Int[np.ndarray, " edge"],
    r2: Int[np.ndarray, " edge"],
    *,
    depth: int | None = None,
    p: float | None = None,
) -> float:
    """`rbo` from 0-based ranks without ties."""
    k = len(r1) if depth is None else depth
    if not 1 <= k <= len(r1):
        raise ValueError(f"depth is {k}; choose between 1 and the {len(r1)} edges ranked")
    p = 1 - 1 / k if p is None else p
    if not (0 < p < 1 or (p == 0 and k == 1)):
        raise ValueError(f"p is {p}; it lies strictly between 0 and 1, e.g. 1 - 1/{max(k, 2)}")
    overlap = np.cumsum(np.bincount(np.maximum(r1, r2), minlength=k))[:k]
    if p == 0:
        return float(overlap[0])
    d = np.arange(1, k + 1)
    agreement = overlap / d
    total = agreement[-1] * p**k + (1 - p) * (agreement @ p ** (d - 1))
    return min(float(total), 1.0)  # equal rankings may round above it
