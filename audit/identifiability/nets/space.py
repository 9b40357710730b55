"""How many circuits there are to choose from: exact sizes of the three spaces, uniform draws.

A topology keeps edges so that every input has an out-edge, the output an in-edge, and a hidden
node has an in-edge exactly when it has an out-edge. The released code of arXiv 2502.20914 visits
fewer: it drops every circuit that uses all hidden nodes, and from width 4 on it also drops the
dense ones, by a cut that changes with the width. Counts from different spaces do not compare.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from math import comb

import numpy as np
from jaxtyping import Bool

from circuitvar.audit.identifiability.nets.boolean_net import layer_masks
from circuitvar.audit.identifiability.nets.types import SPACES, Space
from circuitvar.tasks.lookup import unknown

Distribution = dict[tuple[int, int], int]
"""(active edges, active hidden nodes) -> number of topologies, exact Python integers."""
MAX_EDGES = 20
"""Most edges of a net whose topologies are listed one by one."""


def matrices_without_empty_lines(p: int, q: int) -> int:
    """Number of p x q 0/1 matrices with no zero row and no zero column.

    N(p, q) = sum_j (-1)^(q-j) C(q, j) (2^j - 1)^p

    >>> matrices_without_empty_lines(2, 2)
    7
    """
    return sum((-1) ** (q - j) * comb(q, j) * (2**j - 1) ** p for j in range(q + 1))


@lru_cache(maxsize=4096)
def _matrices_by_ones(p: int, q: int) -> tuple[int, ...]:
    """The same number, split by the number of ones."""
    return tuple(
        sum(
            (-1) ** (p - i + q - j) * comb(p, i) * comb(q, j) * comb(i * j, ones)
            for i in range(p + 1)
            for j in range(q + 1)
        )
        for ones in range(p * q + 1)
    )


def in_space(space: Space, active: int, widths: Sequence[int]) -> bool:
    """Whether circuits with `active` hidden nodes belong to `space` for a net of these widths.

    The released cut is strict and on inactive/total: above 0.2 at width 4 and above 0.3 from
    width 5; integers are compared because 1 - active/total rounds to the wrong side.

    >>> in_space("paper", 7, (2, 5, 5, 1)), in_space("paper", 6, (2, 5, 5, 1))
    (False, True)
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    total = sum(widths[1:-1])
    if space == "whole":
        return True
    inactive = total - active
    width = max(widths[1:-1])
    tenths = 0 if space == "node rule" or width <= 3 else 2 if width == 4 else 3
    return 10 * inactive > tenths * total


def topologies_by_size(widths: Sequence[int]) -> Distribution:
    """Number of topologies by active edges and active hidden nodes, by a pass over the layers."""
    return _pass_over_layers(widths, _matrices_by_ones)


def count_topologies(widths: Sequence[int], space: Space = "whole") -> int:
    """Number of topologies of a net with one output, exact for any width.

    Raises
    ------
    ValueError
        More than one output, a layer without units, an unknown space.

    >>> count_topologies((2, 3, 3, 1)), count_topologies((2, 3, 3, 1), "paper")
    (9625, 3000)
    """
    if len(widths) < 3 or min(widths) < 1 or widths[-1] != 1:
        raise ValueError(
            f"widths {tuple(widths)} need inputs, at least one hidden layer and one output"
        )
    # Edges do not matter here, so the cheap count per layer pair replaces the one by size.
    cheap = _pass_over_layers(widths, lambda p, q: (matrices_without_empty_lines(p, q),))
    return sum(by_edges(cheap, space, widths).values())


def _pass_over_layers(
    widths: Sequence[int], matrices: Callable[[int, int], Sequence[int]]
) -> Distribution:
    """`matrices`: (active nodes after, before) -> number of edge choices by edges."""
    state = Counter({(widths[0], 0, 0): 1})
    for layer, width in enumerate(widths[1:], start=1):
        last = layer == len(widths) - 1
        new: Counter[tuple[int, int, int]] = Counter()
        for (before, edges, active), ways in state.items():
            for now in (width,) if last else range(1, width + 1):
                for more, number in enumerate(matrices(now, before)):
                    if number:
                        key = (now, edges + more, active + (0 if last else now))
                        new[key] += ways * comb(width, now) * number
        state = new
    return {(edges, active): ways for (_, edges, active), ways in state.items()}


def by_edges(table: Distribution, space: Space, widths: Sequence[int]) -> Counter[int]:
    """The part of a distribution inside a space: active edges -> number, fewest edges first."""
    out: Counter[int] = Counter()
    for (edges, active), number in sorted(table.items()):
        if in_space(space, active, widths):
            out[edges] += number
    return out


def all_topologies(widths: Sequence[int]) -> Bool[np.ndarray, "circuit edge"]:
    """Every topology of a small net with one output, one row each.

    Kept are the edge masks where each input has an out-edge, the output an in-edge, and each
    hidden node an in-edge exactly when it has an out-edge.

    Raises
    ------
    ValueError
        More than 20 edges.

    >>> len(all_topologies((2, 2, 2, 1)))
    69
    """
    n_edges = sum(a * b for a, b in pairwise(widths))
    if n_edges > MAX_EDGES:
        raise ValueError(
            f"{n_edges} edges give 2^{n_edges} masks; brute force stops at {MAX_EDGES} edges, "
            "use count_valid or list_valid"
        )
    bits = np.arange(2**n_edges)[:, None] >> np.arange(n_edges)
    kept = (bits & 1).astype(bool)
    return kept[is_topology(kept, widths)]


def is_topology(
    kept: Bool[np.ndarray, "circuit edge"], widths: Sequence[int]
) -> Bool[np.ndarray, " circuit"]:
    """Whether each mask meets the conditions on its nodes."""
    masks = layer_masks(kept, widths)
    fine = np.asarray(masks[0].any(axis=1)).all(axis=1)
    fine &= np.asarray(masks[-1].any(axis=2)).all(axis=1)
    for before, after in pairwise(masks):
        fine &= (before.any(axis=2) == after.any(axis=1)).all(axis=1)
    return np.asarray(fine)


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
