"""Selection rules by name: one signature for command lines and run tables."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from circuitvar.circuits.find.select import Edges, threshold, top_fraction, top_n
from circuitvar.circuits.find.select_connected import greedy, smallest_connected
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.lookup import by_key


@dataclass(frozen=True)
class Rule:
    """A way to turn one row of scores into a circuit."""

    key: str
    title: str
    fn: Callable[..., Circuit]
    """(graph, scores, amount, *, signed, prune) -> Circuit."""
    amount: str
    """What the number means: `edges`, `share`, `score`, or empty when the rule takes none."""


def _connected(
    graph: Graph, scores: np.ndarray, amount: float, *, signed: bool, prune: bool
) -> Circuit:
    return smallest_connected(graph, scores, signed=signed, prune=prune)


def _whole(fn: Callable[..., Circuit]) -> Callable[..., Circuit]:
    """Rules that count edges take a whole number."""

    def run(graph: Graph, scores: np.ndarray, amount: float, **options: bool) -> Circuit:
        if amount != int(amount):
            raise ValueError(f"this rule counts edges: amount must be whole, got {amount}")
        return fn(graph, scores, int(amount), **options)

    return run


RULES: tuple[Rule, ...] = (
    Rule("top-n", "n highest-ranked edges", _whole(top_n), "edges"),
    Rule("top-fraction", "highest-ranked share of edges", top_fraction, "share"),
    Rule("threshold", "edges at or above a score", threshold, "score"),
    Rule("greedy", "best-first from the logits", _whole(greedy), "edges"),
    Rule("connected", "smallest connected top-n", _connected, ""),
)


def select(
    graph: Graph,
    scores: Edges,
    rule: str,
    amount: float = 0,
    *,
    signed: bool = False,
    prune: bool = True,
    rules: tuple[Rule, ...] = RULES,
) -> Circuit:
    """Apply the rule called `rule` to one row of scores.

    >>> graph = Graph(n_layers=1, n_heads=1)
    >>> select(graph, np.arange(graph.n_edges, dtype=float), "top-n", 5).size
    3

    Raises
    ------
    ValueError
        If no rule has that name.
    """
    chosen = by_key("selection rule", rule, rules)
    return chosen.fn(graph, scores, amount, signed=signed, prune=prune)
