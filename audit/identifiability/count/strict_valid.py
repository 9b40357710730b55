"""Valid circuits that also agree with the net under every interchange intervention (IIA 1).

Agreement is no box, so the circuits of a question are listed, or drawn, and run one by one.
"""

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import estimate_valid
from circuitvar.audit.identifiability.count.interchange_agreement import interchange_agreement
from circuitvar.audit.identifiability.count.list_valid import list_valid
from circuitvar.audit.identifiability.nets import SPACES, Count, Question, is_valid

LISTED = 500_000
"""Most circuits that interventions are run on one by one."""
CHUNK = 10_000


def is_strict(
    question: Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Bool[np.ndarray, " circuit"]:
    """Whether each circuit is valid and has an interchange agreement of 1.

    Raises
    ------
    ValueError
        Interchange ablation, where rows are already pairs.
    """
    good = is_valid(question, kept)
    where = np.flatnonzero(good)
    for at in range(0, len(where), CHUNK):
        some = where[at : at + CHUNK]
        good[some] = interchange_agreement(question, kept[some]) == 1
    return good


def list_strict(
    question: Question, *, limit: int = LISTED
) -> Bool[np.ndarray, "circuit edge"] | None:
    """All such circuits of the whole space; None where more than `limit` valid ones are to run.

    Raises
    ------
    ValueError
        Interchange ablation, or a net too large to count.
    """
    if count_valid(question).count().value > limit:
        return None
    kept = list_valid(question, limit=limit)
    return kept[is_strict(question, kept)]


def estimate_strict(
    question: Question, *, n: int = 400_000, rng: np.random.Generator
) -> tuple[Count, ...]:
    """Monte Carlo estimate of their number in every space, with Wilson intervals."""
    return tuple(
        estimate_valid(
            question, n=n, space=space, rng=rng, passes=lambda kept: is_strict(question, kept)
        )
        for space in SPACES
    )
