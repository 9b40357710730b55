"""Runs on disk: content-addressed, written atomically, resumable run by run.

One `<digest>.npz` per run, without pickles, with its key inside. A crash leaves either a whole run
or none; a damaged or foreign file is named, not trusted.
"""

import json
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.design.design import Effect, RunKey, labels_of
from circuitvar.audit.variance import Components, moment_components
from circuitvar.circuits.atomic import replacing

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class RunTable:
    """Runs x edges scores with what each run was."""

    keys: tuple[RunKey, ...]
    scores: Float[np.ndarray, "run edge"]

    def frame(self) -> pd.DataFrame:
        """One row per run: facets, replicate, digest."""
        rows = [
            {**dict(key.levels), "replicate": key.replicate, "digest": key.digest}
            for key in self.keys
        ]
        return pd.DataFrame(rows)

    def components(self, effects: Sequence[Effect]) -> Components:
        """Variance components of facets and interactions, for all edges, from any design."""
        factors = {" x ".join(effect): labels_of(self.keys, effect) for effect in effects}
        return moment_components(self.scores, factors)


def run_path(folder: Path, key: RunKey) -> Path:
    """Where a run is kept."""
    return Path(folder) / f"{key.digest}.npz"


def save_run(folder: Path, key: RunKey, arrays: Arrays) -> Path:
    """Write one run: to a temporary file first, then renamed into place."""
    if "key" in arrays:
        raise ValueError("an array may not be called 'key'; rename it")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"levels": dict(key.levels), "replicate": key.replicate, "context": key.context}
    text = np.frombuffer(json.dumps(record, sort_keys=True).encode(), dtype=np.uint8)
    with replacing(run_path(folder, key), sync=True) as file:
        np.savez(file, key=text, **{k: np.asarray(v) for k, v in arrays.items()})  # pyright: ignore[reportArgumentType]
    return run_path(folder, key)


def load_run(folder: Path, key: RunKey) -> dict[str, np.ndarray]:
    """Arrays of one run.

    Raises
    ------
    ValueError
        The file is damaged or belongs to another run.
    FileNotFoundError
        The run is not there.
    """
    path = run_path(folder, key)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        record = json.loads(arrays.pop("key").tobytes())
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"run file {path.name} is damaged; delete it and resume") from error
    found = RunKey(tuple(record["levels"].items()), record["replicate"], record["context"])
    if found.digest != key.digest:
        raise ValueError(f"run file {path.name} holds another run; delete it and resume")
    return arrays


def run_design(
    folder: Path,
    keys: Sequence[RunKey],
    compute: Callable[[RunKey], Arrays],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Compute and store every run that is not there yet; returns how many were computed.

    `compute` must depend on the key alone (use `key.rng()`), so that a resumed design equals an
    uninterrupted one, on any number of `workers`. With more than one they are processes, and
    `compute` must be importable by name (a function of a module, or a partial of one).

    Raises
    ------
    ValueError
        `workers` is below 1, or `compute` cannot be sent to another process.
    """
    if workers < 1:
        raise ValueError(f"workers = {workers}; use 1 or more")
    missing = [key for key in keys if not run_path(folder, key).exists()]
    found = len(keys) - len(missing)
    tell = progress or (lambda done, total: None)
    if workers == 1 or len(missing) < 2:
        for done, key in enumerate(missing):
            tell(found + done, len(keys))
            save_run(folder, key, compute(key))
        return len(missing)
    try:
        pickle.dumps(compute)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"these runs cannot be sent to other processes ({error}); use workers = 1"
        ) from None
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_compute_and_save, folder, key, compute) for key in missing]
        for done, job in enumerate(jobs):
            tell(found + done, len(keys))
            job.result()
    return len(missing)


def _compute_and_save(folder: Path, key: RunKey, compute: Callable[[RunKey], Arrays]) -> None:
    """In the worker, so that scores do not travel between processes."""
    save_run(folder, key, compute(key))


def run_table(folder: Path, keys: Sequence[RunKey], *, array: str = "scores") -> RunTable:
    """Stack one array of every run: means over examples where it is [example, edge].

    Raises
    ------
    ValueError
        Runs are missing (says how many) or differ in their edges.
    """
    missing = [key for key in keys if not run_path(folder, key).exists()]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(keys)} runs are missing, first {dict(missing[0].levels)}; "
            "resume the design"
        )
    rows = []
    for key in keys:
        values = load_run(folder, key)[array]
        rows.append(values.mean(axis=0, dtype=np.float64) if values.ndim == 2 else values)
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"runs have {sorted(widths)} edges; a table needs one graph")
    return RunTable(tuple(keys), np.stack(rows))
