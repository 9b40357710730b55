"""Read and write the circuit and score files of other projects, by their ending.

Pickles are never read: `.pt` is loaded weights-only.
"""

from collections.abc import Callable
from pathlib import Path

from circuitvar.circuits.files import interchange_acdc as acdc
from circuitvar.circuits.files import interchange_eap as eap
from circuitvar.circuits.files import interchange_tables as tables
from circuitvar.circuits.files.edge_file import EdgeFile
from circuitvar.circuits.graph import Graph

MAX_BYTES = 2 * 2**30
Reader = Callable[[Path, Graph], EdgeFile]
Writer = Callable[[Path, EdgeFile], None]
FORMATS: dict[str, tuple[Reader, Writer]] = {
    ".json": (eap.read_json, eap.write_json),
    ".pt": (eap.read_pt, eap.write_pt),
    ".csv": (tables.read_csv, tables.write_csv),
    ".graphml": (tables.read_graphml, tables.write_graphml),
    ".txt": (acdc.read_acdc, acdc.write_acdc),
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
    path = Path(path)
    read, _ = _format(path)
    if not path.is_file():
        raise ValueError(f"circuit file {str(path)!r} does not exist")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than 2 GiB; is it a circuit file?")
    return read(path, graph)


def write_edges(path: str | Path, file: EdgeFile) -> None:
    """Write a circuit or scores in the format that the file's ending names; see `read_edges`."""
    _, write = _format(Path(path))
    write(Path(path), file)


def check_can_write(path: str | Path, graph: Graph) -> None:
    """Find out before any work whether a circuit of this graph can be written to this file.

    Raises
    ------
    ValueError
        If the ending is unknown, or the format cannot hold the graph.
    """
    _format(Path(path))
    if Path(path).suffix.lower() in (".json", ".pt"):
        eap.check_ungrouped(graph)


def _format(path: Path) -> tuple[Reader, Writer]:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"{path.name}: unknown kind of circuit file; endings understood: {', '.join(FORMATS)}"
        )
    return FORMATS[path.suffix.lower()]
