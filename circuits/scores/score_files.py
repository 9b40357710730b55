"""Edge scores on disk: `scores.safetensors`, `edges.csv` and `scores.json`, all or nothing.

The matrix and the per-example metrics are in one safetensors file; names of columns, templates
and provenance are text, so that any tool can read them. `scores.json`, written last, holds the
hashes of the other files and of itself: files of different runs are not read as one.
"""

import csv
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from circuitvar.circuits.atomic import replacing
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.items import item_name
from circuitvar.circuits.scores.tensor_files import map_tensors, write_tensors
from circuitvar.circuits.types import EdgeScores

FORMAT = 2


def write_scores(scores: EdgeScores, folder: Path | str) -> list[Path]:
    """Write scores into a folder, each file by one atomic rename; returns the files.

    `scores.safetensors` holds `scores` float32 `[example, edge]`, `metric_clean` and
    `metric_corrupt` `[example]`; `edges.csv` names the columns in order with their mean score.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    columns = range(scores.graph.n_edges) if scores.columns is None else scores.columns
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["column", "edge", "src", "dst", "mean_score"])
    for i, (edge, mean) in enumerate(zip(columns, scores.mean, strict=True)):
        ends = scores.graph.edges[edge]
        writer.writerow([i, ends.name, ends.src.name, ends.dst.name, repr(float(mean))])
    header = {
        "format": FORMAT,
        "graph": asdict(scores.graph),
        "method": scores.method,
        "metric": scores.metric,
        "templates": list(scores.templates),
        "columns": None if scores.columns is None else list(scores.columns),
        "provenance": dict(scores.provenance),
    }
    tensors = {
        "scores": np.asarray(scores.values, dtype=np.float32),
        "metric_clean": np.asarray(scores.metric_clean, dtype=np.float64),
        "metric_corrupt": np.asarray(scores.metric_corrupt, dtype=np.float64),
    }
    with replacing(folder / "edges.csv") as file:
        file.write(table.getvalue().encode())
    others = [folder / "edges.csv", write_tensors(folder / "scores.safetensors", tensors)]
    header = json.loads(json.dumps(header, default=str))
    header["sha256"] = {path.name: _hash(path) for path in others}
    header["seal"] = item_name(header)
    with replacing(folder / "scores.json") as file:
        file.write(json.dumps(header, indent=1, sort_keys=True).encode())
    return [*others, folder / "scores.json"]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_scores(folder: Path | str) -> EdgeScores:
    """Scores written by `write_scores`; the matrix is read from disk as it is used.

    Raises
    ------
    ValueError
        A file is missing, of another format, or not the one that was written.
    """
    folder = Path(folder)
    header = _header(folder)
    tensors, columns = map_tensors(folder / "scores.safetensors"), header["columns"]
    return EdgeScores(
        graph=Graph(**header["graph"]),
        values=tensors["scores"],
        metric_clean=tensors["metric_clean"],
        metric_corrupt=tensors["metric_corrupt"],
        method=header["method"],
        metric=header["metric"],
        templates=tuple(header["templates"]),
        columns=None if columns is None else tuple(columns),
        provenance=header["provenance"],
    )


def _header(folder: Path) -> dict:
    """What `scores.json` says, if it and the files that it names are those that were written."""
    path = folder / "scores.json"
    for needed in (path, folder / "scores.safetensors"):
        if not needed.is_file():
            raise ValueError(f"{folder} holds no {needed.name}; give a folder that `score` wrote")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        written, seal, sums = header.get("format"), header.pop("seal", None), header.get("sha256")
    except (ValueError, AttributeError):
        raise ValueError(f"{path} is damaged; run `score` again") from None
    if written != FORMAT:
        raise ValueError(
            f"{path} has format {written!r}, this version reads {FORMAT}; run `score` again"
        )
    if seal != item_name(header):
        raise ValueError(f"{path} was changed after it was written; run `score` again")
    for name, wanted in sums.items():
        if not (folder / name).is_file() or _hash(folder / name) != wanted:
            raise ValueError(
                f"{folder / name} is not the file that was written with scores.json: damaged, "
                "edited, or of another run; run `score` again"
            )
    return header
