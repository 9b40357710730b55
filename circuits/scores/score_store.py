"""Scores in blocks on disk, so that a long run can stop and go on.

Each block of examples is one safetensors file named by the content of everything it follows from
(model, data, what the method and the metric compute, options). Files appear by one atomic rename,
carry a checksum that is verified when they are read, and two processes that share a store can at
worst do the same work twice.
"""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from circuitvar.circuits.atomic import replacing
from circuitvar.circuits.scores.code_digest import code_digest
from circuitvar.circuits.scores.score import (
    check,
    chunk_size,
    data_digest,
    provenance,
    score_edges,
    with_means,
)
from circuitvar.circuits.types import EdgeScores, Method, ScoreOptions
from circuitvar.tasks.tokens import take, to_device

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric

FORMAT = 1
BLOCK = 64
"""Examples per file."""
ON_DISK = 2**28
"""Bytes of scores from which they are kept in a file that is mapped, not in memory."""

Block = dict[str, np.ndarray]
"""`scores` [example, edge], `metric_clean` and `metric_corrupt` [example]."""


def score_edges_stored(
    model: "Model",
    batch: "Batch",
    method: Method,
    *,
    metric: "Metric",
    store: Path | str,
    options: ScoreOptions | None = None,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EdgeScores:
    """`score_edges`, keeping every finished block of examples in the folder `store`.

    The same call again, after an interruption or in another process, computes only what is
    missing; a method whose code changed is scored anew. Blocks whose checksum is wrong are
    computed again, with a warning.

    Raises
    ------
    ValueError
        As `score_edges`.
    """
    options = ScoreOptions() if options is None else options
    check(model, batch, method, metric, options)
    batch = to_device(batch, model.device)
    options = with_means(model, batch, options)
    folder = Path(store)
    folder.mkdir(parents=True, exist_ok=True)
    whole = data_digest(batch) if options.means is not None else ""
    computed = computed_by(method, metric)
    n_columns = model.graph.n_edges if options.edges is None else len(options.edges)
    values = _matrix(folder, len(batch), n_columns)
    metrics = np.empty((2, len(batch)))
    for start in range(0, len(batch), BLOCK):
        part = take(batch, slice(start, start + BLOCK))
        name = block_digest(model, part, method, metric, options, whole, computed)
        path = folder / f"{name}.safetensors"
        found = read_block(path) if path.exists() else None
        if found is None:
            scores = score_edges(
                model, part, method, metric=metric, options=options, batch_size=batch_size
            )
            found = {
                "scores": scores.values,
                "metric_clean": scores.metric_clean,
                "metric_corrupt": scores.metric_corrupt,
            }
            write_block(path, found)
        rows = slice(start, start + len(part))
        values[rows] = found["scores"]
        metrics[:, rows] = found["metric_clean"], found["metric_corrupt"]
        if progress is not None:
            progress(min(start + BLOCK, len(batch)), len(batch))
    size = batch_size or chunk_size(model, batch, metric)
    return EdgeScores(
        graph=model.graph,
        values=values,
        metric_clean=metrics[0],
        metric_corrupt=metrics[1],
        method=method.key,
        metric=metric.key,
        templates=batch.templates,
        columns=options.edges,
        provenance=provenance(model, batch, method, metric, options, size),
    )


def _matrix(folder: Path, n: int, n_columns: int) -> np.ndarray:
    """Room for all scores: in memory, or from `ON_DISK` bytes on in a file that leaves no trace."""
    size = 4 * n * n_columns
    if size < ON_DISK:
        return np.empty((n, n_columns), dtype=np.float32)
    with tempfile.TemporaryFile(dir=folder, prefix=".matrix-") as file:
        return np.memmap(file, np.float32, mode="w+", shape=(n, n_columns))


def block_digest(
    model: "Model",
    part: "Batch",
    method: Method,
    metric: "Metric",
    options: ScoreOptions,
    whole: str = "",
    computed: str = "",
) -> str:
    """sha256 of what a block follows from.

    `whole`: digest of the data that means were taken of; `computed`: `computed_by(method, metric)`,
    where it is known.
    """
    recorded = asdict(replace(options, means=None))
    key = {
        "format": FORMAT,
        "package": version("circuitvar"),
        "model": model.digest,
        "dtype": model.dtype,
        "device": model.device.partition(":")[0],
        "method": [method.key, computed or computed_by(method, metric)],
        "metric": metric.key,
        "options": recorded,
        "data": data_digest(part),
        # Methods that draw random numbers draw them per example.
        "examples": part.index.tolist(),
        "means": whole,
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def computed_by(method: Method, metric: "Metric") -> str:
    """Digest of the code behind scores, so that an edited method of the same name is another."""
    return code_digest(method.fn, metric.fn)


def _checksum(arrays: Block) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_block(path: Path, arrays: Block) -> None:
    """Write a block under a temporary name in the same folder, then rename it."""
    data = save(dict(arrays), metadata={"sha256": _checksum(arrays), "format": str(FORMAT)})
    with replacing(path, sync=True) as file:
        file.write(data)


def read_block(path: Path) -> Block | None:
    """A block whose checksum is right, or None, with a warning."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            wanted = (file.metadata() or {}).get("sha256")
    except (SafetensorError, OSError):
        arrays, wanted = {}, None
    if wanted is None or _checksum(arrays) != wanted:
        warnings.warn(f"score block {path} is damaged and is computed again.", stacklevel=3)
        return None
    return arrays
