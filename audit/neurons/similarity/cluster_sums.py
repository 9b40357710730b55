"""Sums per cluster: computed once, they turn a cluster bootstrap into one matrix product.

Every moment metric is a function of sums over samples. With the sums of each cluster g in
`T[cluster, concept, unit]`, all K bootstrap replicates are `W[replicate, cluster] @ T`, so no
replicate touches the activations again.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from circuitvar.audit.neurons.data import Moments, ProbingSet
from circuitvar.audit.neurons.similarity.similarity_metrics import get_similarity

LOG_FLOOR = 1e-8
"""Concept values are clipped here before the logarithm of WPMI, as its source does."""
REPLICATE_BLOCK = 32
"""Replicates per block of element-wise work: a block of 64 units stays in the cache."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Concept columns as sparse maps from samples to (cluster, concept) sums."""

    cluster: sparse.csr_array
    """`[cluster, sample]`: weighted membership."""
    concept: sparse.csr_array
    """`[cluster x concept, sample]`: weight times concept value."""
    log: sparse.csr_array | None
    """The same with log P(concept); None unless WPMI is asked for."""
    values: Float[np.ndarray, "sample concept"]
    sizes: Float[np.ndarray, " cluster"]
    """Total weight of each cluster."""


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """Sums of one chunk of units per cluster; field names as in `Moments`."""

    n: Float[np.ndarray, " cluster"]
    concept: Float[np.ndarray, "cluster concept"]
    concept2: Float[np.ndarray, "cluster concept"]
    active: Float[np.ndarray, "cluster unit"]
    unit: Float[np.ndarray, "cluster unit"]
    unit2: Float[np.ndarray, "cluster unit"]
    both: Float[np.ndarray, "cluster concept unit"] | None
    """None when no metric of interest binarises the unit."""
    cross: Float[np.ndarray, "cluster concept unit"]
    log_both: Float[np.ndarray, "cluster concept unit"] | None
    mean: Float[np.ndarray, " unit"]
    sd: Float[np.ndarray, " unit"]


def concept_columns(data: ProbingSet, *, with_log: bool = False) -> Columns:
    """Lay out the concept columns of a probing set for `cluster_sums`."""
    n_concepts, n_groups = data.n_concepts, data.n_groups
    weights = data.weights.astype(np.float32)
    samples = np.arange(data.n_samples)

    def spread(values: Float[np.ndarray, "sample concept"]) -> sparse.csr_array:
        rows, columns = np.nonzero(values)
        return sparse.csr_array(
            (
                values[rows, columns] * weights[rows],
                (data.groups[rows] * n_concepts + columns, rows),
            ),
            shape=(n_groups * n_concepts, data.n_samples),
        )

    return Columns(
        cluster=sparse.csr_array(
            (weights, (data.groups, samples)), shape=(n_groups, data.n_samples)
        ),
        concept=spread(data.concepts),
        log=spread(np.log(np.clip(data.concepts, LOG_FLOOR, 1.0))) if with_log else None,
        values=data.concepts,
        sizes=np.bincount(data.groups, weights=data.weights, minlength=n_groups),
    )


def active_rows(
    block: Float[np.ndarray, "sample unit"],
    *,
    quantile: float | None,
    threshold: float,
    weights: Float[np.ndarray, " sample"] | None = None,
) -> Bool[np.ndarray, "sample unit"]:
    """Where each unit counts as active: above its own upper `quantile`, else above `threshold`.

    The comparison is strict: ties at the quantile stay inactive, unless they are the maximum of
    the unit; then all of them are active, more than `quantile` of the samples if need be (saturated
    and two-valued units). A constant unit is never active. An in-sample quantile is not fixed
    beforehand; `bounds` says what that costs. With `weights` it is that of the weighted samples.
    """
    if quantile is None:
        return block > threshold
    if not 0 < quantile < 1:
        raise ValueError(f"active quantile is {quantile}; pass a share of samples in (0, 1).")
    active = block > _upper_quantile(block, quantile, weights)
    top = block.max(axis=0)
    tied = ~active.any(axis=0) & (top > block.min(axis=0))
    active[:, tied] = block[:, tied] == top[tied]
    return active


def _upper_quantile(
    block: Float[np.ndarray, "sample unit"],
    quantile: float,
    weights: Float[np.ndarray, " sample"] | None,
) -> Float[np.ndarray, " unit"]:
    """Smallest value of each unit that at least a share 1 - quantile does not exceed."""
    if weights is None or (weights == weights[0]).all():
        rank = max(min(math.ceil((1 - quantile) * len(block) - 1e-9), len(block)) - 1, 0)
        return np.partition(np.ascontiguousarray(block.T), rank, axis=1)[:, rank]
    order = np.argsort(block, axis=0, kind="stable")
    below = np.cumsum(weights[order], axis=0)
    needed = (1 - quantile) * below[-1] - 1e-9 * weights.max()
    place = np.minimum((below < needed).sum(axis=0), len(block) - 1)
    units = np.arange(block.shape[1])
    return block[order[place, units], units]


def activity(
    block: Float[np.ndarray, "sample unit"],
    metrics: Sequence[str],
    *,
    quantile: float | None,
    threshold: float,
    weights: Float[np.ndarray, " sample"] | None = None,
) -> Bool[np.ndarray, "sample unit"] | None:
    """`active_rows` when a metric binarises the unit, else None, which saves half of the work."""
    if not any(get_similarity(key).thresholded for key in metrics):
        return None
    return active_rows(block, quantile=quantile, threshold=threshold, weights=weights)


def cluster_sums(
    columns: Columns,
    block: Float[np.ndarray, "sample unit"],
    active: Bool[np.ndarray, "sample unit"] | None,
) -> ClusterSums:
    """Sum one chunk of units over the samples of each cluster, concept by concept."""
    mean, scale, z = _standardise(block)
    n_groups, n_units = len(columns.sizes), block.shape[1]
    on = np.zeros((len(block), 0), np.float32) if active is None else active.astype(np.float32)

    def by_concept(matrix: sparse.csr_array, values: np.ndarray) -> np.ndarray:
        return (matrix @ values).reshape(n_groups, -1, n_units)

    binary, values = active is not None, columns.values
    return ClusterSums(
        n=columns.sizes,
        concept=columns.cluster @ values,
        concept2=columns.cluster @ (values * values),
        active=columns.cluster @ on if binary else np.zeros((n_groups, n_units), np.float32),
        unit=columns.cluster @ z,
        unit2=columns.cluster @ (z * z),
        both=by_concept(columns.concept, on) if binary else None,
        cross=by_concept(columns.concept, z),
        log_both=None if columns.log is None or not binary else by_concept(columns.log, on),
        mean=mean,
        sd=scale,
    )


def weighted_moments(
    sums: ClusterSums, weights: Float[np.ndarray, "replicate cluster"]
) -> Iterator[tuple[slice, Moments]]:
    """Moments of every weight vector, in blocks of replicates.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set([[0.0], [1.0], [1.0]], [[0], [1], [0]])
    >>> sums = cluster_sums(concept_columns(data), data.acts.astype(np.float32), data.acts > 0)
    >>> [(_, m)] = weighted_moments(sums, np.ones((1, 3)))
    >>> float(m.both[0, 0, 0])
    1.0
    """
    w = np.ascontiguousarray(weights, dtype=np.float32)
    shape = (w.shape[0], *sums.cross.shape[1:])

    def total(part: np.ndarray) -> np.ndarray:
        return w @ part.astype(np.float32, copy=False)

    def full(part: np.ndarray) -> np.ndarray:
        return (w @ part.reshape(part.shape[0], -1)).reshape(shape)

    every = {
        "n": total(sums.n)[:, None, None],
        **{key: total(getattr(sums, key))[:, None, :] for key in ("active", "unit", "unit2")},
        **{key: total(getattr(sums, key))[:, :, None] for key in ("concept", "concept2")},
        "both": np.broadcast_to(np.float32(0), shape) if sums.both is None else full(sums.both),
        "cross": full(sums.cross),
    }
    log_both = None if sums.log_both is None else full(sums.log_both)
    mean, sd = sums.mean.astype(np.float32), sums.sd.astype(np.float32)
    for start in range(0, len(w), REPLICATE_BLOCK):
        rows = slice(start, min(start + REPLICATE_BLOCK, len(w)))
        some = {key: part[rows] for key, part in every.items()}
        logs = None if log_both is None else log_both[rows]
        yield rows, Moments(**some, log_both=logs, mean=mean, sd=sd)


def sample_moments(
    block: Float[np.ndarray, "sample unit"],
    active: Bool[np.ndarray, "sample unit"] | None,
    concepts: Float[np.ndarray, "sample concept"],
    weights: Float[np.ndarray, " sample"],
    *,
    with_log: bool = False,
) -> Moments:
    """Moments of one weighting straight from the samples: the oracle of `weighted_moments`.

    Without `active`, the sums that thresholded metrics need are zero.
    """
    mean, scale, z = _standardise(block)
    w = weights.astype(np.float32)
    on = np.zeros_like(z) if active is None else active.astype(np.float32)
    weighted = w[:, None] * concepts
    shape = (concepts.shape[1], block.shape[1])
    both = np.broadcast_to(np.float32(0), shape) if active is None else weighted.T @ on
    logs = np.log(np.clip(concepts, LOG_FLOOR, 1.0)) * w[:, None] if with_log else None
    return Moments(
        n=np.full((1, 1, 1), w.sum(), dtype=np.float32),
        active=(w @ on)[None, None, :],
        concept=weighted.sum(axis=0)[None, :, None],
        concept2=(weighted * concepts).sum(axis=0)[None, :, None],
        unit=(w @ z)[None, None, :],
        unit2=(w @ (z * z))[None, None, :],
        both=both[None],
        cross=(weighted.T @ z)[None],
        log_both=None if logs is None else (logs.T @ on)[None],
        mean=mean.astype(np.float32),
        sd=scale.astype(np.float32),
    )


def _standardise(
    block: Float[np.ndarray, "sample unit"],
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "sample unit"]]:
    """Mean, sd (0 for a constant unit) and standardised activations."""
    mean = block.mean(axis=0, dtype=np.float64)
    sd = block.std(axis=0, dtype=np.float64)
    scale = np.where(sd > 1e-7 * np.maximum(np.abs(mean), 1e-30), sd, 0.0)
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    z = (block - mean.astype(np.float32)) * inverse.astype(np.float32)
    return mean, scale, z.astype(np.float32)


def chunk_size(data: ProbingSet, replicates: int) -> int:
    """Units per chunk so that sums and products of one chunk stay near 48 MiB."""
    per_unit = 8 * data.n_concepts * (data.n_groups + replicates) + 8 * data.n_samples
    return int(np.clip(48 * 2**20 // per_unit, 1, 64))
