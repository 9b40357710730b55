"""Submissions to the circuit track of MIB (arXiv 2504.13151): a folder per task and model.

A folder is called `task_model` (`ioi_gpt2`) and holds either one file in which every edge has an
importance score, or one circuit for each of nine shares of edges, none larger than its share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from circuitvar.circuits.files.edge_file import EdgeFile
from circuitvar.circuits.files.interchange import read_edges, write_edges
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.types import Circuit

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Largest share of the edges that each of the nine circuits may have."""
IMPORTANCES = "importances"
"""Name of the file of scores, as the benchmark's own code writes it."""
Ending = Literal["json", "pt"]


@dataclass(frozen=True, eq=False)
class Submission:
    """What one task-and-model folder holds: scores, or nine circuits."""

    importances: EdgeFile | None
    circuits: Mapping[float, Circuit]
    """Share of edges allowed -> circuit; empty when there are scores."""


def read_submission(folder: str | Path, graph: Graph) -> Submission:
    """Read a task-and-model folder; circuits are matched to shares by their size.

    Raises
    ------
    ValueError
        Neither one file of scores nor nine circuits, a file that does not fit the graph (names
        the first bad edge), or a circuit that is too large for its share.
    """
    folder = Path(folder)
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".json", ".pt"))
    if len(paths) not in (1, len(SHARES)):
        raise ValueError(
            f"{folder} holds {len(paths)} .json or .pt files; a submission has one file of scores "
            f"or {len(SHARES)} circuits"
        )
    files = [read_edges(path, graph) for path in paths]
    if len(files) == 1:
        if not files[0].scores_all:
            raise ValueError(f"{paths[0]} must score every edge: it is the folder's only file")
        return Submission(files[0], {})
    circuits = sorted((file.circuit for file in files), key=lambda circuit: circuit.size)
    found = dict(zip(SHARES, circuits, strict=True))
    _check_sizes(found, graph)
    return Submission(None, found)


def write_submission(
    folder: str | Path, submission: Submission, graph: Graph, *, ending: Ending = "json"
) -> list[Path]:
    """Write a task-and-model folder and return the paths of its files.

    Scores go to `importances`, without a circuit; circuits to `circuit_SHARE`.

    Raises
    ------
    ValueError
        Both or neither are given, an edge has no score, the nine shares are not those of the
        benchmark, or a circuit is too large for its share.
    """
    folder, scored = Path(folder), submission.importances
    if (scored is None) == (not submission.circuits):
        raise ValueError("a submission has either scores or circuits")
    if scored is not None:
        if not scored.scores_all:
            raise ValueError("a submission of scores needs one for every edge")
        files = {IMPORTANCES: EdgeFile(graph, None, scored.scores, scored.source)}
    else:
        if tuple(sorted(submission.circuits)) != SHARES:
            raise ValueError(
                f"circuits must be for the shares {SHARES}, got {tuple(submission.circuits)}"
            )
        _check_sizes(submission.circuits, graph)
        files = {
            f"circuit_{share:g}": EdgeFile(graph, circuit.kept, None, circuit.rule)
            for share, circuit in submission.circuits.items()
        }
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for name in files]
    for path, file in zip(paths, files.values(), strict=True):
        write_edges(path, file)
    return paths


def _check_sizes(circuits: Mapping[float, Circuit], graph: Graph) -> None:
    for share, circuit in circuits.items():
        if circuit.size > share * graph.n_edges:
            raise ValueError(
                f"a circuit of {circuit.size} edges is larger than {100 * share:g} % of "
                f"{graph.n_edges} edges"
            )
