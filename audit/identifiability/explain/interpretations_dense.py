"""Interpretations of many small circuits at once: all threshold choices as arrays.

The same number as the pass over layers in `interpretations`, for nets of at most 3 units in each
of two hidden layers and at most 4 input rows. A table is a function of its parents' tables when
every two rows on which it differs are told apart by some parent, so tables are compared through
the set of row pairs on which they differ.
"""

from functools import lru_cache
from itertools import combinations, product

import numpy as np
from jaxtyping import Bool, Int

MAX_ROWS, MAX_WIDTH = 4, 3
"""Beyond, the arrays grow with the product of all thresholds, and completions past 64 bits."""


def fits(widths: tuple[int, ...], n_rows: int) -> bool:
    """Whether this way of counting applies."""
    return len(widths) == 4 and max(widths[1:-1]) <= MAX_WIDTH and n_rows <= MAX_ROWS


def count_dense(
    tables: tuple[tuple[np.ndarray, np.ndarray], ...],
    target: Int[np.ndarray, " circuit"],
    masks: tuple[Bool[np.ndarray, "circuit _dst _src"], ...],
    n_rows: int,
) -> tuple[Int[np.ndarray, " circuit"], Int[np.ndarray, " circuit"]]:
    """(completed, open) per circuit.

    `tables`: per hidden layer, the table codes [circuit unit gap] and which of them are
    thresholds at all; `target`: code of the output's table; `masks`: edges per layer.
    """
    (code1, real1), (code2, real2) = (
        _idle(codes, real, mask) for (codes, real), mask in zip(tables, masks, strict=False)
    )
    chosen, possible = _combinations(code1, real1)
    gates = _gates(chosen, masks[1], code2[:, None], n_rows)  # circuit choice unit gap
    idle = ~np.any(masks[1], axis=2)
    gates = np.where(idle[:, None, :, None], 1, gates) * real2[:, None]
    completed, opened = possible[:, :, None].astype(np.int64), possible[:, :, None]
    for unit in range(code2.shape[1]):
        ways = gates[:, :, unit, None, :]
        shape = (*possible.shape, completed.shape[2] * code2.shape[2])
        completed = (completed[..., None] * ways).reshape(shape)
        opened = (opened[..., None] & (ways > 0)).reshape(shape)
    later, _ = _combinations(code2, real2)
    last = _gates(later, masks[2], target[:, None, None, None], n_rows)[:, :, 0, 0]
    return (
        (completed.sum(axis=1) * last).sum(axis=1),
        (opened.sum(axis=1) * (last > 0)).sum(axis=1),
    )


def _idle(codes: np.ndarray, real: np.ndarray, mask: np.ndarray):
    """A unit outside the circuit gets one choice, whose table nobody reads."""
    idle = ~np.any(mask, axis=2)[:, :, None]
    first = np.arange(codes.shape[2]) == 0
    return np.where(idle, 0, codes), np.where(idle, first, real)


def _combinations(codes: np.ndarray, real: np.ndarray):
    """Tables [circuit choice unit] of every choice of thresholds, and whether all of them exist."""
    units, gaps = codes.shape[1:]
    at = np.array(list(product(range(gaps), repeat=units)))
    every = np.arange(units)
    return codes[:, every, at], np.all(real[:, every, at], axis=2)


def _gates(
    parents: np.ndarray, mask: np.ndarray, tables: np.ndarray, n_rows: int
) -> Int[np.ndarray, "circuit choice unit gap"]:
    """Local gates that give each table from its parents' tables; 0 where there is none."""
    differs, patterns = _pairs(n_rows)
    reads = mask[:, None]  # circuit choice unit parent
    apart = np.bitwise_or.reduce(np.where(reads, differs[parents][:, :, None], 0), axis=3)
    number = mask.sum(axis=2)[:, None]
    ways = (1 << ((1 << number) - patterns[apart]))[..., None]
    consistent = (differs[tables] & ~apart[..., None]) == 0
    # A gate of two parents may not be XOR or XNOR; either is one of the completions it allows.
    xor = np.bitwise_xor.reduce(np.where(reads, parents[:, :, None], 0), axis=3)[..., None]
    barred = (tables == xor) | (tables == xor ^ (2**n_rows - 1))
    return np.where(consistent, ways - (barred & (number == 2)[..., None]), 0)


@lru_cache(maxsize=4)
def _pairs(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Table -> set of row pairs it tells apart; such a set -> number of row patterns."""
    pairs = list(combinations(range(n_rows), 2))
    differs = np.array(
        [
            sum(((t >> r ^ t >> s) & 1) << i for i, (r, s) in enumerate(pairs))
            for t in range(2**n_rows)
        ]
    )
    patterns = np.array(
        [
            sum(
                all(apart >> i & 1 for i, (_, s) in enumerate(pairs) if s == row)
                for row in range(n_rows)
            )
            for apart in range(2 ** len(pairs))
        ]
    )
    return differs, patterns
