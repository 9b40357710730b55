"""How many Boolean readings one circuit has: thresholds per neuron that fit together.

Reading (grounding) as in the code released with arXiv 2502.20914: each gap between consecutive
distinct values of a neuron is a threshold and gives a truth table; a later neuron's table must be
a function of its active parents' tables. Parent patterns that never occur are don't-cares: the
released code counts every completion (`completed`); `open` counts each consistent assignment of
tables once. Neurons of a layer are independent given the layer before, so one pass over the
layers, with the tuple of tables as state, counts both; small nets take arrays instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, compress, product
from math import prod

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.audit.identifiability.nets import Question, layer_masks, leaky, run_circuits

SAME = 1e-9
"""Values closer than this (relative to the largest) are one value: rounding is no threshold."""


@dataclass(frozen=True)
class Interpretations:
    """Number of interpretations of one circuit."""

    completed: int
    """Every don't-care completion counts, as in the released code."""
    open: int
    """One per consistent assignment of truth tables with at least one allowed completion."""


def count_interpretations(
    question: Question, kept: Bool[np.ndarray, "circuit edge"]
) -> tuple[Interpretations, ...]:
    """Interpretations of each circuit, exact; 0 when a neuron in it is constant.

    A two-parent gate after the first hidden layer may not be XOR or XNOR (an XOR net is not
    explained by an "XOR neuron"); gates with three or more parents are not barred.

    Raises
    ------
    ValueError
        Interchange ablation or repeated inputs, where rows are not plain inputs.
    """
    if question.ablation == "interchange":
        raise ValueError("interpretations read one run per input; use zero or mean ablation")
    net = question.net
    layers = run_circuits(net, kept, question.rows, question.fill)
    outputs = np.round(leaky(layers[-1][..., 0], net.slope)) > 0.5
    masks = layer_masks(kept, net.widths)
    tables = tuple(_threshold_tables(layer) for layer in layers[1:-1])
    n_rows = len(question.rows)
    if fits(net.widths, n_rows):
        target = outputs.astype(np.int64) @ (1 << np.arange(n_rows))
        both = count_dense(tables, target, masks, n_rows)
        return tuple(map(Interpretations, *(numbers.tolist() for numbers in both)))
    bits = 1 << np.arange(n_rows, dtype=object)
    return layer_pass(tables, outputs.astype(object) @ bits, masks, n_rows)


def _threshold_tables(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Truth tables [circuit unit gap], bit r for row r above, and which gaps are thresholds."""
    order = np.sort(values, axis=1)
    gap = np.diff(order, axis=1) > SAME * np.maximum(1.0, np.abs(order).max(axis=1, keepdims=True))
    above = values[:, None] > ((order[:, 1:] + order[:, :-1]) / 2)[:, :, None]
    n_rows = values.shape[1]
    kind = np.int64 if n_rows <= 62 else object
    packed = above.transpose(0, 3, 1, 2).astype(kind) @ (1 << np.arange(n_rows, dtype=kind))
    return packed, gap.transpose(0, 2, 1)


def layer_pass(
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    target: np.ndarray,
    masks: Sequence[Bool[np.ndarray, "circuit _dst _src"]],
    n_rows: int,
) -> tuple[Interpretations, ...]:
    """Circuits one by one, layer by layer: any depth, width and number of rows.

    `tables`: per hidden layer, table codes [circuit unit gap] and which of them are thresholds.
    """
    chosen = [
        [
            [tuple(compress(ts, gs)) for ts, gs in zip(units, real, strict=True)]
            for units, real in zip(codes.tolist(), reals.tolist(), strict=True)
        ]
        for codes, reals in tables
    ]
    return tuple(
        _one_circuit([t[c] for t in chosen], int(target[c]), [m[c] for m in masks], n_rows)
        for c in range(len(target))
    )


def _one_circuit(tables, target: int, masks, n_rows: int) -> Interpretations:
    active = [np.flatnonzero(m.any(axis=1)).tolist() for m in masks]
    first = [tables[0][i] for i in active[0]]
    state: dict[tuple[int, ...], tuple[int, int]] = {t: (1, 1) for t in product(*first)}
    for layer in range(1, len(masks)):
        place = {unit: i for i, unit in enumerate(active[layer - 1])}
        last = layer == len(masks) - 1
        options = [(target,)] if last else [tables[layer][i] for i in active[layer]]
        readers = [
            tuple(place[p] for p in np.flatnonzero(masks[layer][i]).tolist()) for i in active[layer]
        ]
        new: dict[tuple[int, ...], tuple[int, int]] = {}
        for before, (completed, opened) in state.items():
            ways = [
                _gates(choice, tuple([before[p] for p in reads]), n_rows)
                for choice, reads in zip(options, readers, strict=True)
            ]
            for combination in product(*ways):
                number = completed * prod(n for _, n in combination)
                key = tuple([t for t, _ in combination])
                was = new.get(key, (0, 0))
                new[key] = (was[0] + number, was[1] + opened)
        state = new
    return Interpretations(sum(c for c, _ in state.values()), sum(o for _, o in state.values()))


@lru_cache(maxsize=2**18)
def _gates(
    choices: tuple[int, ...], parents: tuple[int, ...], n_rows: int
) -> tuple[tuple[int, int], ...]:
    """(table, number of local gates that give it) for the tables that parents can explain."""
    return tuple((table, n) for table in choices if (n := _completions(table, parents, n_rows)))


def _completions(table: int, parents: tuple[int, ...], n_rows: int) -> int:
    wanted: dict[int, int] = {}
    for row in range(n_rows):
        pattern = sum((p >> row & 1) << i for i, p in enumerate(parents))
        if wanted.setdefault(pattern, table >> row & 1) != table >> row & 1:
            return 0
    missing = 2 ** len(parents) - len(wanted)
    number = 2**missing
    if len(parents) == 2:
        for barred in (0b0110, 0b1001):
            number -= all(barred >> p & 1 == v for p, v in wanted.items())
    return number


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
    gates = _dense_gates(chosen, masks[1], code2[:, None], n_rows)  # circuit choice unit gap
    idle = ~np.any(masks[1], axis=2)
    gates = np.where(idle[:, None, :, None], 1, gates) * real2[:, None]
    completed, opened = possible[:, :, None].astype(np.int64), possible[:, :, None]
    for unit in range(code2.shape[1]):
        ways = gates[:, :, unit, None, :]
        shape = (*possible.shape, completed.shape[2] * code2.shape[2])
        completed = (completed[..., None] * ways).reshape(shape)
        opened = (opened[..., None] & (ways > 0)).reshape(shape)
    later, _ = _combinations(code2, real2)
    last = _dense_gates(later, masks[2], target[:, None, None, None], n_rows)[:, :, 0, 0]
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


def _dense_gates(
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
    bits = 1 << np.arange(len(pairs))
    rows = np.arange(2**n_rows)[:, None] >> np.arange(n_rows) & 1
    differs = (rows[:, [r for r, _ in pairs]] ^ rows[:, [s for _, s in pairs]]) @ bits
    apart = np.arange(2 ** len(pairs))[:, None] & bits > 0
    # A row adds a pattern where it is told apart from every row before it.
    later = np.array([s for _, s in pairs])
    patterns = sum(apart[:, later == row].all(axis=1).astype(int) for row in range(n_rows))
    return differs, np.asarray(patterns)
