"""Circuits from papers as data: nodes by role, connections, and how they become edges.

Papers describe circuits as heads at token positions; an edge list over whole sequences needs
choices. Every choice is a named variant of the file, and its rule is printed with the circuit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.find import circuit_from_mask
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.lookup import by_key, unknown

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Connection:
    """Every node of `src` feeds every later node of `dst`."""

    src: str
    """A role, a node, or `input`."""
    dst: str
    """A role, a node, or `logits`."""
    slots: str
    """Which of q, k, v of the destination heads."""
    positions: str
    """Where in the prompt, as the paper says; recorded, not enforced."""


@dataclass(frozen=True)
class Variant:
    """One way to turn the connections into edges."""

    key: str
    title: str
    between_mlps: bool
    """Add the MLPs that lie between the two ends of every connection."""
    without: tuple[str, ...]
    """Connections with these `positions` are left out."""


@dataclass(frozen=True)
class Published:
    """A circuit as its authors describe it."""

    key: str
    title: str
    citation: str
    arxiv: str
    model: str
    task: str
    shape: Mapping[str, int | bool]
    roles: Mapping[str, tuple[str, ...]]
    connections: tuple[Connection, ...]
    variants: tuple[Variant, ...]
    default: str
    notes: str

    @property
    def graph(self) -> Graph:
        """Graph of the model the circuit is about."""
        return Graph(**self.shape)  # type: ignore[arg-type]

    @property
    def role_of(self) -> dict[str, str]:
        """Node -> first role that lists it."""
        roles = [*self.roles.items()][::-1]
        return {node: role for role, nodes in roles for node in nodes}


def published_names() -> tuple[str, ...]:
    """Keys of the circuits that come with the package.

    >>> "ioi-gpt2" in published_names()
    True
    """
    files = (path for path in FOLDER.glob("*.json") if path.name != "schema.json")
    return tuple(sorted(path.stem for path in files))


def load_published(name: str | Path) -> Published:
    """A published circuit by key, or from a JSON file of the same form.

    Raises
    ------
    ValueError
        If there is no such circuit, or the file breaks the schema or names an unknown role.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        also = ", or give a JSON file"
        raise unknown("published circuit", str(name), published_names(), also=also)
    return parse_published(json.loads(path.read_text(encoding="utf-8")), source=path.name)


def parse_published(data: dict, *, source: str = "circuit") -> Published:
    """A published circuit from its JSON object; see `published/schema.json`."""
    import jsonschema

    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    try:
        jsonschema.validate(data, schema)
    except jsonschema.ValidationError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "top level"
        raise ValueError(f"{source} breaks the schema at {where}: {error.message}") from None
    said = ("key", "title", "citation", "model", "task", "shape", "default")
    published = Published(
        **{name: data[name] for name in said},
        arxiv=data.get("arxiv", ""),
        roles={role: tuple(nodes) for role, nodes in data["roles"].items()},
        connections=tuple(
            Connection(c["from"], c["to"], c.get("slots", ""), c.get("positions", ""))
            for c in data["connections"]
        ),
        variants=tuple(
            Variant(key, v["title"], v["between_mlps"], tuple(v["without"]))
            for key, v in data["variants"].items()
        ),
        notes=data.get("notes", ""),
    )
    _check_names(published, source)
    return published


def _check_names(published: Published, source: str) -> None:
    graph = published.graph
    for role, nodes in published.roles.items():
        for node in nodes:
            if node not in graph.source_index:
                raise ValueError(
                    f"{source}: node {node!r} of role {role!r} is not in a model with "
                    f"{graph.n_layers} layers and {graph.n_heads} heads"
                )
    for connection in published.connections:
        for end in (connection.src, connection.dst):
            if end not in published.roles and end not in graph.source_index and end != "logits":
                raise ValueError(f"{source}: connection end {end!r} is neither a role nor a node")
    if published.default not in {variant.key for variant in published.variants}:
        raise ValueError(f"{source}: default variant {published.default!r} is not listed")


def published_circuit(published: Published, graph: Graph, *, variant: str = "") -> Circuit:
    """Edges of a published circuit in a model's graph, dangling ones removed.

    Raises
    ------
    ValueError
        If the model has another shape, or the variant is unknown.
    """
    if graph != published.graph:
        raise ValueError(
            f"{published.key} is a circuit of {published.model} ({published.graph.n_layers} "
            f"layers, {published.graph.n_heads} heads); this model has {graph.n_layers} layers, "
            f"{graph.n_heads} heads"
        )
    wanted = variant or published.default
    chosen = by_key(f"variant of {published.key}", wanted, published.variants)
    mask = np.zeros(graph.n_edges, dtype=bool)
    for connection in published.connections:
        if connection.positions not in chosen.without or not connection.positions:
            _connect(graph, published, connection, chosen.between_mlps, mask)
    rule = f"{published.citation}: {chosen.title}"
    return circuit_from_mask(graph, mask, rule=rule)


def _connect(
    graph: Graph,
    published: Published,
    connection: Connection,
    between: bool,
    mask: Bool[np.ndarray, " edge"],
) -> None:
    for src in published.roles.get(connection.src, (connection.src,)):
        for dst in published.roles.get(connection.dst, (connection.dst,)):
            inputs = _inputs(graph, dst, connection.slots)
            mlps = _between(graph, src, inputs[0]) if between else []
            for name in (f"{a}->{b}" for a in (src, *mlps) for b in (*mlps, *inputs)):
                if name in graph.edge_index:  # A pair in the wrong order has no edge.
                    mask[graph.edge_index[name]] = True


def _inputs(graph: Graph, node: str, slots: str) -> list[str]:
    if not node.startswith("a"):
        return [node]
    layer, head = (int(part) for part in node[1:].split(".h"))
    group = graph.n_heads // graph.kv_heads
    return [f"a{layer}.h{head if s == 'q' else head // group}<{s}>" for s in slots or "qkv"]


def _between(graph: Graph, src: str, dst: str) -> list[str]:
    """MLPs written after `src` and read by `dst`."""
    first = 0 if src == "input" else int(src[1:].split(".")[0]) + src.startswith("m")
    stop = graph.n_layers if dst == "logits" else int(dst[1:].split(".")[0])
    return [f"m{layer}" for layer in range(first, stop)] if graph.has_mlp else []


def planted_circuit(name: str, graph: Graph) -> Circuit:
    """The true circuit of a planted model, by `planted:KEY` or key.

    Raises
    ------
    ValueError
        If there is no such planted model, or its edges do not fit the graph.
    """
    from circuitvar.tasks.planted import get_planted

    planted = get_planted(name)
    mask = np.zeros(graph.n_edges, dtype=bool)
    mask[graph.columns(sorted(planted.task.known_edges))] = True
    return circuit_from_mask(graph, mask, rule=f"planted: {planted.title}", prune=False)
