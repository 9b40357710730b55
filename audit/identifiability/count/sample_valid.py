"""The whole set of valid circuits without a list of it: edge shares, uniform samples, overlap.

The Jaccard overlap of two arbitrary valid circuits is the agreement that even a perfect, noise
free search could not beat without a further reason to prefer one circuit: true degeneracy.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit import indices
from circuitvar.audit.identifiability.count.branch_and_count import Cylinders, valid_cylinders
from circuitvar.audit.identifiability.count.count_valid import completions_total
from circuitvar.audit.identifiability.count.list_valid import circuits_of
from circuitvar.audit.identifiability.nets import Question


@dataclass(frozen=True, eq=False)
class Marginals:
    """Exact edge statistics of the whole valid set."""

    inclusion: Float[np.ndarray, " edge"]
    """Share of valid circuits that keep each edge."""
    total: float
    """Valid circuits; float64, exact below 2^53."""

    @property
    def backbone(self) -> Bool[np.ndarray, " edge"]:
        """Edges in every valid circuit."""
        return self.inclusion == 1

    @property
    def union(self) -> Bool[np.ndarray, " edge"]:
        """Edges in at least one valid circuit."""
        return self.inclusion > 0


def edge_marginals(question: Question) -> Marginals:
    """Share of valid circuits that keep each edge, exact, without listing them.

    In a cylinder with m free neurons, an edge from a parent already used is on in half of the
    completions; from an unused parent in F(u-1, a, m) / 2 of them (F: see `count_valid`).

    Raises
    ------
    ValueError
        No circuit is valid.
    """
    net = question.net
    before = sum(w.size for w in net.weights[:-2])
    edges = np.zeros(net.n_edges)
    total = 0.0
    for families in valid_cylinders(question):
        weight = family_weights(families)
        total += weight.sum()
        n = len(families.prefixes.parents)
        per_prefix = np.bincount(families.prefix, weight, minlength=n)
        edges[:before] += per_prefix @ families.prefixes.kept
        last, output = _last_layer(families, weight, net.weights[-2].shape)
        edges[before:] += np.concatenate([last.ravel(), output])
    if total == 0:
        raise ValueError(f"no circuit meets the criterion ({question.criterion.title}); loosen it")
    return Marginals(edges / total, total)


def family_weights(families: Cylinders) -> Float[np.ndarray, " family"]:
    """Number of circuits in each family."""
    a = families.prefixes.n_parents
    sizes = [completions_total(a - c.bit_count(), a, families.free) for c in range(2**a)]
    return np.array(sizes, dtype=np.float64)[families.covered]


def _last_layer(families: Cylinders, weight: np.ndarray, shape: tuple[int, int]):
    last, output = np.zeros(shape), np.zeros(shape[0])
    parents, a, free = families.prefixes.parents, families.prefixes.n_parents, families.free
    n, sets, decided = len(parents), 2**a, shape[0] - free
    for j in range(decided):
        chosen = (families.choices >> (j * a)) & (sets - 1)
        by_set = np.bincount(families.prefix * sets + chosen, weight, minlength=n * sets)
        by_set = by_set.reshape(n, sets)
        node = families.order[:, j]
        np.add.at(output, node, by_set[:, 1:].sum(axis=1))
        for bit in range(a):
            has = (np.arange(sets) >> bit) & 1 == 1
            np.add.at(last, (node, parents[:, bit]), by_set[:, has].sum(axis=1))
    if free:
        number = np.bincount(families.prefix * sets + families.covered, minlength=n * sets)
        on, active = _free_edges(a, free)
        on_edges = number.reshape(n, sets) @ on
        on_output = number.reshape(n, sets) @ active
        for j in range(decided, shape[0]):
            node = families.order[:, j]
            np.add.at(output, node, on_output)
            for bit in range(a):
                np.add.at(last, (node, parents[:, bit]), on_edges[:, bit])
    return last, output


def _free_edges(a: int, free: int) -> tuple[np.ndarray, np.ndarray]:
    """Completions with a given edge of one free neuron on, and with that neuron on, by cover."""
    on, active = np.zeros((2**a, a)), np.zeros(2**a)
    for covered in range(2**a):
        unused = a - covered.bit_count()
        everything = completions_total(unused, a, free)
        active[covered] = everything - completions_total(unused, a, free - 1)
        for bit in range(a):
            used = covered >> bit & 1
            on[covered, bit] = (everything if used else completions_total(unused - 1, a, free)) / 2
    return on, active


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
