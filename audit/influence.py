"""Which prompts carry the result: influence on stability and on membership.

Influence on phi costs nothing once there are bootstrap replicates (infinitesimal jackknife);
leave-one-out circuits cost one product.
"""

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.intervals import unit_influence
from circuitvar.audit.jaccard import jaccard_to
from circuitvar.audit.nogueira import row_projections
from circuitvar.audit.replicate_sets import RunSets, Selector, replicate_sets
from circuitvar.audit.weights import Resamples


def phi_influence(sets: RunSets, resamples: Resamples) -> Float[np.ndarray, " unit"]:
    """About the change in phi when unit i (prompt, or template) is dropped: -C_i, with C_i the
    infinitesimal-jackknife term. Positive: the circuit is more stable without it. NaN when phi is
    undefined."""
    t = row_projections(sets.masks(sets.contested), n_edges=sets.n_edges, always=sets.always)
    if not np.isfinite(t).all():
        return np.full(resamples.counts.shape[1], np.nan)
    return -unit_influence(resamples.counts, 2 * (t - t.mean()))


def mean_influence(scores: Float[np.ndarray, "example edge"], edge: int) -> np.ndarray:
    """(s_ie - mean_e)/n: share of each example in the deviation of one edge's mean."""
    column = scores[:, edge].astype(np.float64)
    return (column - column.mean()) / len(column)


def leave_one_out_sets(
    scores: Float[np.ndarray, "example edge"],
    *,
    size: int | None = None,
    select: Selector | None = None,
) -> RunSets:
    """The circuit without prompt i, for every i."""
    n = len(scores)
    if n < 2:
        raise ValueError("one prompt cannot be left out of one; pass at least 2")
    weights = (1 - np.eye(n, dtype=np.float32)) / np.float32(n - 1)
    return replicate_sets(scores, weights, size=size, select=select)


def membership_influence(
    scores: Float[np.ndarray, "example edge"], circuit: Bool[np.ndarray, " edge"], *, size: int
) -> Float[np.ndarray, " example"]:
    """1 - Jaccard of the circuit without prompt i to the circuit of all prompts."""
    return 1 - jaccard_to(leave_one_out_sets(scores, size=size).masks(), circuit)
