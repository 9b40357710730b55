"""EAP-IG and MIB circuit-track graphs: `.json` (names) and `.pt` (tensors, weights-only)."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from circuitvar.circuits.evaluate import circuit_nodes
from circuitvar.circuits.files.edge_file import (
    EdgeFile,
    check_shape,
    expand_nodes,
    from_names,
    shape_of,
)
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
    nodes, edges = _records(data.get("nodes") or {}), data.get("edges") or {}
    _refuse_neurons({name: said.get("neurons") for name, said in nodes.items()}, path.name)
    if isinstance(edges, list):
        return from_names(graph, dict.fromkeys(edges, True), None, source=path.name)
    edges = _records(edges)
    kept = {name: bool(said.get("in_graph", True)) for name, said in edges.items()}
    scores = {
        name: float(said["score"]) for name, said in edges.items() if said.get("score") is not None
    }
    file = _edge_file(graph, kept, scores, path.name)  # names are checked all the same
    inner = {name: said for name, said in nodes.items() if name not in ENDS}
    scored = any(said.get("score") is not None for said in inner.values())
    marked = any(said.get("in_graph") for said in inner.values())
    by_edges = any(kept.values()) or file.scores is not None
    if by_edges or not nodes or not (scored or marked or not edges):
        return file
    chosen = {name: bool(said.get("in_graph", True)) for name, said in inner.items()}
    if scored and not any(chosen.values()):
        raise ValueError(
            f"{path.name} scores nodes, not edges; mark the nodes of the circuit with in_graph"
        )
    return EdgeFile(graph, expand_nodes(graph, chosen), None, path.name)


def _records(entries: Mapping[str, object]) -> dict[str, dict]:
    """What is said of each node or edge; a value that is no object says whether it is in."""
    return {
        name: said if isinstance(said, dict) else {"in_graph": said}
        for name, said in entries.items()
    }


def _edge_file(
    graph: Graph, kept: Mapping[str, bool], scores: Mapping[str, float], source: str
) -> EdgeFile:
    """A file of zeros holds no scores; scored edges none of which is kept hold no circuit."""
    scored = any(scores.values())
    circuit = kept if any(kept.values()) or not scored else None
    return from_names(graph, circuit, scores if scored else None, source=source)


def _refuse_neurons(neurons: Mapping[str, list | None], source: str) -> None:
    for name, kept in neurons.items():
        if not all(kept or [True]):
            raise ValueError(
                f"{source} keeps some neurons of node {name!r} only; circuits here are made of "
                "edges between whole nodes"
            )


def _parts(file: EdgeFile) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray]:
    """(cfg, nodes, kept, scores) as EAP-IG writes them; edges without a score get 0."""
    graph = check_ungrouped(file.graph)
    kept = np.zeros(graph.n_edges, bool) if file.kept is None else file.kept
    scores = np.zeros(graph.n_edges) if file.scores is None else np.nan_to_num(file.scores)
    return {**shape_of(graph), "d_model": 0}, circuit_nodes(graph, kept), kept, scores


def write_json(path: Path, file: EdgeFile) -> None:
    """The layout of EAP-IG `Graph.to_json`."""
    cfg, nodes, kept, scores = _parts(file)
    sources = [node.name for node in file.graph.sources]
    data = {
        "cfg": cfg,
        "nodes": {
            **{name: {"in_graph": on} for name, on in zip(sources, nodes.tolist(), strict=True)},
            "logits": {"in_graph": True},
        },
        "edges": {
            name: {"score": float(score), "in_graph": bool(on)}
            for name, score, on in zip(file.graph.edge_names, scores, kept, strict=True)
        },
    }
    path.write_text(json.dumps(data), encoding="utf-8")


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
        _refuse_neurons(rows, path.name)
    if scores.shape != shape or kept.shape != shape:
        raise ValueError(f"{path.name}: tensors are {scores.shape}, node lists say {shape}")
    names = [f"{src}->{dst}" for src in data["src_nodes"] for dst in data["dst_nodes"]]
    cells = list(zip(names, kept.ravel().tolist(), scores.ravel().tolist(), strict=True))
    outside = [name for name, on, score in cells if (on or score) and name not in graph.edge_index]
    if outside:
        raise ValueError(
            f"{path.name} does not fit the model: edge {outside[0]!r} is not in its graph"
        )
    inside = [cell for cell in cells if cell[0] in graph.edge_index]
    chosen = {name: bool(on) for name, on, _ in inside}
    return _edge_file(graph, chosen, {name: score for name, _, score in inside}, path.name)


def write_pt(path: Path, file: EdgeFile) -> None:
    """The layout of EAP-IG `Graph.to_pt`."""
    cfg, nodes, kept, scores = _parts(file)
    graph = file.graph
    table = np.zeros(graph.exists.shape, dtype=np.float32)
    table[graph.edge_src, graph.edge_dst] = scores
    torch.save(
        {
            "cfg": cfg,
            "src_nodes": [node.name for node in graph.sources],
            "dst_nodes": [node.name for node in graph.destinations],
            "edges_scores": torch.from_numpy(table),
            "edges_in_graph": torch.from_numpy(graph.matrix(kept)),
            "nodes_in_graph": torch.from_numpy(nodes),
        },
        path,
    )
