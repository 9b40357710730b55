"""EAP-IG and MIB circuit-track graphs: `.json` (names) and `.pt` (tensors, weights-only)."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from circuitvar.circuits.evaluate import circuit_nodes
from circuitvar.circuits.files.edge_file import EdgeFile, check_shape, expand_nodes, from_names
from circuitvar.circuits.graph import Graph
from circuitvar.tasks.text_files import read_text

ENDS = ("input", "logits")
STARTS = (b"PK", b"\x80")
"""First bytes of what torch writes: a zip archive, or before version 1.6 a pickle."""


def read_json(path: Path, graph: Graph) -> EdgeFile:
    """EAP-IG `Graph.to_json`: keys cfg, nodes, edges {name: {score, in_graph}}; or a list of names.

    Scores without any edge in the circuit (MIB's importance files) hold no circuit; a file that
    only says which nodes are in is expanded by the rule of `expand_nodes`.

    Raises
    ------
    ValueError
        Names the first edge or node that the graph does not have, or a node of which only some
        neurons are kept.
    """
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}") from None
    if isinstance(data, list) and all(isinstance(name, str) for name in data):
        return from_names(graph, dict.fromkeys(data, True), None, source=path.name)
    if not isinstance(data, dict) or not ({"edges", "nodes"} & data.keys()):
        raise ValueError(
            f"{path.name} is neither an EAP-IG graph (keys cfg, nodes, edges) nor a list of "
            "edge names"
        )
    check_shape(graph, data.get("cfg", {}), path.name)
    nodes, edges = data.get("nodes") or {}, data.get("edges") or {}
    _refuse_neurons(nodes, path.name)
    if isinstance(edges, list):
        return from_names(graph, dict.fromkeys(edges, True), None, source=path.name)
    kept = {name: bool(_field(value, "in_graph", True)) for name, value in edges.items()}
    scores = {
        name: float(value["score"])
        for name, value in edges.items()
        if isinstance(value, dict) and value.get("score") is not None
    }
    # The format has no word for "no score": a file of zeros holds none.
    scores = scores if any(scores.values()) else {}
    if not any(kept.values()) and not scores:
        empty = from_names(graph, kept, None, source=path.name)  # names are checked all the same
        inner = {name: value for name, value in nodes.items() if name not in ENDS}
        if not nodes or not _any_node(inner, not edges):
            return empty
        return _from_nodes(graph, inner, path.name)
    return from_names(graph, _circuit_or_none(kept, scores), scores or None, source=path.name)


def _circuit_or_none(
    kept: Mapping[str, bool], scores: Mapping[str, float]
) -> Mapping[str, bool] | None:
    """None where no edge is in the circuit but edges are scored: MIB's importance files."""
    return kept if any(kept.values()) or not scores else None


def _any_node(nodes: Mapping[str, object], alone: bool) -> bool:
    """The file says which nodes are in: it lists no edges, marks a node, or scores nodes."""
    marked = any(bool(_field(value, "in_graph", False)) for value in nodes.values())
    return alone or marked or any(_scored(value) for value in nodes.values())


def _from_nodes(graph: Graph, nodes: Mapping[str, object], source: str) -> EdgeFile:
    """The circuit of a file that says something about nodes only."""
    kept = {name: bool(_field(value, "in_graph", True)) for name, value in nodes.items()}
    if any(_scored(value) for value in nodes.values()) and not any(kept.values()):
        raise ValueError(
            f"{source} scores nodes, not edges; mark the nodes of the circuit with in_graph"
        )
    return EdgeFile(graph, expand_nodes(graph, kept), None, source)


def _scored(value: object) -> bool:
    return isinstance(value, dict) and value.get("score") is not None


def _refuse_neurons(nodes: Mapping[str, object], source: str) -> None:
    for name, value in nodes.items():
        if isinstance(value, dict) and not all(value.get("neurons") or [True]):
            raise ValueError(
                f"{source} keeps some neurons of node {name!r} only; circuits here are made of "
                "edges between whole nodes"
            )


def _field(value: object, key: str, default: object) -> object:
    return value.get(key, default) if isinstance(value, dict) else value


def write_json(path: Path, file: EdgeFile, *, d_model: int = 0) -> None:
    """The layout of EAP-IG `Graph.to_json`; edges without a score get 0."""
    graph = check_ungrouped(file.graph)
    kept = np.zeros(graph.n_edges, bool) if file.kept is None else file.kept
    scores = np.zeros(graph.n_edges) if file.scores is None else np.nan_to_num(file.scores)
    nodes = circuit_nodes(graph, kept)
    data = {
        "cfg": {**_cfg(graph), "d_model": d_model},
        "nodes": {
            **{n.name: {"in_graph": bool(on)} for n, on in zip(graph.sources, nodes, strict=True)},
            "logits": {"in_graph": True},
        },
        "edges": {
            name: {"score": float(score), "in_graph": bool(on)}
            for name, score, on in zip(graph.edge_names, scores, kept, strict=True)
        },
    }
    path.write_text(json.dumps(data), encoding="utf-8")


def _cfg(graph: Graph) -> dict[str, object]:
    return {
        "n_layers": graph.n_layers,
        "n_heads": graph.n_heads,
        "parallel_attn_mlp": graph.parallel,
    }


def check_ungrouped(graph: Graph) -> Graph:
    """The graph, when the format can hold it.

    Raises
    ------
    ValueError
        Shared k and v heads, or layers without an MLP.
    """
    if graph.kv_heads != graph.n_heads or not graph.has_mlp:
        raise ValueError(
            "the EAP-IG format has one k and v per head and an MLP in every layer; "
            "write .csv or .graphml for this model"
        )
    return graph


def read_pt(path: Path, graph: Graph) -> EdgeFile:
    """EAP-IG `Graph.to_pt`: src_nodes, dst_nodes, edges_scores and edges_in_graph [src, dst].

    MIB submissions of several circuits have no `edges_scores`; its importance files have no edge
    in the circuit, and then hold none here.
    """
    with path.open("rb") as file:
        if not file.read(2).startswith(STARTS):
            raise ValueError(f"{path.name} is not a torch file; write one with torch.save")
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path.name} cannot be read as plain tensors: {reason}") from None
    needed = ("src_nodes", "dst_nodes", "edges_in_graph")
    missing = [key for key in needed if key not in data] if isinstance(data, dict) else needed
    if missing:
        raise ValueError(f"{path.name} lacks {missing[0]!r}; an EAP-IG .pt file has it")
    check_shape(graph, data.get("cfg", {}), path.name)
    shape = (len(data["src_nodes"]), len(data["dst_nodes"]))
    kept = np.asarray(data["edges_in_graph"].float())
    scored = data.get("edges_scores")
    scores = np.zeros(shape, np.float32) if scored is None else np.asarray(scored.float())
    neurons = data.get("neurons_in_graph")
    if neurons is not None:
        rows = dict(zip(data["src_nodes"], neurons.tolist(), strict=True))
        _refuse_neurons({name: {"neurons": row} for name, row in rows.items()}, path.name)
    if scores.shape != shape or kept.shape != shape:
        raise ValueError(f"{path.name}: tensors are {scores.shape}, node lists say {shape}")
    names = [f"{src}->{dst}" for src in data["src_nodes"] for dst in data["dst_nodes"]]
    known = np.array([name in graph.edge_index for name in names])
    outside = np.flatnonzero(~known & ((scores.ravel() != 0) | (kept.ravel() != 0)))
    if outside.size:
        raise ValueError(
            f"{path.name} does not fit the model: edge {names[outside[0]]!r} is not in its graph"
        )
    inside = {name: i for i, name in enumerate(names) if known[i]}
    values = {name: float(scores.ravel()[i]) for name, i in inside.items()}
    chosen = {name: bool(kept.ravel()[i]) for name, i in inside.items()}
    values = values if scored is not None and any(values.values()) else {}
    return from_names(graph, _circuit_or_none(chosen, values), values or None, source=path.name)


def write_pt(path: Path, file: EdgeFile, *, d_model: int = 0) -> None:
    """The layout of EAP-IG `Graph.to_pt`."""
    graph = check_ungrouped(file.graph)
    kept = np.zeros(graph.n_edges, bool) if file.kept is None else file.kept
    scores = np.zeros(graph.exists.shape, dtype=np.float32)
    if file.scores is not None:
        scores[graph.edge_src, graph.edge_dst] = np.nan_to_num(file.scores)
    torch.save(
        {
            "cfg": {**_cfg(graph), "d_model": d_model},
            "src_nodes": [node.name for node in graph.sources],
            "dst_nodes": [node.name for node in graph.destinations],
            "edges_scores": torch.from_numpy(scores),
            "edges_in_graph": torch.from_numpy(graph.matrix(kept)),
            "nodes_in_graph": torch.from_numpy(circuit_nodes(graph, kept)),
        },
        path,
    )
