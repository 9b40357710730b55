"""Where nodes go in a drawing: layers from bottom to top, heads in a row, the MLP at their right.

Positions depend on the graph alone (or on the nodes shown), so that two circuits of one model are
drawn alike and can be compared by eye.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.evaluate import circuit_nodes
from circuitvar.circuits.graph import Graph

MLP_X = 0.95
HEADS_WIDTH = 0.88
"""Share of the width that heads take where MLPs are shown: edges between MLPs pass no head."""
STAGGER = 0.3
"""Rows of heads are moved left and right in turn by this share of the distance between two heads,
so that edges over several layers do not run behind the heads in between."""


@dataclass(frozen=True)
class Position:
    """Centre of a node; x from 0 (left) to 1 (right), y in rows from 0 (input) upwards."""

    x: float
    y: float


def layout(graph: Graph, nodes: Collection[str] | None = None) -> dict[str, Position]:
    """Positions of nodes (all of them, or those named), input at the bottom and logits on top.

    Attention heads of layer l are in row 1 + 2 l and its MLP in row 2 + 2 l (in parallel models
    and without MLPs the rows are kept, so that layers are equally far apart). With `nodes`, rows
    that hold none of them are closed up and heads are spread over the width; rows of heads are
    staggered.

    >>> layout(Graph(n_layers=1, n_heads=1))["logits"]
    Position(x=0.5, y=3.0)
    """
    shown = [node for node in graph.sources if nodes is None or node.name in nodes]
    rows: dict[int, list[str]] = {}
    for node in shown:
        row = 0 if node.kind == "input" else 1 + 2 * node.layer + (node.kind == "mlp")
        rows.setdefault(row, []).append(node.name)
    top = 1 + 2 * graph.n_layers
    rows.setdefault(0, ["input"])
    rows[top] = ["logits"]
    heights = sorted(rows)
    place = {row: float(row if nodes is None else i) for i, row in enumerate(heights)}
    width = HEADS_WIDTH if any(node.kind == "mlp" for node in shown) else 1.0
    positions, turn = {}, 1
    for row in heights:
        names = rows[row]
        if names[0].startswith("a"):
            turn = -turn
        for i, name in enumerate(names):
            x = 0.5
            if name.startswith("m"):
                x = MLP_X
            elif name.startswith("a"):
                x = width * (i + 0.5 + turn * STAGGER / 2) / len(names)
            positions[name] = Position(x, place[row])
    return positions


def shown_nodes(graph: Graph, kept: Bool[np.ndarray, " edge"]) -> list[str]:
    """Names of the sources that take part in a circuit, in the order of writing."""
    return [graph.sources[i].name for i in np.flatnonzero(circuit_nodes(graph, kept))]
