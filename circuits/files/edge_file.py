"""What a circuit or score file says about the edges of a graph: one record for all formats.

A file that does not fit the model's graph is refused with the name of the first edge that does
not exist; nothing is dropped or guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.circuits.find import circuit_from_mask
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.types import Circuit


@dataclass(frozen=True, eq=False)
class EdgeFile:
    """What a file says about the edges of one graph."""

    graph: Graph
    kept: Bool[np.ndarray, " edge"] | None
    """Edges in the circuit; None when the file holds scores only."""
    scores: Float[np.ndarray, " edge"] | None
    """NaN for edges that the file does not mention; None when it holds no scores."""
    source: str

    @property
    def scores_all(self) -> bool:
        """Whether every edge of the graph has a score."""
        return self.scores is not None and not np.isnan(self.scores).any()

    @property
    def circuit(self) -> Circuit:
        """The circuit in the file, as it stands (not pruned).

        Raises
        ------
        ValueError
            If the file holds scores only.
        """
        if self.kept is None:
            raise ValueError(f"{self.source} holds scores but no circuit; select edges by score")
        rule = f"read from {self.source}"
        return circuit_from_mask(self.graph, self.kept, rule=rule, prune=False)


def from_names(
    graph: Graph,
    kept: Mapping[str, bool] | None,
    scores: Mapping[str, float] | None,
    *,
    source: str,
) -> EdgeFile:
    """An `EdgeFile` from edge names.

    Raises
    ------
    ValueError
        Names the first edge that the graph does not have, or the first score that is NaN.
    """
    mask = values = None
    if kept is not None:
        mask = np.zeros(graph.n_edges, dtype=bool)
        mask[_columns(graph, kept, source)] = list(kept.values())
    if scores is not None:
        values = np.full(graph.n_edges, np.nan)
        values[_columns(graph, scores, source)] = list(scores.values())
        bad = [name for name, value in scores.items() if np.isnan(value)]
        if bad:
            raise ValueError(f"{source}: the score of edge {bad[0]!r} is NaN")
    return EdgeFile(graph, mask, values, source)


def _columns(graph: Graph, names: Mapping[str, object], source: str) -> np.ndarray:
    try:
        return graph.columns(tuple(names))
    except ValueError as error:
        raise ValueError(f"{source} does not fit the model: {error}") from None


def shape_of(graph: Graph) -> dict[str, object]:
    """The shape of the model, as `cfg` blocks of EAP-IG name it."""
    return {
        "n_layers": graph.n_layers,
        "n_heads": graph.n_heads,
        "parallel_attn_mlp": graph.parallel,
    }


def check_shape(graph: Graph, shape: Mapping[str, object], source: str) -> None:
    """Refuse a file whose `cfg` block describes another model; names what differs first."""
    for name, value in shape_of(graph).items():
        if name in shape and shape[name] != value:
            raise ValueError(
                f"{source} does not fit the model: it has {name} = {shape[name]}, "
                f"the model has {value}"
            )


def expand_nodes(
    graph: Graph, nodes: Mapping[str, bool] | tuple[str, ...]
) -> Bool[np.ndarray, " edge"]:
    """Edges of a circuit that was given as nodes (`a9.h9`, `m0`).

    Every edge between two kept nodes, from the input to every kept node and from every kept node
    to the logits, with all of q, k and v. `input` and `logits` are always kept.

    Raises
    ------
    ValueError
        If a node is not in the graph.
    """
    for name in nodes:
        if name not in graph.source_index and name != "logits":
            raise ValueError(
                f"node {name!r} is not in this graph ({graph.n_layers} layers, "
                f"{graph.n_heads} heads); nodes look like 'a0.h0' or 'm0'"
            )
    chosen = [name for name, on in nodes.items() if on] if isinstance(nodes, Mapping) else nodes
    source_in = np.isin([node.name for node in graph.sources], ["input", *chosen])
    # A shared k or v is an input of several nodes.
    destination_in = np.any(reads_of(graph) & source_in[:, None], axis=0)
    destination_in[-1] = True
    return source_in[graph.edge_src] & destination_in[graph.edge_dst]
