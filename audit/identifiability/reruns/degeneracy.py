"""Method noise or true degeneracy? Two overlaps that share a scale.

If circuits found by re-runs overlap as little as two arbitrary valid circuits do, the instability
is in the question, not in the method: nothing the method could do with the same criterion would
pin the circuit down. If they overlap less, the method adds noise; if more, it has a preference
that the criterion does not justify.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.count import Overlap, pairwise_jaccard


@dataclass(frozen=True)
class Degeneracy:
    """Overlap of found circuits, of equally valid circuits, and of random ones."""

    found: Overlap
    """Mean Jaccard between circuits found by re-runs of a method."""
    valid: Overlap
    """Mean Jaccard between circuits that are equally valid."""
    chance: float
    """Expected Jaccard of random edge sets of the found sizes (ratio of expectations)."""
    found_sizes: tuple[float, float]
    """Mean and standard deviation of circuit size, found."""
    valid_sizes: tuple[float, float]

    @property
    def method_noise(self) -> float:
        """1 - Jaccard between found circuits."""
        return 1 - self.found.mean

    @property
    def true_degeneracy(self) -> float:
        """1 - Jaccard between equally valid circuits."""
        return 1 - self.valid.mean


def compare_degeneracy(
    found: Bool[np.ndarray, "run edge"], valid: Bool[np.ndarray, "draw edge"]
) -> Degeneracy:
    """Put found circuits next to (a uniform sample of) all valid ones.

    Sizes are reported because Jaccard depends on them: found circuits are usually sparser than a
    uniform valid one; compare within a size or against smallest circuits where that matters.

    Raises
    ------
    ValueError
        Different numbers of edges, or fewer than two circuits on a side.
    """
    if found.shape[1] != valid.shape[1]:
        raise ValueError(
            f"found has {found.shape[1]} edges, valid {valid.shape[1]}; same graph needed"
        )
    sizes = found.sum(axis=1)
    a = sizes.mean()
    both = a * a / found.shape[1]
    return Degeneracy(
        pairwise_jaccard(found),
        pairwise_jaccard(valid),
        float(both / (2 * a - both)) if a else float("nan"),
        (float(a), float(sizes.std())),
        (float(valid.sum(axis=1).mean()), float(valid.sum(axis=1).std())),
    )
