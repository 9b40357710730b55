"""All weightings of the clusters that one audit needs, stacked into one matrix.

Full sample, halves, left-out templates and resamples are rows of the same matrix, so every number
of a unit comes from the same cluster sums and all units see the same resamples (paired).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.similarity import ConceptOptions, cluster_weights


@dataclass(frozen=True, eq=False)
class WeightRows:
    """All weightings of the clusters, stacked, and which rows are which."""

    weights: Float[np.ndarray, "row cluster"]
    parts: dict[str, slice]
    score_half: Bool[np.ndarray, " cluster"]
    """Clusters of the half on which labels chosen on the other half are scored."""


def weight_rows(
    data: ProbingSet, options: ConceptOptions, *, rng: np.random.Generator
) -> WeightRows:
    """Draw every weighting the audit needs, from independent streams."""
    full, fresh, held, halves = rng.spawn(4)
    order = halves.permutation(data.n_groups)
    order = order[np.argsort(data.strata[order], kind="stable")]
    second = np.zeros(data.n_groups, dtype=bool)
    second[order[1::2]] = True
    held_weights = np.zeros((options.held_replicates, data.n_groups), dtype=np.float32)
    if second.any():
        held_weights[:, second] = cluster_weights(
            data.strata[second], options.held_replicates, rng=held
        )
    codes = np.unique(data.strata)
    without = data.strata[None] != codes[:, None] if len(codes) > 1 else second[None][:0]
    blocks = {
        "all": np.ones((1, data.n_groups)),
        "choose": ~second[None],
        "score": second[None],
        "full": cluster_weights(data.strata, options.replicates, rng=full, scheme=options.scheme),
        "new": cluster_weights(data.strata, options.new_replicates, rng=fresh, fraction=0.5),
        "held": held_weights,
        "without": without,
    }
    ends = np.cumsum([len(block) for block in blocks.values()]).tolist()
    parts = {
        key: slice(end - len(block), end)
        for (key, block), end in zip(blocks.items(), ends, strict=True)
    }
    weights = np.concatenate([block.astype(np.float32) for block in blocks.values()])
    return WeightRows(weights=weights, parts=parts, score_half=second)
