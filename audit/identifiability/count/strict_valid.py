"""A stricter criterion: circuit and net must also agree under interchange interventions.

For each hidden node and each ordered pair (base, source) of inputs, the node's value under the
source is put into the run on the base, in the net and in the circuit alike. A node outside the
circuit does nothing there, so it must do nothing in the net: exclusions have to be justified too.
"""

from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import estimate_valid
from circuitvar.audit.identifiability.count.list_valid import list_valid


def interchange_agreement(
    question: nets.Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Float[np.ndarray, " circuit"]:
    """Share of (node, base, source) where circuit and net give the same label (output > 0.5).

    Base and source differ; every hidden node counts, active in the circuit or not. 1 is the
    criterion "causally faithful, exclusions included"; the net itself has 1. Zero or mean ablation.

    Raises
    ------
    ValueError
        Interchange ablation, where rows are already pairs.
    """
    if question.ablation == "interchange":
        raise ValueError("agreement builds its own pairs; use zero or mean ablation")
    full = np.ones((1, question.net.n_edges), bool)
    same = [
        _labels(question, kept, layer, node) == _labels(question, full, layer, node)
        for layer, width in enumerate(question.net.widths[1:-1], 1)
        for node in range(width)
    ]
    off_diagonal = ~np.eye(len(question.rows), dtype=bool)
    return np.mean([s[:, off_diagonal].mean(axis=1) for s in same], axis=0)


def _labels(question: nets.Question, kept: np.ndarray, layer: int, node: int) -> np.ndarray:
    """(circuit, source, base) -> output above 0.5, with `node` of `layer` taken from the source."""
    values = nets.run_circuits(question.net, kept, question.rows, question.fill)[layer]
    h = np.repeat(values[:, None], values.shape[1], axis=1)
    h[..., node] = values[:, :, None, node]
    return nets.run_from(question.net, kept, h, question.fill, layer)[-1][..., 0] > 0.5


LISTED = 500_000
"""Most circuits that interventions are run on one by one."""
CHUNK = 10_000


def is_strict(
    question: nets.Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Bool[np.ndarray, " circuit"]:
    """Whether each circuit is valid and has an interchange agreement of 1.

    Raises
    ------
    ValueError
        Interchange ablation, where rows are already pairs.
    """
    good = nets.is_valid(question, kept)
    where = np.flatnonzero(good)
    for at in range(0, len(where), CHUNK):
        some = where[at : at + CHUNK]
        good[some] = interchange_agreement(question, kept[some]) == 1
    return good


def list_strict(
    question: nets.Question, *, limit: int = LISTED
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
    question: nets.Question, *, n: int = 400_000, rng: np.random.Generator
) -> tuple[nets.Count, ...]:
    """Monte Carlo estimate of their number in every space, with Wilson intervals."""
    passes = partial(is_strict, question)
    spaces = nets.SPACES
    return tuple(estimate_valid(question, n=n, space=s, rng=rng, passes=passes) for s in spaces)
