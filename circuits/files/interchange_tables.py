"""Edge tables (`.csv`) and `.graphml` through networkx, for spreadsheets and graph tools."""

from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.circuits.files.edge_file import EdgeFile, from_names
from circuitvar.circuits.graph import Graph

TRUE = {"true", "1", "yes", "1.0"}
FALSE = {"false", "0", "no", "0.0"}


def read_csv(path: Path, graph: Graph) -> EdgeFile:
    """Columns `edge`, and `score`, `in_circuit` or both; without either, every row is kept."""
    try:
        frame = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path.name} is empty; it needs a column 'edge'") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not valid CSV: {error}") from None
    frame.columns = [str(name).strip().lower() for name in frame.columns]
    if "edge" not in frame:
        raise ValueError(f"{path.name} has columns {list(frame.columns)}; one must be 'edge'")
    names = [name.strip() for name in frame["edge"]]
    twice = pd.Series(names).duplicated()
    if twice.any():
        raise ValueError(f"{path.name}: edge {names[int(twice.to_numpy().argmax())]!r} is repeated")
    scores = kept = None
    if "score" in frame:
        scores = {n: _number(v, n, path) for n, v in zip(names, frame["score"], strict=True)}
    if "in_circuit" in frame:
        kept = {n: _truth(v, n, path) for n, v in zip(names, frame["in_circuit"], strict=True)}
    elif scores is None:
        kept = dict.fromkeys(names, True)
    return from_names(graph, kept, scores, source=path.name)


def _number(text: str, edge: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path.name}: score of edge {edge!r} is {text!r}, not a number") from None


def _truth(text: str, edge: str, path: Path) -> bool:
    if text.strip().lower() in TRUE | FALSE:
        return text.strip().lower() in TRUE
    raise ValueError(f"{path.name}: in_circuit of edge {edge!r} is {text!r}; use true or false")


def write_csv(path: Path, file: EdgeFile) -> None:
    """One row per edge of the circuit, or of all scored edges when there are scores."""
    graph = file.graph
    shown = np.ones(graph.n_edges, bool) if file.scores is not None else file.circuit.kept
    if file.scores is not None:
        shown = ~np.isnan(file.scores) | (False if file.kept is None else file.kept)
    table: dict[str, object] = {"edge": [graph.edge_names[i] for i in np.flatnonzero(shown)]}
    if file.scores is not None:
        table["score"] = file.scores[shown]
    if file.kept is not None:
        table["in_circuit"] = file.kept[shown]
    pd.DataFrame(table).to_csv(path, index=False)


def read_graphml(path: Path, graph: Graph) -> EdgeFile:
    """A directed multigraph: nodes by name, edges with `slot` (q, k, v or empty) and `score`."""
    import networkx as nx

    try:
        drawn = nx.read_graphml(path, force_multigraph=True)
    except Exception as error:
        raise ValueError(f"{path.name} is not valid GraphML: {error}") from None
    kept: dict[str, bool] = {}
    scores: dict[str, float] = {}
    for src, dst, data in drawn.edges(data=True):
        slot = data.get("slot", "")
        name = f"{src}->{dst}<{slot}>" if slot else f"{src}->{dst}"
        kept[name] = bool(data.get("in_circuit", True))
        if "score" in data:
            scores[name] = float(data["score"])
    return from_names(graph, kept, scores or None, source=path.name)


def to_networkx(file: EdgeFile):
    """The circuit as a networkx MultiDiGraph; one node per head, q/k/v as edge attribute."""
    import networkx as nx

    graph = file.graph
    drawn = nx.MultiDiGraph()
    for column in np.flatnonzero(file.circuit.kept):
        edge = graph.edges[column]
        data: dict[str, object] = {"slot": edge.dst.slot, "in_circuit": True}
        if file.scores is not None and not np.isnan(file.scores[column]):
            data["score"] = float(file.scores[column])
        dst = edge.dst.name.split("<")[0]
        for node, layer in ((edge.src.name, edge.src.layer), (dst, edge.dst.layer)):
            drawn.add_node(node, layer=layer)
        drawn.add_edge(edge.src.name, dst, **data)
    return drawn


def write_graphml(path: Path, file: EdgeFile) -> None:
    """Write the circuit for Gephi, Cytoscape and other graph tools."""
    import networkx as nx

    nx.write_graphml(to_networkx(file), path)
