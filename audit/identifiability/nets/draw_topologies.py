"""Exact uniform draws from the whole space of topologies, for any width and depth."""

from collections.abc import Sequence
from math import comb

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.nets.space import (
    count_topologies,
    matrices_without_empty_lines,
)


def draw_topologies(
    widths: Sequence[int], n: int, *, rng: np.random.Generator
) -> Bool[np.ndarray, "draw edge"]:
    """`n` independent topologies, each of the whole space equally likely.

    Layer by layer: the number of active nodes with probability proportional to the number of
    topologies that have it, then which nodes, then their edges (rows drawn non-empty, redrawn
    until no column is empty).

    Raises
    ------
    ValueError
        More than one output, or a layer wider than 62.
    """
    count_topologies(widths)  # Says what is wrong with the widths.
    if max(widths) > 62:
        raise ValueError(f"widths {tuple(widths)}: layers wider than 62 are not supported")
    ahead = _ways_ahead(widths)
    before = np.ones((n, widths[0]), dtype=bool)
    blocks = []
    for layer, width in enumerate(widths[1:-1], start=1):
        now = np.zeros((n, width), dtype=bool)
        edges = np.zeros((n, width, widths[layer - 1]), dtype=bool)
        used = before.sum(axis=1)
        for a in np.unique(used):
            rows = np.flatnonzero(used == a)
            ways = [
                comb(width, b) * matrices_without_empty_lines(b, int(a)) * ahead[layer][b]
                for b in range(1, width + 1)
            ]
            share = np.array([w / sum(ways) for w in ways])
            active = 1 + rng.choice(width, size=len(rows), p=share / share.sum())
            for b in np.unique(active):
                some = rows[active == b]
                now[some] = _subsets(len(some), width, int(b), rng)
                matrix = _matrices(len(some), int(b), int(a), rng)
                _at, dst = np.nonzero(now[some])
                dst = dst.reshape(len(some), b)
                src = np.nonzero(before[some])[1].reshape(len(some), a)
                edges[some[:, None, None], dst[:, :, None], src[:, None, :]] = matrix
        blocks.append(edges.reshape(n, -1))
        before = now
    return np.column_stack([*blocks, before])


def _ways_ahead(widths: Sequence[int]) -> list[dict[int, int]]:
    """Per layer: active nodes there -> topologies of the layers after it."""
    ahead: list[dict[int, int]] = [{} for _ in widths]
    ahead[-2] = {b: 1 for b in range(1, widths[-2] + 1)}
    for layer in range(len(widths) - 3, 0, -1):
        nxt = widths[layer + 1]
        ahead[layer] = {
            a: sum(
                comb(nxt, b) * matrices_without_empty_lines(b, a) * ahead[layer + 1][b]
                for b in range(1, nxt + 1)
            )
            for a in range(1, widths[layer] + 1)
        }
    return ahead


def _subsets(n: int, width: int, size: int, rng: np.random.Generator) -> np.ndarray:
    rank = rng.random((n, width)).argsort(axis=1).argsort(axis=1)
    return rank < size


def _matrices(n: int, dst: int, src: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n uniform dst x src 0/1 matrices without empty rows or columns."""
    full = 2**src - 1
    rows = np.zeros((0, dst), dtype=np.int64)
    while len(rows) < n:
        draw = rng.integers(1, full + 1, size=(2 * (n - len(rows)) + 16, dst))
        rows = np.concatenate([rows, draw[np.bitwise_or.reduce(draw, axis=1) == full]])
    return (rows[:n, :, None] >> np.arange(src) & 1).astype(bool)
