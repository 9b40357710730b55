"""Build a checked probing set from arrays.

Activations stay where they are (array, memory map, tensor on disk); they are read a chunk of
units at a time. Clusters are the independent draws: prompts, templates or images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data.array_files import open_array
from circuitvar.audit.neurons.data.types import ProbingSet


def as_numpy(array: Any) -> np.ndarray:
    """View numpy arrays, memory maps and CPU or device tensors as numpy, copying only off-device.

    >>> as_numpy([1, 2]).shape
    (2,)
    """
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        if str(array.dtype) == "torch.bfloat16":
            array = array.float()
        return array.numpy()
    return np.asarray(array)


def probing_set(
    acts: Any,
    concepts: Any,
    *,
    groups: Any = None,
    strata: Any = None,
    weights: Any = None,
    units: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> ProbingSet:
    """Check and label the arrays of a neuron audit.

    Each array may be the path of a `.npy` or one-tensor `.safetensors` file (see `open_array`).

    Parameters
    ----------
    acts
        `[sample, unit]` activations, finite.
    concepts
        `[sample, concept]` presence in [0, 1] (labels or probabilities).
    groups
        `[sample]` cluster label (prompt, image); each row its own cluster by default.
    strata
        `[sample]` stratum label (template), constant within a cluster.
    weights
        `[sample]` non-negative weights; equal to repeating rows when integer.

    Raises
    ------
    ValueError
        Shapes disagree, concepts leave [0, 1], or a cluster spans two strata.

    >>> probing_set([[0.0], [1.0]], [[0], [1]]).n_groups
    2
    """
    acts, concepts, groups, strata, weights = (
        open_array(part) if isinstance(part, str | Path) else part
        for part in (acts, concepts, groups, strata, weights)
    )
    acts = acts if hasattr(acts, "shape") else np.asarray(acts)
    if len(acts.shape) != 2 or 0 in acts.shape:
        raise ValueError(
            f"acts have shape {tuple(acts.shape)}; pass a non-empty [sample, unit] array."
        )
    n_samples, n_units = map(int, acts.shape)
    matrix = np.ascontiguousarray(as_numpy(concepts), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[0] != n_samples:
        raise ValueError(
            f"concepts have shape {matrix.shape} but acts have {n_samples} samples; "
            "pass concepts as [sample, concept]."
        )
    names = _names(names, matrix.shape[1], "concept")
    bad = np.flatnonzero(~((matrix >= 0) & (matrix <= 1)).all(axis=0))
    if len(bad):
        raise ValueError(
            f"concept {names[bad[0]]!r} has values outside [0, 1] or NaN; "
            "rescale it to a probability or a 0/1 label."
        )
    codes, _ = _codes(groups, np.arange(n_samples), "groups")
    row_strata, stratum_names = _codes(strata, np.full(n_samples, "all"), "strata")
    cluster_strata = np.zeros(codes.max() + 1, dtype=np.int64)
    cluster_strata[codes] = row_strata
    spanning = np.flatnonzero(cluster_strata[codes] != row_strata)
    if len(spanning):
        raise ValueError(
            f"the cluster of sample {spanning[0]} spans two strata; strata must be constant within "
            "groups."
        )
    w = np.ones(n_samples) if weights is None else as_numpy(weights).astype(np.float64)
    if w.shape != (n_samples,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise ValueError("weights must be finite, non-negative, [sample], and not all zero.")
    return ProbingSet(
        acts=acts,
        concepts=matrix,
        groups=codes,
        strata=cluster_strata,
        weights=w,
        units=_names(units, n_units, "unit"),
        names=names,
        strata_names=tuple(map(str, stratum_names)),
    )


def unit_chunks(
    data: ProbingSet, size: int
) -> Iterator[tuple[slice, Float[np.ndarray, "sample unit"]]]:
    """Read activations `size` units at a time as float32, stopping at NaN or infinity."""
    for start in range(0, data.n_units, size):
        units = slice(start, min(start + size, data.n_units))
        block = np.array(as_numpy(data.acts[:, units]), dtype=np.float32)
        bad = np.flatnonzero(~np.isfinite(block).all(axis=0))
        if len(bad):
            name = data.units[start + bad[0]]
            raise ValueError(
                f"unit {name!r} has NaN or infinite activations; drop those samples or that unit."
            )
        yield units, block


def take_samples(data: ProbingSet, rows: Int[np.ndarray, " row"]) -> ProbingSet:
    """The probing set of some rows; clusters are renumbered, empty ones dropped."""
    kept, codes = np.unique(data.groups[rows], return_inverse=True)
    return replace(
        data,
        acts=as_numpy(data.acts)[rows],
        concepts=data.concepts[rows],
        groups=codes,
        strata=data.strata[kept],
        weights=data.weights[rows],
    )


def take_units(data: ProbingSet, units: Int[np.ndarray, " unit"]) -> ProbingSet:
    """The probing set of some units."""
    names = tuple(data.units[int(i)] for i in units)
    return replace(data, acts=as_numpy(data.acts)[:, units], units=names)


def take_concepts(data: ProbingSet, columns: Sequence[int]) -> ProbingSet:
    """The probing set of some concept columns."""
    concepts = np.ascontiguousarray(data.concepts[:, columns])
    return replace(data, concepts=concepts, names=tuple(data.names[c] for c in columns))


def _names(names: Sequence[str] | None, n: int, kind: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{kind}{i}" for i in range(n))
    if len(names) != n or len(set(names)) != n:
        raise ValueError(f"{len(names)} {kind} names for {n} columns; pass {n} different names.")
    return tuple(map(str, names))


def _codes(labels: Any, default: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Code of each sample, and what the codes stand for."""
    array = default if labels is None else as_numpy(labels)
    if array.shape != default.shape:
        raise ValueError(
            f"{kind} have shape {array.shape}; pass one label per sample ({len(default)})."
        )
    names, codes = np.unique(array, return_inverse=True)
    return codes, names
