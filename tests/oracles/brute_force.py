"""The slow, obvious enumeration of valid circuits: the oracle of `branch_and_count`."""

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.nets import Question, all_topologies, is_valid


def brute_force_valid(question: Question) -> Bool[np.ndarray, "circuit edge"]:
    """All valid circuits, by running every topology. At most 20 edges."""
    every = all_topologies(question.net.widths)
    return every[is_valid(question, every)]
