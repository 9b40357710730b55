"""The circuit in the middle of many runs, and how far each run is from it.

"Jaccard to the median circuit" (Méloux et al., arXiv 2510.00845) is not defined in what we could
read; ours is to the medoid, which is one of the runs. A majority circuit need not be: it can have
a size that no run has, or be empty.
"""

import numpy as np
from jaxtyping import Float


def medoid(pairs: Float[np.ndarray, "run run"]) -> int:
    """Run with the highest mean Jaccard to the others; the first of them on ties.

    >>> medoid(np.array([[1, 0.5, 0.1], [0.5, 1, 0.4], [0.1, 0.4, 1]]))
    1

    Raises
    ------
    ValueError
        There is no run.
    """
    if not len(pairs):
        raise ValueError("no runs, so no medoid; pass at least one")
    return int(np.argmax(np.nan_to_num(pairs, nan=0.0).sum(axis=1)))


def to_medoid(pairs: Float[np.ndarray, "run run"]) -> Float[np.ndarray, " run"]:
    """Jaccard of every run to the medoid (1 for the medoid itself)."""
    return pairs[medoid(pairs)]
