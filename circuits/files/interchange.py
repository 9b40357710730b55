"""Read and write the circuit and score files of other projects, by their ending.

Pickles are never read: `.pt` is loaded weights-only.
"""

from collections.abc import Mapping
from pathlib import Path

from circuitvar.circuits.files.edge_file import EdgeFile
from circuitvar.circuits.files.interchange_acdc import read_acdc, write_acdc
from circuitvar.circuits.files.interchange_eap import (
    check_ungrouped,
    read_json,
    read_pt,
    write_json,
    write_pt,
)
from circuitvar.circuits.files.interchange_tables import (
    read_csv,
    read_graphml,
    write_csv,
    write_graphml,
)
from circuitvar.circuits.graph import Graph

MAX_BYTES = 2 * 2**30
READERS = {
    ".json": read_json,
    ".pt": read_pt,
    ".csv": read_csv,
    ".graphml": read_graphml,
    ".txt": read_acdc,
}
WRITERS = {
    ".json": write_json,
    ".pt": write_pt,
    ".csv": write_csv,
    ".graphml": write_graphml,
    ".txt": write_acdc,
}


def read_edges(path: str | Path, graph: Graph) -> EdgeFile:
    """Read a circuit or scores, by the file's ending.

    `.json` EAP-IG / MIB graph, or a list of edge names; `.pt` EAP-IG / MIB tensors; `.csv` edge
    names with optional score and in-circuit columns; `.graphml`; `.txt` ACDC edges, or one edge
    name per line.

    Raises
    ------
    ValueError
        If the file is missing, of an unknown kind, or does not fit the graph.
    """
    return _dispatch(Path(path), READERS)(Path(path), graph)


def write_edges(path: str | Path, file: EdgeFile) -> None:
    """Write a circuit or scores in the format that the file's ending names; see `read_edges`."""
    _dispatch(Path(path), WRITERS, reading=False)(Path(path), file)


def check_can_write(path: str | Path, graph: Graph) -> None:
    """Find out before any work whether a circuit of this graph can be written to this file.

    Raises
    ------
    ValueError
        If the ending is unknown, or the format cannot hold the graph.
    """
    path = Path(path)
    _dispatch(path, WRITERS, reading=False)
    if path.suffix.lower() in (".json", ".pt"):
        check_ungrouped(graph)


def _dispatch(path: Path, handlers: Mapping, *, reading: bool = True):
    handler = handlers.get(path.suffix.lower())
    if handler is None:
        raise ValueError(
            f"{path.name}: unknown kind of circuit file; endings understood: {', '.join(handlers)}"
        )
    if reading and not path.is_file():
        raise ValueError(f"circuit file {str(path)!r} does not exist")
    if reading and path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than 2 GiB; is it a circuit file?")
    return handler
