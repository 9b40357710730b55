"""Do templates disagree more than random groups of prompts of the same sizes?

Circuits of small groups differ by sampling alone. What wording adds is the gap between templates
and random groups: with it the instability is between templates, without it within.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from circuitvar.audit.indices import mean_pairwise, pairwise_jaccard, phi, phi_of_runs
from circuitvar.audit.resampling import Scores, membership
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks

GROUPINGS = 39
LOST = "phi lost to wording"
"""Name of the estimate that the source of instability is read from."""


@dataclass(frozen=True, eq=False)
class Wording:
    """Templates against random groups of prompts."""

    lost: Estimate
    groups_phi: float
    """Mean phi of random groups."""
    groups_jaccard: float


def group_means(scores: Scores, labels: np.ndarray) -> Float[np.ndarray, "group edge"]:
    """Mean score per label, labels in sorted order."""
    # In the scores' own precision: a float64 copy of the matrix per grouping would be the cost.
    member = membership(np.unique(labels, return_inverse=True)[1], scores.dtype)
    return (member @ scores) / member.sum(axis=1, keepdims=True)


def wording(
    scores: Scores,
    templates: tuple[str, ...],
    *,
    size: int,
    signed: bool = False,
    level: float = 0.95,
    rng: Generator,
) -> Wording:
    """phi of random groups, a mean over 39 groupings, minus phi of templates.

    The interval is that of phi of templates, `phi.phi_of_runs`, turned round: other templates
    would move it far more than other groupings move their mean. Covers .97 to 1. The range over
    random groupings, which tests a loss of 0, covered .68 to .96 of larger losses.

    >>> scores = np.repeat(np.eye(8), 10, axis=0)  # every template its own edge
    >>> names = tuple("abcdefgh"[i // 10] for i in range(80))
    >>> found = wording(scores, names, size=1, rng=np.random.default_rng(0))
    >>> found.lost.value > found.lost.low
    True
    """
    labels = np.array(templates)

    def kept(of: np.ndarray) -> np.ndarray:
        return top_n_masks(group_means(scores, of), size, signed=signed)

    own = phi_of_runs(kept(labels), level=level)
    groups = [kept(rng.permutation(labels)) for _ in range(GROUPINGS)]
    random = np.array([phi(masks) for masks in groups])
    gap = random - own.value
    noise = float(random.var(ddof=1)) / GROUPINGS
    below, above = own.high - own.value, own.value - own.low
    lost = replace(
        own,
        name=LOST,
        value=float(gap.mean()),
        se=float(np.hypot(own.se, noise**0.5)),
        low=float(gap.mean() - np.hypot(below, noise**0.5)),
        high=float(gap.mean() + np.hypot(above, noise**0.5)),
        estimand="phi of random groups of prompts minus phi of templates of the same sizes",
        unit="template",
        draws=gap,
    )
    jaccard = [mean_pairwise(pairwise_jaccard(masks)) for masks in groups]
    return Wording(lost, float(random.mean()), float(np.mean(jaccard)))
