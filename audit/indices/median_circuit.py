"""One circuit to stand for many runs, and how far each run is from it.

"Jaccard to the median circuit" (Méloux et al., arXiv 2510.00845) is not defined in what we could
read; the medoid is used for it here and is an actual run, unlike the majority circuit.
"""

import numpy as np
from jaxtyping import Bool, Float


def medoid(pairs: Float[np.ndarray, "run run"]) -> int:
    """Run with the highest mean Jaccard to the others; the first of them on ties.

    >>> medoid(np.array([[1, 0.5, 0.1], [0.5, 1, 0.4], [0.1, 0.4, 1]]))
    1
    """
    if not len(pairs):
        raise ValueError("no runs, so no medoid; pass at least one")
    return int(np.argmax(np.nan_to_num(pairs, nan=0.0).sum(axis=1)))


def to_median(pairs: Float[np.ndarray, "run run"]) -> Float[np.ndarray, " run"]:
    """Jaccard of every run to the medoid (1 for the medoid itself)."""
    return pairs[medoid(pairs)]


def majority(
    masks: Bool[np.ndarray, "run edge"], *, share: float = 0.5
) -> Bool[np.ndarray, " edge"]:
    """Edges kept by more than `share` of the runs; may have a size that no run has."""
    return masks.mean(axis=0) > share
