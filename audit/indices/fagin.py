"""Distances between two top-k lists that need not hold the same edges.

Fagin, Kumar and Sivakumar, Comparing top k lists (2003). 0 for identical lists and 1 for disjoint
ones, after normalising.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Int


def _positions(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> tuple[Int[np.ndarray, " item"], Int[np.ndarray, " item"], int]:
    k = len(first)
    if len(second) != k or k == 0:
        raise ValueError(f"lists hold {k} and {len(second)} edges; give two top-k lists of one k")
    if len(set(first)) != k or len(set(second)) != k:
        raise ValueError("a list names an edge twice; a top-k list has k different edges")
    union = list(dict.fromkeys([*first, *second]))
    place = [{item: rank for rank, item in enumerate(items)} for items in (first, second)]
    r1, r2 = (np.array([where.get(item, k) for item in union]) for where in place)
    return r1, r2, k


def kendall_distance(
    first: Sequence[Hashable], second: Sequence[Hashable], *, penalty: float = 0.5
) -> float:
    """K^(p) / (k² + p k (k - 1)): contradicted pairs over the union of two top-k lists, best first.

    A pair counts 1 when one list contradicts the order of the other (an absent edge ranks below
    the present ones) and `penalty` when both its edges are absent from one list.

    >>> kendall_distance("abc", "cba")
    0.25
    """
    r1, r2, k = _positions(first, second)
    d1 = np.sign(r1[:, None] - r1[None, :])
    d2 = np.sign(r2[:, None] - r2[None, :])
    upper = np.triu_indices(len(r1), 1)
    contradicted = (d1 * d2 < 0)[upper].sum()
    unknown = ((d1 == 0) | (d2 == 0))[upper].sum()
    return float((contradicted + penalty * unknown) / (k * k + penalty * k * (k - 1)))


def footrule_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """sum |r1 - r2| / (k (k + 1)) with absent edges placed at k + 1.

    >>> round(footrule_distance("abc", "cba"), 4)
    0.3333
    """
    r1, r2, k = _positions(first, second)
    return float(np.abs(r1 - r2).sum() / (k * (k + 1)))
