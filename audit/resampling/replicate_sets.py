"""From weights and per-example scores to one edge set per replicate, streamed.

W @ S in chunks of replicates, top-k per row, counts and packed bits: no more than one chunk of
scores is alive, so 1000 replicates of 32,491 edges cost about 1 CPU-second and 100 MB, and a
memory-mapped matrix of millions of edges streams through a few gigabytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Scores = Float[np.ndarray, "example edge"]
Selector = Callable[[Float[np.ndarray, "replicate edge"]], Bool[np.ndarray, "replicate edge"]]

_READ_BYTES = 2**28
_COLUMNS = 2**16
_RECENT = 2**15
"""Replicates counted in 16 bits before they are added to the counts."""


class Whole(NamedTuple):
    """What a selection matrix leaves out whose columns are the contested edges only."""

    n_edges: int
    always: int = 0
    """Edges that every run keeps."""


@dataclass(frozen=True, eq=False)
class RunSets:
    """Edge sets of many runs, one bit per run and edge."""

    packed: UInt8[np.ndarray, "run byte"]
    counts: Int[np.ndarray, " edge"]
    """Runs that keep each edge."""

    @property
    def runs(self) -> int:
        """Number of edge sets."""
        return len(self.packed)

    @property
    def n_edges(self) -> int:
        """Edges that could be kept."""
        return len(self.counts)

    @property
    def inclusion(self) -> Float[np.ndarray, " edge"]:
        """Share of runs that keep each edge."""
        return self.counts / self.runs

    @cached_property
    def sizes(self) -> Int[np.ndarray, " run"]:
        """Edges that each run keeps."""
        return np.bitwise_count(self.packed).sum(axis=1, dtype=np.int64)

    @cached_property
    def contested(self) -> Int[np.ndarray, " column"]:
        """Edges that some runs keep and others do not; only these carry information."""
        return np.flatnonzero((self.counts > 0) & (self.counts < self.runs))

    @property
    def compact(self) -> tuple[Bool[np.ndarray, "run column"], Whole]:
        """Selection matrix of the contested edges, and what it leaves out."""
        return self.masks(self.contested), Whole(
            self.n_edges, int((self.counts == self.runs).sum())
        )

    def masks(
        self, columns: Int[np.ndarray, " column"] | None = None
    ) -> Bool[np.ndarray, "run column"]:
        """Selection matrix of the given edges; None is all of them."""
        if columns is None:
            return np.unpackbits(self.packed, axis=1, count=self.n_edges).astype(bool)
        shift = (7 - (columns & 7)).astype(np.uint8)
        return ((self.packed[:, columns >> 3] >> shift) & 1).astype(bool)


def pack(masks: Bool[np.ndarray, "run edge"]) -> RunSets:
    """RunSets of a selection matrix."""
    masks = np.asarray(masks, dtype=bool)
    return RunSets(np.packbits(masks, axis=1), masks.sum(axis=0, dtype=np.int64))


def _top_k_row(value, size: int, mask, guess: float) -> float:
    """Write the top-k mask of one row of what is ranked and return the cut.

    Replicates have similar cuts, so a `guess` below this row's cut leaves few values to partition;
    a guess above it is noticed and costs one pass.
    """
    if size >= len(value):
        np.not_equal(value, 0, out=mask)
        return -np.inf
    few = value[np.flatnonzero(value >= guess)] if guess > -np.inf else value
    if len(few) < size:
        few = value
    cut = np.partition(few, len(few) - size)[len(few) - size]
    np.greater_equal(value, cut, out=mask)
    surplus = int(np.count_nonzero(mask)) - size
    if surplus > 0:
        mask[np.flatnonzero(value == cut)[-surplus:]] = False
    if cut <= 0:
        mask &= value != 0
    return float(cut)


def replicate_sets(
    scores: Scores,
    weights: Float[np.ndarray, "replicate example"],
    *,
    size: int | Selector,
    signed: bool = False,
    chunk: int | None = None,
    memory_mb: float = 64.0,
) -> RunSets:
    """Edge set of every replicate: what is selected from weights @ scores, row by row.

    `size`: edges to keep by |score|, or by score with `signed` (`find.top_n_masks`); or any rule
    from scores [replicate, edge] to masks. `chunk` replicates are alive at a time, by default as
    many as fit `memory_mb`. float32 products may move an edge that is tied to about 1e-6 across the
    cut between BLAS builds; pass float64 scores where that matters. Rows of zero weight keep
    nothing. A `numpy.memmap` is streamed from disk; give it a large `memory_mb`, one pass per
    chunk.

    Raises
    ------
    ValueError
        On shapes that do not fit, a size outside 1..E, or scores that are not finite.
    """
    _check(scores, weights, size)
    n_edges = scores.shape[1]
    if chunk is None:
        chunk = max(1, int(memory_mb * 2**20 / (max(n_edges, 1) * scores.dtype.itemsize)))
    dtype = np.result_type(scores.dtype, np.float32)
    weights = np.asarray(weights, dtype=dtype)
    buffer = np.empty((min(chunk, len(weights)), n_edges), dtype=dtype)
    packed = np.empty((len(weights), -(-n_edges // 8)), dtype=np.uint8)
    mask = np.empty(n_edges, dtype=bool)
    counts, recent = np.zeros(n_edges, dtype=np.int64), np.zeros(n_edges, dtype=np.uint16)
    guess = -np.inf
    for start in range(0, len(weights), chunk):
        block = weights[start : start + chunk]
        with np.errstate(invalid="ignore"):  # 0 * inf: reported by name just below
            means = _product(block, scores, out=buffer[: len(block)])
            _require_finite(means, scores)
        chosen = size(means) & np.any(block, axis=1, keepdims=True) if callable(size) else None
        if chosen is None and not signed:
            np.abs(means, out=means)
        for i, row in enumerate(means):
            if chosen is not None:
                mask = chosen[i]
            elif not callable(size):
                guess = 0.9 * _top_k_row(row, size, mask, guess)
            recent += mask.view(np.uint8)
            packed[start + i] = np.packbits(mask)
            if i % _RECENT == _RECENT - 1 or i == len(means) - 1:
                counts += recent
                recent[:] = 0
    return RunSets(packed, counts)


def _product(block, scores, *, out):
    """block @ scores; a memory-mapped matrix is read in order, a few rows at a time."""
    if not isinstance(scores, np.memmap):
        return np.matmul(block, scores, out=out)
    out[:] = 0
    n, n_edges = scores.shape
    rows = max(1, _READ_BYTES // (n_edges * scores.dtype.itemsize))
    for start in range(0, n, rows):
        read = np.array(scores[start : start + rows])
        weights = block[:, start : start + rows]
        for left in range(0, n_edges, _COLUMNS):
            out[:, left : left + _COLUMNS] += weights @ read[:, left : left + _COLUMNS]
    return out


def _check(scores, weights, size) -> None:
    if scores.ndim != 2 or weights.ndim != 2 or weights.shape[1] != scores.shape[0]:
        raise ValueError(
            f"weights {weights.shape} do not fit scores {scores.shape}; "
            "pass weights [replicate, example] and scores [example, edge]"
        )
    if not callable(size) and not 1 <= size <= scores.shape[1]:
        raise ValueError(
            f"size is {size}; a circuit keeps between 1 and {scores.shape[1]} edges of this graph"
        )


def _require_finite(means, scores) -> None:
    """One NaN spoils every mean that touches it, so the means are enough to detect it."""
    with np.errstate(over="ignore"):
        total = means.sum()
    if np.isfinite(total) or np.isfinite(means).all():
        return
    column = int(np.flatnonzero(~np.isfinite(means).all(axis=0))[0])
    bad = np.flatnonzero(~np.isfinite(scores[:, column]))
    where = f"example {int(bad[0])}, edge {column}" if len(bad) else f"edge {column}"
    raise ValueError(f"scores are not finite at {where}; drop that example or fix the method")
