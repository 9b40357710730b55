"""Deletion certificates: edges that no small edit of the prompt set can move across the vote.

Each replicate deletes every prompt with probability p_del and re-selects; edges vote. Two data
sets at edit distance r give the same sub-sample with probability at least p_del^r, so an inclusion
probability moves by at most 1 - p_del^r. Our derivation; the certificate is about the voting
procedure on the sub-samples (at p_del = .95, circuits from 5 % of the prompts), not about one run.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator

from circuitvar.audit.resampling import Scores, Selector, deletions, replicate_sets
from circuitvar.circuits.intervals import clopper_pearson
from circuitvar.tasks.units import Clusters


@dataclass(frozen=True, eq=False)
class Certificates:
    """Per edge: certified in, certified out, or abstained."""

    inside: Bool[np.ndarray, " edge"]
    outside: Bool[np.ndarray, " edge"]
    radius: Int[np.ndarray, " edge"]
    """Edits (prompts added, removed or replaced) that cannot change the vote; -1 if abstained."""
    inclusion: Float[np.ndarray, " edge"]

    @property
    def abstention(self) -> float:
        """Share of edges without a certificate."""
        return float(1 - (self.inside | self.outside).mean())


def certify(
    counts: Int[np.ndarray, " edge"],
    replicates: int,
    *,
    p_delete: float,
    alpha: float = 0.05,
    simultaneous: bool = True,
) -> Certificates:
    """Certify each edge from its votes in `replicates` random deletions.

    In: lower Clopper-Pearson bound p > 1/2, radius floor(ln(1.5 - p) / ln p_del); out by symmetry.
    `simultaneous`: alpha/E per edge, so that all certificates hold together with probability
    1 - alpha; a radius of 0 certifies the vote on this data set only.

    >>> c = certify(np.array([1000, 500, 0]), 1000, p_delete=0.9, simultaneous=False)
    >>> c.radius.tolist(), c.inside.tolist()
    ([6, -1, 6], [True, False, False])
    """
    if not 0 < p_delete < 1:
        raise ValueError(f"p_delete is {p_delete}; it is a probability between 0 and 1")
    counts = np.asarray(counts)
    level = alpha / len(counts) if simultaneous else alpha
    low, high = clopper_pearson(counts, replicates, alpha=2 * level)
    inside, outside = low > 0.5, high < 0.5
    bound = np.where(inside, low, np.where(outside, 1 - high, 1.0))
    radius = np.floor(np.log(1.5 - bound) / np.log(p_delete)).astype(np.int64)
    radius[~(inside | outside)] = -1
    return Certificates(inside, outside, radius, counts / replicates)


def certified_circuit(
    scores: Scores,
    *,
    rng: Generator,
    size: int | Selector,
    signed: bool = False,
    p_delete: float = 0.9,
    replicates: int = 1000,
    clusters: Clusters = None,
    alpha: float = 0.05,
) -> Certificates:
    """`certify` from per-example scores, selected as in `replicate_sets`.

    With `clusters` the edits are of whole templates.

    Raises
    ------
    ValueError
        When fewer than 2 units would survive on average: the vote would be empty.
    """
    resamples = deletions(len(scores), replicates, p_delete, rng=rng, clusters=clusters)
    if resamples.size < 2:
        raise ValueError(
            f"p_delete {p_delete} leaves {resamples.size:.1f} {resamples.unit}s on average; "
            "lower it or add prompts"
        )
    sets = replicate_sets(scores, resamples.weights, size=size, signed=signed)
    return certify(sets.counts, replicates, p_delete=p_delete, alpha=alpha)
