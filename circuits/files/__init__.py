"""Circuit and score files of other projects."""

from circuitvar.circuits.files.edge_file import EdgeFile, expand_nodes, from_names
from circuitvar.circuits.files.interchange import check_can_write, read_edges, write_edges
from circuitvar.circuits.files.interchange_mib import read_submission

__all__ = [
    "EdgeFile", "check_can_write", "expand_nodes", "from_names", "read_edges", "read_submission",
    "write_edges",
]
