"""Boolean algorithms for a gate: AND/OR trees over the inputs with NOTs where needed.

The what-then-where strategy of arXiv 2502.20914 starts from this list. An algorithm is counted
once per tree without its NOTs, with the first placement of NOTs (fewest, then earliest node)
that computes the gate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from jaxtyping import Bool

from circuitvar.tasks.language import input_rows, truth_table

Tree = str | tuple
"""An input name, ("*", left, right) for AND, ("+", left, right) for OR, ("not", operand)."""
MAX_TREES = 200_000


@dataclass(frozen=True)
class Algorithm:
    """A Boolean formula; nodes are numbered in preorder, the root is 0."""

    tree: Tree
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        return _text(self.tree)

    @property
    def placeable(self) -> tuple[int, ...]:
        """Nodes a mapping has to place: internal, not the root, not the operand of a NOT."""
        nodes = enumerate(preorder(self.tree))
        return tuple(n for n, (tree, free) in nodes if n and free and not isinstance(tree, str))


def list_algorithms(
    gate: str | Sequence[int], *, height: int = 3, variant: str = "complete"
) -> tuple[Algorithm, ...]:
    """All algorithms for a gate up to a tree height (hidden layers + 1 in the paper).

    The two operands of a node differ and their order does not matter. `variant="paper"` keeps a
    pair of unequal heights only if the taller operand's text sorts first, as the released
    generator does (XOR: 56 of 132); `"complete"` keeps all.

    Raises
    ------
    ValueError
        Unknown variant, a height below 0, more than 200,000 trees.

    >>> len(list_algorithms("xor", variant="paper"))
    56
    >>> [str(a) for a in list_algorithms("and", height=1)]
    ['(A*B)', '¬(¬A+¬B)']
    """
    if variant not in ("complete", "paper") or height < 0:
        raise ValueError(
            f"got variant {variant!r} and height {height}; "
            "use complete or paper and a height of 0 or more"
        )
    table = truth_table(gate)
    n_inputs = int(np.log2(len(table)))
    names = tuple(chr(ord("A") + i) for i in range(n_inputs))
    target = _pack(table)
    values = dict(zip(names, map(_pack, input_rows(n_inputs).T), strict=True))
    found = []
    for tree in chain.from_iterable(_trees(names, height, variant)):
        ways = _negations(tree, 0, values, 2 ** len(table) - 1)
        fits = [(count, nodes) for (t, count), nodes in ways.items() if t == target]
        if fits:
            found.append(Algorithm(_negate(tree, 0, set(min(fits)[1])), names))
    return tuple(found)


def evaluate_tree(
    tree: Tree, values: Mapping[str, np.ndarray], forced: Mapping[int, np.ndarray], node: int = 0
) -> Bool[np.ndarray, "*row"]:
    """Value of a tree; nodes in `forced` take the given values instead of computing theirs."""
    if node in forced:
        return forced[node]
    if isinstance(tree, str):
        return values[tree]
    first = evaluate_tree(tree[1], values, forced, node + 1)
    if tree[0] == "not":
        return ~first
    second = evaluate_tree(tree[2], values, forced, node + 1 + _size(tree[1]))
    return first & second if tree[0] == "*" else first | second


def preorder(tree: Tree, free: bool = True) -> Iterator[tuple[Tree, bool]]:
    """Every subtree in the order of the node numbers, and whether it is no operand of a NOT."""
    yield tree, free
    for operand in () if isinstance(tree, str) else tree[1:]:
        yield from preorder(operand, tree[0] != "not")


@lru_cache(maxsize=2**18)
def _size(tree: Tree) -> int:
    return 1 if isinstance(tree, str) else 1 + sum(_size(t) for t in tree[1:])


@lru_cache(maxsize=2**18)
def _text(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return "¬" + _text(tree[1])
    return f"({_text(tree[1])}{tree[0]}{_text(tree[2])})"


def _bare(tree: Tree) -> str:
    """Text without the outer brackets, which is what the released generator sorts by."""
    text = _text(tree)
    return text[1:-1] if text.startswith("(") else text


def _trees(names: tuple[str, ...], height: int, variant: str) -> list[list[Tree]]:
    """Trees without NOT, by exact height."""
    levels: list[list[Tree]] = [list(names)]
    for h in range(1, height + 1):
        level: list[Tree] = []
        for one in levels[h - 1]:
            for lower in range(h):
                for two in levels[lower]:
                    ordered = variant == "paper" or lower == h - 1
                    if ordered and not _bare(one) < _bare(two):
                        continue
                    level += [("*", one, two), ("+", one, two)]
                if len(level) > MAX_TREES:
                    raise ValueError(
                        f"more than {MAX_TREES} trees of height {h} over {len(names)} inputs; "
                        "lower the height"
                    )
        levels.append(level)
    return levels


def _negations(
    tree: Tree, node: int, values: Mapping[str, int], ones: int
) -> dict[tuple[int, int], tuple[int, ...]]:
    """(truth table, number of NOTs) -> the first set of nodes to negate that gives it."""
    plain: dict[tuple[int, int], tuple[int, ...]] = {}
    if isinstance(tree, str):
        plain[values[tree], 0] = ()
    else:
        left = _negations(tree[1], node + 1, values, ones)
        right = _negations(tree[2], node + 1 + _size(tree[1]), values, ones)
        for (t1, n1), nodes1 in left.items():
            for (t2, n2), nodes2 in right.items():
                key = (t1 & t2 if tree[0] == "*" else t1 | t2, n1 + n2)
                plain[key] = min(plain.get(key, nodes1 + nodes2), nodes1 + nodes2)
    out = dict(plain)
    for (t, n), nodes in plain.items():
        key, candidate = (ones ^ t, n + 1), (node, *nodes)
        out[key] = min(out.get(key, candidate), candidate)
    return out


def _negate(tree: Tree, node: int, chosen: set[int]) -> Tree:
    new = tree
    if not isinstance(tree, str):
        left = _negate(tree[1], node + 1, chosen)
        new = (tree[0], left, _negate(tree[2], node + 1 + _size(tree[1]), chosen))
    return ("not", new) if node in chosen else new


def _pack(table: np.ndarray) -> int:
    return sum(int(v) << r for r, v in enumerate(table))
