"""Concepts the probing set cannot tell apart, merged before anything votes.

Near-identical columns split votes and fake instability; on one template a role and a position
are the same column. Classes are connected components of |phi| >= threshold, so a complement
(`not c`) is an alias as well.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import connected_components

from circuitvar.audit.neurons.data import AliasClasses


def concept_correlation(
    concepts: Float[np.ndarray, "sample concept"], weights: Float[np.ndarray, " sample"]
) -> Float[np.ndarray, "concept concept"]:
    """Pearson correlation of concept columns (phi for labels); 0 for a constant column."""
    share = weights / weights.sum()
    centred = concepts - share @ concepts
    cover = centred.T @ (share[:, None] * centred)
    sd = np.sqrt(np.diag(cover))
    varies = sd > 1e-9 * np.abs(share @ concepts)
    inverse = np.divide(1.0, sd, out=np.zeros_like(sd), where=varies)
    return cover * inverse[:, None] * inverse


def alias_classes(
    concepts: Float[np.ndarray, "sample concept"],
    names: Sequence[str],
    *,
    weights: Float[np.ndarray, " sample"] | None = None,
    threshold: float = 0.95,
) -> AliasClasses:
    """Group concept columns with |phi| at or above `threshold`.

    >>> alias_classes(np.array([[0, 0], [1, 1.0]]), ["S2", "position 9"]).names
    ('S2 = position 9',)
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"alias threshold is {threshold}; pass a correlation in (0, 1].")
    weights = np.ones(len(concepts)) if weights is None else weights
    phi = concept_correlation(concepts.astype(np.float64), weights)
    n, raw = connected_components(np.abs(phi) >= threshold - 1e-9, directed=False)
    first = [int(np.flatnonzero(raw == code)[0]) for code in range(n)]
    rank = np.argsort(np.argsort(first))
    of = rank[raw]
    members = tuple(tuple(map(int, np.flatnonzero(of == code))) for code in range(n))
    labels = tuple(
        " = ".join(names[j] if phi[group[0], j] >= 0 else f"not {names[j]}" for j in group)
        for group in members
    )
    return AliasClasses(of=of, members=members, names=labels)


def alias_table(
    classes: AliasClasses,
    names: Sequence[str],
    prompts: np.ndarray,
    eligible: Bool[np.ndarray, " concept"],
) -> pd.DataFrame:
    """One row per concept: its class, the prompts that show it, and whether it may win."""
    return pd.DataFrame(
        {
            "concept": list(names),
            "class": [classes.names[code] for code in classes.of],
            "class_size": [len(classes.members[code]) for code in classes.of],
            "prompts_with": prompts[0],
            "prompts_without": prompts[1],
            "eligible": eligible,
            "status": [
                "constant" if min(p) == 0 else "ok" if ok else "under-powered"
                for p, ok in zip(prompts.T, eligible, strict=True)
            ],
        }
    )


def class_members(classes: AliasClasses, eligible: Bool[np.ndarray, " concept"]) -> list[list[int]]:
    """Columns of each alias class that may win; classes without one are left out."""
    kept = [[c for c in group if eligible[c]] for group in classes.members]
    return [group for group in kept if group]
