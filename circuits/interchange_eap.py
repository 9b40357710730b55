"""EAP-IG and MIB circuit-track graphs: `.json` (names) and `.pt` (tensors, weights-only)."""

import json
from pathlib import Path

import numpy as np
import torch

from circuitvar.circuits.compare import circuit_nodes
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.interchange import EdgeFile, check_shape, expand_nodes, from_names


def read_json(path: Path, graph: Graph) -> EdgeFile:
    """EAP-IG `Graph.to_json`: keys cfg, nodes, edges {name: {score, in_graph}}; or a list of names.

    A file without edges but with nodes is expanded by the rule of `expand_nodes`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}") from None
    if isinstance(data, list) and all(isinstance(name, str) for name in data):
        return from_names(graph, dict.fromkeys(data, True), None, source=path.name)
    if not isinstance(data, dict) or not ({"edges", "nodes"} & data.keys()):
        raise ValueError(
            f"{path.name} is neither an EAP-IG graph (keys cfg, nodes, edges) nor a list of "
            "edge names"
        )
    check_shape(graph, data.get("cfg", {}), path.name)
    edges = data.get("edges") or {}
    if not edges:
        nodes = {n: bool(_field(v, "in_graph", True)) for n, v in data["nodes"].items()}
        return EdgeFile(graph, expand_nodes(graph, nodes), None, path.name)
    if isinstance(edges, list):
        return from_names(graph, dict.fromkeys(edges, True), None, source=path.name)
    kept = {name: bool(_field(value, "in_graph", True)) for name, value in edges.items()}
    scores = {
        name: float(value["score"])
        for name, value in edges.items()
        if isinstance(value, dict) and value.get("score") is not None
    }
    return from_names(graph, kept, scores or None, source=path.name)


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
    """EAP-IG `Graph.to_pt`: src_nodes, dst_nodes, edges_scores and edges_in_graph [src, dst]."""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path.name} cannot be read as plain tensors: {reason}") from None
    needed = ("src_nodes", "dst_nodes", "edges_scores", "edges_in_graph")
    missing = [key for key in needed if key not in data] if isinstance(data, dict) else needed
    if missing:
        raise ValueError(f"{path.name} lacks {missing[0]!r}; an EAP-IG .pt file has it")
    check_shape(graph, data.get("cfg", {}), path.name)
    shape = (len(data["src_nodes"]), len(data["dst_nodes"]))
    scores, kept = (np.asarray(data[key].float()) for key in needed[2:])
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
    return from_names(
        graph,
        {name: bool(kept.ravel()[i]) for name, i in inside.items()},
        {name: float(scores.ravel()[i]) for name, i in inside.items()},
        source=path.name,
    )


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
