"""Exact uniform samples from the set of valid circuits, and how alike two of them are.

The Jaccard overlap of two arbitrary valid circuits is the agreement that even a perfect, noise
free search could not beat without a further reason to prefer one circuit: true degeneracy.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit import indices
from circuitvar.audit.identifiability.count.branch_and_count import Cylinders, valid_cylinders
from circuitvar.audit.identifiability.count.list_valid import circuits_of
from circuitvar.audit.identifiability.count.marginals import family_weights
from circuitvar.audit.identifiability.nets import Question


def sample_valid(
    question: Question, n: int, *, rng: np.random.Generator
) -> Bool[np.ndarray, "draw edge"]:
    """`n` independent draws, each valid circuit of the whole space equally likely.

    Two passes over the cylinders: their sizes first, then the draws that fall in each; free
    neurons are filled in uniformly given that every unused parent gets used. No Markov chain, no
    rejection.

    Raises
    ------
    ValueError
        No circuit is valid.
    """
    sizes = [float(family_weights(f).sum()) for f in valid_cylinders(question)]
    total = sum(sizes)
    if total == 0:
        raise ValueError(f"no circuit meets the criterion ({question.criterion.title}); loosen it")
    share = rng.multinomial(n, np.array(sizes) / total)
    parts = []
    for families, draws in zip(valid_cylinders(question), share, strict=True):
        if draws:
            weight = family_weights(families)
            picked = rng.choice(len(weight), size=draws, p=weight / weight.sum())
            parts.append(_complete(question, _take(families, picked), rng))
    return rng.permutation(np.concatenate(parts))


def _take(families: Cylinders, picked: np.ndarray) -> Cylinders:
    per_family = ("prefix", "choices", "covered", "tally")
    return replace(families, **{name: getattr(families, name)[picked] for name in per_family})


def _complete(question: Question, families: Cylinders, rng: np.random.Generator) -> np.ndarray:
    a, free = families.prefixes.n_parents, families.free
    decided = question.net.widths[-2] - free
    choices = families.choices.copy()
    for bit in range(a):
        used = families.covered >> bit & 1
        # Which free neurons read this parent: any set, but not the empty one if it is unused.
        every, some = (
            rng.integers(k, 2**free, size=len(choices)) for k in (0, min(1, 2**free - 1))
        )
        readers = np.where(used, every, some)
        for j in range(free):
            choices |= (readers >> j & 1) << ((decided + j) * a + bit)
    return circuits_of(question, families, choices)


@dataclass(frozen=True, eq=False)
class Overlap:
    """Mean Jaccard of pairs of circuits, with the standard error of sampling (0 if exhaustive)."""

    mean: float
    se: float
    pairs: int


def pairwise_jaccard(kept: Bool[np.ndarray, "circuit edge"]) -> Overlap:
    """Mean Jaccard over all pairs of different rows. Two empty circuits count as equal.

    The standard error treats circuits, not pairs, as the independent units (jackknife over rows).

    Raises
    ------
    ValueError
        Fewer than two circuits.

    >>> round(pairwise_jaccard(np.array([[1, 1, 0], [1, 0, 0]], bool)).mean, 3)
    0.5
    """
    return overlap_of(np.nan_to_num(indices.pairwise_jaccard(kept), nan=1.0))


def overlap_of(jaccard: Float[np.ndarray, "circuit circuit"]) -> Overlap:
    """The same from a symmetric matrix of overlaps with ones on the diagonal.

    Raises
    ------
    ValueError
        Fewer than two circuits.
    """
    n = len(jaccard)
    if n < 2:
        raise ValueError(f"{n} circuits make no pair; need at least two")
    rows = jaccard.sum(axis=1) - 1.0
    total = rows.sum()
    mean = total / (n * (n - 1))
    if n == 2:
        return Overlap(float(mean), float("nan"), 1)
    left_out = (total - 2 * rows) / ((n - 1) * (n - 2))
    se = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return Overlap(float(mean), float(se), n * (n - 1) // 2)
