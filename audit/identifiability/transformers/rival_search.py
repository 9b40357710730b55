"""Look for a second circuit on purpose: select again with a penalty on reusing edges."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.identifiability.transformers.mask_search import Behaviour

Select = Callable[[Float[np.ndarray, " edge"], int], Bool[np.ndarray, " edge"]]
"""Strengths and a size -> the edges kept (top-n, top-n with pruning, a connected greedy, ...)."""


def top_n(strength: Float[np.ndarray, " edge"], n: int) -> Bool[np.ndarray, " edge"]:
    """The n strongest edges; ties to the earlier column.

    >>> top_n(np.array([1.0, 3.0, 2.0]), 2).tolist()
    [False, True, True]
    """
    kept = np.zeros(len(strength), dtype=bool)
    kept[np.argsort(-strength, kind="stable")[:n]] = True
    return kept


def find_rivals(
    behaviour: Behaviour,
    scores: Float[np.ndarray, " edge"],
    circuit: Bool[np.ndarray, " edge"],
    *,
    epsilon: float,
    penalties: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
    growth: Sequence[float] = (1.0, 1.5, 2.0, 3.0),
    target: float | None = None,
    select: Select = top_n,
) -> pd.DataFrame:
    """One row per penalty: the smallest selection that behaves like the target, if any.

    Edges of `circuit` enter the selection with |score| (1 - penalty); sizes go through `growth`
    times the circuit's own until the behaviour is within `epsilon` of `target` (default: the full
    model's). Columns: penalty, size, value, within, jaccard with the circuit, reuse (share of the
    circuit's edges used again), no_compression (the rival is the whole model, hence no rival),
    rival (within, not the circuit itself, not the whole model), kept (the mask).

    Not finding a rival is no proof of uniqueness: the search is greedy.

    Raises
    ------
    ValueError
        Penalties outside [0, 1], an empty circuit.
    """
    scores, circuit = np.abs(np.asarray(scores, dtype=np.float64)), np.asarray(circuit, dtype=bool)
    if not circuit.any():
        raise ValueError("the circuit keeps no edge; there is nothing to rival")
    if min(penalties) < 0 or max(penalties) > 1:
        raise ValueError(f"penalties must be between 0 and 1; got {tuple(penalties)}")
    if target is None:
        target = float(behaviour(np.ones((1, len(scores)), dtype=bool))[0])
    rows = []
    for penalty in penalties:
        strength = np.where(circuit, scores * (1 - penalty), scores)
        kept, value, within = circuit, float("nan"), False
        for factor in growth:
            kept = select(strength, min(len(scores), round(factor * int(circuit.sum()))))
            value = float(behaviour(kept[None])[0])
            within = abs(value - target) <= epsilon
            if within:
                break
        both = int((kept & circuit).sum())
        whole = bool(kept.all())
        rows.append(
            {
                "penalty": penalty,
                "size": int(kept.sum()),
                "value": value,
                "within": within,
                "jaccard": both / int((kept | circuit).sum()),
                "reuse": both / int(circuit.sum()),
                "no_compression": whole,
                "rival": within and not whole and bool((kept != circuit).any()),
                "kept": kept,
            }
        )
    return pd.DataFrame(rows)
