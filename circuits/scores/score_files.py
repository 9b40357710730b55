"""Edge scores on disk: `scores.safetensors`, `edges.csv` and `scores.json`, all or nothing.

The matrix and the per-example metrics are in one safetensors file; names of columns, templates
and provenance are text, so that any tool can read them.
"""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from circuitvar.circuits.atomic import replacing
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.scores.tensor_files import map_tensors, write_tensors
from circuitvar.circuits.types import EdgeScores

FORMAT = 1


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
    content = {
        "edges.csv": table.getvalue().encode(),
        "scores.json": json.dumps(header, indent=1, sort_keys=True, default=str).encode(),
    }
    for name, data in content.items():
        with replacing(folder / name) as file:
            file.write(data)
    return [
        *(folder / name for name in content),
        write_tensors(folder / "scores.safetensors", tensors),
    ]


def read_scores(folder: Path | str) -> EdgeScores:
    """Scores written by `write_scores`; the matrix is read from disk as it is used.

    Raises
    ------
    ValueError
        A file is missing, of another format, or its parts do not fit together.
    """
    folder = Path(folder)
    header_file, tensor_file = folder / "scores.json", folder / "scores.safetensors"
    for path in (header_file, tensor_file):
        if not path.is_file():
            raise ValueError(f"{folder} holds no {path.name}; give a folder that `score` wrote")
    header = json.loads(header_file.read_text(encoding="utf-8"))
    if header.get("format") != FORMAT:
        raise ValueError(
            f"{header_file} has format {header.get('format')!r}, this version reads {FORMAT}"
        )
    tensors = map_tensors(tensor_file)
    graph = Graph(**header["graph"])
    columns = header["columns"]
    width = graph.n_edges if columns is None else len(columns)
    if tensors["scores"].shape != (len(header["templates"]), width):
        raise ValueError(
            f"{tensor_file} holds scores of shape {tensors['scores'].shape}, scores.json describes "
            f"({len(header['templates'])}, {width}); the files are of different runs"
        )
    return EdgeScores(
        graph=graph,
        values=tensors["scores"],
        metric_clean=tensors["metric_clean"],
        metric_corrupt=tensors["metric_corrupt"],
        method=header["method"],
        metric=header["metric"],
        templates=tuple(header["templates"]),
        columns=None if columns is None else tuple(columns),
        provenance=header["provenance"],
    )
