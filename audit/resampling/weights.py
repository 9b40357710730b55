"""Every resampling scheme as a weight matrix, so that replicate means are one product W @ scores.

Units are prompts, or clusters (templates) when `clusters` names one per example: prompts that
share a template are not independent, and resampling them one by one overstates stability more
than any other choice. Rows of `weights` sum to 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from numpy.random import Generator

from circuitvar.tasks.units import Clusters, unit_of_example

Counts = Float32[np.ndarray, "replicate unit"]


@dataclass(frozen=True, eq=False)
class Resamples:
    """B resamples of one set of examples."""

    weights: Float32[np.ndarray, "replicate example"]
    """Weight of each example in each replicate; rows sum to 1 (to 0 if nothing was kept)."""
    counts: Counts
    """Multiplicity of each unit in each replicate, as `intervals.resample_se` needs it."""
    scheme: str
    unit: str
    """`prompt` or `template`."""
    size: float
    """Units per replicate that a fresh sample of equal precision would hold."""


def columns(number: int, width: int = 4096) -> Iterator[slice]:
    """Column blocks: so that float64 copies of a wide matrix stay small."""
    return (slice(start, start + width) for start in range(0, max(number, 1), width))


def weighted_sums(weights: np.ndarray, scores: np.ndarray) -> Float[np.ndarray, "row edge"]:
    """weights @ scores in float64, in column blocks."""
    blocks = (scores[:, part].astype(np.float64) for part in columns(scores.shape[1]))
    return np.concatenate([weights @ block for block in blocks], axis=1)


def membership(units: Int[np.ndarray, " example"], dtype: type | np.dtype = np.float64):
    """1 where an example belongs to a unit, [unit, example]: its product with scores sums them."""
    return (np.arange(units.max() + 1)[:, None] == units).astype(dtype)


def from_counts(
    counts: Shaped[np.ndarray, "replicate unit"],
    units: Int[np.ndarray, " example"],
    *,
    scheme: str = "",
    unit: str = "",
    size: float | None = None,
) -> Resamples:
    """Resamples in which every example carries the multiplicity of its unit, renormalised."""
    counts = np.asarray(counts, dtype=np.float32)
    weights = counts[:, units]
    total = weights.sum(axis=1, keepdims=True, dtype=np.float64)
    np.divide(weights, total, out=weights, where=total > 0)
    return Resamples(weights, counts, scheme, unit, counts.shape[1] if size is None else size)


def _scheme(name: str, n: int, replicates: int, clusters: Clusters, least: int = 2):
    """(number of units, `from_counts` of these units under this name)."""
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}; {name} needs at least 1")
    units = unit_of_example(n, clusters)
    number, unit = int(units.max()) + 1, "prompt" if clusters is None else "template"
    if number < least:
        mend = "add prompts" if clusters is None else "resample prompts (clusters=None) instead"
        raise ValueError(f"{name} needs at least {least} {unit}s and got {number}; {mend}")
    return number, partial(from_counts, units=units, scheme=name, unit=unit)


def bootstrap(n: int, replicates: int, *, rng: Generator, clusters: Clusters = None) -> Resamples:
    """Draw as many units as there are, with replacement.

    >>> r = bootstrap(5, 3, rng=np.random.default_rng(0))
    >>> r.counts.sum(axis=1).tolist()
    [5.0, 5.0, 5.0]
    """
    number, resamples = _scheme("bootstrap", n, replicates, clusters)
    return resamples(_with_replacement(number, replicates, rng))


def _with_replacement(number: int, replicates: int, rng: Generator):
    """How often each of `number` units is drawn, [replicate, unit]."""
    drawn = rng.integers(number, size=(replicates, number))
    flat = (drawn + number * np.arange(replicates)[:, None]).ravel()
    return np.bincount(flat, minlength=replicates * number).reshape(replicates, number)


def stratified_bootstrap(
    n: int, replicates: int, *, strata: Sequence[object], rng: Generator
) -> Resamples:
    """Bootstrap prompts within each stratum, keeping stratum sizes: templates held fixed."""
    group = unit_of_example(n, strata)
    counts = np.zeros((replicates, n), dtype=np.float32)
    for stratum in range(int(group.max()) + 1):
        inside = np.flatnonzero(group == stratum)
        counts[:, inside] = _with_replacement(len(inside), replicates, rng)
    return from_counts(counts, np.arange(n), scheme="stratified bootstrap", unit="prompt")


def poisson(n: int, replicates: int, *, rng: Generator, clusters: Clusters = None) -> Resamples:
    """Independent Poisson(1) multiplicities, renormalised; rows without any unit are redrawn."""
    number, resamples = _scheme("poisson bootstrap", n, replicates, clusters)
    counts = rng.poisson(1.0, size=(replicates, number))
    while (empty := counts.sum(axis=1) == 0).any():
        counts[empty] = rng.poisson(1.0, size=(int(empty.sum()), number))
    return resamples(counts)


def bayesian(n: int, replicates: int, *, rng: Generator, clusters: Clusters = None) -> Resamples:
    """Dirichlet(1, ..., 1) weights (Rubin 1981)."""
    number, resamples = _scheme("bayesian bootstrap", n, replicates, clusters)
    counts = rng.standard_exponential(size=(replicates, number))
    return resamples(counts * (number / counts.sum(axis=1, keepdims=True)))


def half_samples(
    n: int, replicates: int, *, rng: Generator, clusters: Clusters = None
) -> Resamples:
    """Random halves without replacement.

    They overlap, so their agreement is that of the bootstrap; `complementary_halves` are unbiased.
    """
    number, resamples = _scheme("half samples", n, replicates, clusters)
    half = number // 2
    return resamples(subset_counts(number, replicates, half, rng=rng) * (number / half), size=half)


def complementary_halves(
    n: int, pairs: int, *, rng: Generator, clusters: Clusters = None
) -> Resamples:
    """Rows 2r and 2r+1 are the two disjoint halves of pair r.

    The only halves whose agreement is unbiased for fresh samples of half the size.
    """
    number, resamples = _scheme("complementary halves", n, pairs, clusters)
    first = subset_counts(number, pairs, number // 2, rng=rng)
    counts = np.stack([first, 1 - first], axis=1).reshape(2 * pairs, number)
    counts *= number / counts.sum(axis=1, keepdims=True)
    return resamples(counts, size=number / 2)


def disjoint_blocks(n: int, size: int, *, rng: Generator, clusters: Clusters = None) -> Resamples:
    """Randomly ordered units cut into floor(units / size) disjoint blocks.

    Independent samples of that size, so their agreement is unbiased.
    """
    number, resamples = _scheme(f"blocks of {size}", n, 1, clusters, least=2 * max(size, 1))
    blocks = number // size
    counts = np.zeros((blocks, number), dtype=np.float32)
    order = rng.permutation(number)[: blocks * size]
    counts[np.repeat(np.arange(blocks), size), order] = 1
    return resamples(counts, size=size)


def deletions(
    n: int, replicates: int, p_delete: float, *, rng: Generator, clusters: Clusters = None
) -> Resamples:
    """Delete each unit independently with probability `p_delete`.

    A replicate that lost every unit keeps zero weights: it must select nothing.
    """
    if not 0 < p_delete < 1:
        raise ValueError(f"p_delete is {p_delete}; it is a probability between 0 and 1")
    number, resamples = _scheme(f"delete {p_delete:g}", n, replicates, clusters, least=1)
    kept = rng.random((replicates, number)) >= p_delete
    return resamples(kept, size=number * (1 - p_delete))


def subset_counts(units: int, replicates: int, size: int, *, rng: Generator) -> Counts:
    """0/1 rows with exactly `size` ones, uniform over subsets."""
    if not 1 <= size <= units:
        raise ValueError(f"cannot take {size} of {units} units; choose between 1 and {units}")
    order = rng.permuted(np.broadcast_to(np.arange(units), (replicates, units)), axis=1)
    counts = np.zeros((replicates, units), dtype=np.float32)
    np.put_along_axis(counts, order[:, :size], 1.0, axis=1)
    return counts


def template_means(
    scores: Float[np.ndarray, "example edge"], templates: tuple[str, ...]
) -> tuple[Float[np.ndarray, "run edge"], tuple[str, ...]]:
    """Mean score per template, and the template ids in alphabetical order."""
    names = tuple(sorted(set(templates)))
    label = np.array(templates)
    rows = [scores[label == name].mean(axis=0, dtype=np.float64) for name in names]
    return np.stack(rows), names
