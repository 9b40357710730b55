"""Do templates disagree more than random groups of prompts of the same sizes?

Circuits of small groups differ by sampling alone. What wording adds is the gap between templates
and random groups: with it the instability is between templates, without it within.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.jaccard import mean_pairwise, pairwise_jaccard
from circuitvar.audit.nogueira import phi
from circuitvar.audit.types import Estimate
from circuitvar.circuits.select import top_n_masks

LOST = "phi lost to wording"
"""Name of the estimate that the source of instability is read from."""


@dataclass(frozen=True, eq=False)
class Wording:
    """Templates against random groups of prompts."""

    lost: Estimate
    groups_phi: float
    """Mean phi of random groups."""
    groups_jaccard: float


def group_means(
    scores: Float[np.ndarray, "example edge"], labels: np.ndarray
) -> Float[np.ndarray, "group edge"]:
    """Mean score per label, labels in sorted order."""
    names, code = np.unique(labels, return_inverse=True)
    # In the scores' own precision: a float64 copy of the matrix per grouping would be the cost.
    member = np.zeros((len(names), len(scores)), dtype=scores.dtype)
    member[code, np.arange(len(scores))] = 1
    return (member @ scores) / member.sum(axis=1, keepdims=True)


def wording(
    scores: Float[np.ndarray, "example edge"],
    templates: tuple[str, ...],
    *,
    size: int,
    absolute: bool = True,
    level: float = 0.95,
    rng: np.random.Generator,
) -> Wording:
    """phi of random groups minus phi of templates, with the range over ceil(2/(1 - level)) - 1
    random groupings: an exact permutation interval. It holds 0 where templates are groups like any
    other.

    >>> scores = np.zeros((40, 6)); scores[:20, 0] = scores[20:, 1] = 1.0
    >>> found = wording(scores, ("a",) * 20 + ("b",) * 20, size=1, rng=np.random.default_rng(0))
    >>> found.lost.low > 0
    True
    """
    labels, draws = np.array(templates), int(np.ceil(2 / (1 - level) - 1e-9)) - 1

    def agreement(of: np.ndarray) -> tuple[float, float]:
        masks = top_n_masks(group_means(scores, of), size, absolute=absolute)
        return phi(masks), mean_pairwise(pairwise_jaccard(masks))

    own = agreement(labels)[0]
    random = np.array([agreement(rng.permutation(labels)) for _ in range(draws)])
    gap = random[:, 0] - own
    lost = Estimate(
        LOST, float(gap.mean()), float(gap.std(ddof=1)), float(gap.min()), float(gap.max()), level,
        len(np.unique(labels)), f"range over {draws} random groupings",
        "phi of random groups of prompts minus phi of templates of the same sizes", draws=gap,
    )  # fmt: skip
    return Wording(lost, float(random[:, 0].mean()), float(random[:, 1].mean()))
