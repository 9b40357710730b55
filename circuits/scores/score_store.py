"""Scores in blocks on disk, so that a long run can stop and go on.

Each block of examples is one item of the store (`circuits.items`), under the record of everything
it follows from: model, data, what the method and the metric compute, options. Two processes that
share a store can at worst do the same work twice.
"""

import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from circuitvar.circuits.items import read_item, write_item
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores.code_digest import code_digest
from circuitvar.circuits.scores.score import Progress, data_digest, opened, score_edges
from circuitvar.circuits.types import EdgeScores, Method, ScoreOptions
from circuitvar.tasks.types import Batch, Metric

BLOCK = 64
"""Examples per file."""
ON_DISK = 2**28
"""Bytes of scores from which they are kept in a file that is mapped, not in memory."""


def score_edges_stored(
    model: Model,
    batch: Batch,
    method: Method,
    *,
    metric: Metric,
    store: Path | str,
    options: ScoreOptions | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
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
    asked = opened(model, batch, method, metric, options, batch_size)
    folder = Path(store)
    folder.mkdir(parents=True, exist_ok=True)
    shared = scoring_identity(model, asked.batch, method, metric, asked.options)

    def kept(part: Batch) -> tuple[np.ndarray, np.ndarray]:
        # Methods that draw random numbers draw them per example.
        identity = shared | {"data": data_digest(part), "examples": part.index.tolist()}
        found = read_item(folder, identity)
        if found is None:
            scores = score_edges(
                model, part, method, metric=metric, options=asked.options, batch_size=batch_size
            )
            values, metrics = scores.values, (scores.metric_clean, scores.metric_corrupt)
            names = ("scores", "metric_clean", "metric_corrupt")
            write_item(folder, identity, dict(zip(names, (values, *metrics), strict=True)))
            return values, np.array(metrics)
        arrays = found.arrays
        return arrays["scores"], np.array((arrays["metric_clean"], arrays["metric_corrupt"]))

    return asked.filled(_matrix(folder, *asked.shape), BLOCK, kept, progress)


def scoring_identity(
    model: Model, batch: Batch, method: Method, metric: Metric, options: ScoreOptions
) -> dict[str, object]:
    """What scores follow from besides their own prompts; nothing of the machine but its type."""
    return {
        "package": version("circuitvar"),
        "model": model.digest,
        "dtype": model.dtype,
        "device": model.device.partition(":")[0],
        # An edited method or metric of the same name is another.
        "method": [method.key, code_digest(method.fn, metric.fn)],
        "metric": metric.key,
        "options": asdict(replace(options, means=None)),
        # Means are taken of all prompts.
        "means": data_digest(batch) if options.means is not None else "",
    }


def _matrix(folder: Path, n: int, n_columns: int) -> np.ndarray:
    """Room for all scores: in memory, or from `ON_DISK` bytes on in a file that leaves no trace."""
    size = 4 * n * n_columns
    if size < ON_DISK:
        return np.empty((n, n_columns), dtype=np.float32)
    with tempfile.TemporaryFile(dir=folder, prefix=".matrix-") as file:
        return np.memmap(file, np.float32, mode="w+", shape=(n, n_columns))
