"""Agreement of the runs of each axis beyond phi: of ranks, at matched size, at matched error."""

from collections.abc import Mapping
from itertools import combinations, islice

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import rankdata

from circuitvar.audit.indices import (
    mean_pairwise,
    mean_spearman,
    overlap_coefficient,
    overlaps,
    pairwise_jaccard,
    phi,
    rbo,
    size_matched_jaccard,
    stratified_chance,
    to_medoid,
    weighted_tau,
)
from circuitvar.audit.settings import Settings
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.overlap import edge_strata
from circuitvar.circuits.prune import prune_masks

CLOSE = 0.05
"""Circuits whose error is within this of the median error of their axis are compared."""
PAIRS = 45
"""Pairs of runs for rank statistics, the first ones."""
FEW = 10
"""The same for the stratified chance level, which hardly differs between pairs."""

Means = Float[np.ndarray, "run edge"]


def agreement_table(
    graph: Graph,
    means: Mapping[str, Means],
    settings: Settings,
    size: int,
    *,
    runs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per axis: axis, runs, and means over pairs of runs.

    spearman (all edges), weighted_tau and rbo (p = 1 - 1/size) of the ranks of |score|, or of the
    signed score where circuits are selected by it; of the circuits without dangling edges, whose
    sizes differ: overlap_coefficient, size_matched_jaccard (both cut to the smaller size) and
    jaccard_to_medoid (the run closest to the others); chance_stratified: Jaccard of random sets
    with as many edges of each layer and type; jaccard and phi _same_error over the `same_error`
    runs whose circuit error is within `CLOSE` of the axis's median. `runs`: the table with the
    circuit error of every run.
    """
    rows, strata = [], edge_strata(graph)
    for axis, scored in means.items():
        masks = prune_masks(graph, top_n_masks(scored, size, signed=settings.signed))
        # These rank by size; ranks of signed scores keep their order and their ties.
        order = rankdata(scored, axis=1) if settings.signed else np.abs(scored)
        jaccards, sizes = pairwise_jaccard(masks), masks.sum(axis=1)
        pairs = list(islice(combinations(range(len(masks)), 2), PAIRS))
        i, j = np.triu_indices(len(masks), 1)
        both = overlaps(masks)[i, j]
        close = _same_error(axis, len(masks), runs)
        rows.append(
            {
                "axis": axis,
                "runs": len(masks),
                "spearman": mean_spearman(order),
                "weighted_tau": _mean([weighted_tau(order[a], order[b]) for a, b in pairs]),
                "rbo": _mean([rbo(order[a], order[b], depth=size) for a, b in pairs]),
                "overlap_coefficient": _mean(overlap_coefficient(sizes[i], sizes[j], both)),
                "size_matched_jaccard": _mean(size_matched_jaccard(order, sizes)[i, j]),
                "jaccard_to_medoid": _mean(to_medoid(jaccards)),
                "chance_stratified": _mean(
                    [stratified_chance(masks[a], masks[b], strata)[0] for a, b in pairs[:FEW]]
                ),
                "jaccard_same_error": mean_pairwise(jaccards[np.ix_(close, close)])
                if len(close) > 1
                else np.nan,
                "phi_same_error": phi(masks[close]) if len(close) > 1 else np.nan,
                "same_error": len(close),
            }
        )
    return pd.DataFrame(rows)


def _mean(values) -> float:
    """Mean of what is defined; NaN where nothing is."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def _same_error(axis: str, number: int, runs: pd.DataFrame | None) -> np.ndarray:
    """Rows of the runs whose circuit error is close to the median of their axis."""
    if runs is None:
        return np.empty(0, dtype=np.int64)
    errors = runs.loc[runs["axis"] == axis, "circuit_error"].to_numpy(dtype=np.float64)
    if len(errors) != number:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.abs(errors - np.median(errors)) <= CLOSE)
