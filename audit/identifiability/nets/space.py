"""How many circuits there are to choose from: exact sizes of the three spaces.

A topology keeps edges so that every input has an out-edge, the output an in-edge, and a hidden
node has an in-edge exactly when it has an out-edge. The released code of arXiv 2502.20914 visits
fewer: it drops every circuit that uses all hidden nodes, and from width 4 on it also drops the
dense ones, by a cut that changes with the width. Counts from different spaces do not compare.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import comb

from circuitvar.audit.identifiability.nets.types import SPACES, Space

Distribution = dict[tuple[int, int], int]
"""(active edges, active hidden nodes) -> number of topologies, exact Python integers."""


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
        raise ValueError(f"unknown space {space!r}; use one of {', '.join(SPACES)}")
    total = sum(widths[1:-1])
    if space == "whole":
        return True
    inactive = total - active
    width = max(widths[1:-1])
    tenths = 0 if space == "node rule" or width <= 3 else 2 if width == 4 else 3
    return 10 * inactive > tenths * total


def topologies_by_size(widths: Sequence[int]) -> Distribution:
    """Number of topologies by active edges and active hidden nodes, by a pass over the layers."""
    state = Counter({(widths[0], 0, 0): 1})
    for layer, width in enumerate(widths[1:], start=1):
        last = layer == len(widths) - 1
        new: Counter[tuple[int, int, int]] = Counter()
        for (before, edges, active), ways in state.items():
            for now in (width,) if last else range(1, width + 1):
                for ones, number in enumerate(_matrices_by_ones(now, before)):
                    if number:
                        key = (now, edges + ones, active + (0 if last else now))
                        new[key] += ways * comb(width, now) * number
        state = new
    out: Counter[tuple[int, int]] = Counter()
    for (_, edges, active), ways in state.items():
        out[edges, active] += ways
    return out


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
    state = Counter({(widths[0], 0): 1})
    for width in widths[1:-1]:
        new: Counter[tuple[int, int]] = Counter()
        for (before, active), ways in state.items():
            for now in range(1, width + 1):
                add = ways * comb(width, now) * matrices_without_empty_lines(now, before)
                new[now, active + now] += add
        state = new
    return sum(w for (_, active), w in state.items() if in_space(space, active, widths))
