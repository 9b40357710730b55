"""Method noise or true degeneracy? Two overlaps that share a scale.

If circuits found by re-runs overlap as little as two arbitrary valid circuits do, the instability
is in the question, not in the method: nothing the method could do with the same criterion would
pin the circuit down. If they overlap less, the method adds noise; if more, it has a preference
that the criterion does not justify.
"""

from dataclasses import dataclass
from itertools import pairwise, permutations, product
from math import factorial, prod

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.identifiability.count import Overlap, overlap_of, pairwise_jaccard


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


MAX_PERMUTATIONS = 20_000
"""Two hidden layers of width 5 have 14,400."""


@dataclass(frozen=True)
class SeedOverlap:
    """Mean Jaccard between circuits of different nets."""

    plain: Overlap
    """Units as numbered: a lower estimate."""
    matched: Overlap | None
    """Units permuted for the best overlap of each pair; None where permutations are too many."""
    matched_chance: float
    """The same matching of random edge sets of the same sizes; NaN without matching."""


def compare_seeds(
    kept: Bool[np.ndarray, "net edge"], widths: tuple[int, ...], *, rng: np.random.Generator
) -> SeedOverlap:
    """Overlap of circuits, one per net; all nets have the same widths.

    Raises
    ------
    ValueError
        Fewer than two nets.

    >>> one = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], bool)
    >>> both = compare_seeds(one, (1, 2, 1), rng=np.random.default_rng(0))
    >>> both.plain.mean, both.matched.mean
    (0.0, 1.0)
    """
    plain = pairwise_jaccard(kept)
    if prod(factorial(k) for k in widths[1:-1]) > MAX_PERMUTATIONS:
        return SeedOverlap(plain, None, float("nan"))
    orders = unit_permutations(widths)
    shuffled = rng.permuted(kept, axis=1)
    return SeedOverlap(
        plain,
        overlap_of(_best_jaccard(kept, orders)),
        overlap_of(_best_jaccard(shuffled, orders)).mean,
    )


def unit_permutations(widths: tuple[int, ...]) -> Int[np.ndarray, "permutation edge"]:
    """Column orders that renumber the hidden units of a net, every permutation once."""
    inner = [permutations(range(w)) for w in widths[1:-1]]
    inputs, outputs = ([tuple(range(w))] for w in (widths[0], widths[-1]))
    sizes = [a * b for a, b in pairwise(widths)]
    first = np.concatenate([[0], np.cumsum(sizes)])
    rows = []
    for chosen in product(inputs, *inner, outputs):
        parts = [
            first[i] + (np.array(chosen[i + 1])[:, None] * widths[i] + np.array(chosen[i])).ravel()
            for i in range(len(sizes))
        ]
        rows.append(np.concatenate(parts))
    return np.array(rows)


def _best_jaccard(kept: np.ndarray, orders: np.ndarray) -> Float[np.ndarray, "net net"]:
    x = kept.astype(np.float32)
    size = x.sum(axis=1)
    out = np.ones((len(x), len(x)))
    for i in range(len(x)):
        both = (x[i][orders] @ x.T).max(axis=0)
        either = size[i] + size - both
        out[i] = np.divide(both, either, out=np.ones_like(both), where=either > 0)
    return out
