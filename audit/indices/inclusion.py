"""How often each edge is kept, and the three classes readers ask for.

Core, contingent and noise follow the consensus classes of Parekh (CIRCUS, arXiv 2603.00523) with
named, editable cuts instead of exact 1 and 0.
"""

import numpy as np
from jaxtyping import Float

Edge = Float[np.ndarray, " edge"]
CORE = 0.9
"""Edges kept by at least this share of runs are core."""
NOISE = 0.1
"""Edges kept by less than this share of runs are noise; those between are contingent."""
CLASSES = ("core", "contingent", "noise")


def classify(inclusion: Edge, *, core: float = CORE, noise: float = NOISE) -> np.ndarray:
    """`core` at or above `core`, `noise` below `noise`, `contingent` between.

    >>> classify(np.array([1.0, 0.5, 0.0])).tolist()
    ['core', 'contingent', 'noise']
    """
    if not 0 <= noise <= core <= 1:
        raise ValueError(f"cuts are noise={noise}, core={core}; use 0 <= noise <= core <= 1")
    return np.select([inclusion >= core, inclusion >= noise], CLASSES[:2], CLASSES[2])
