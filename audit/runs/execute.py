"""Compute the runs of a plan that the store does not hold: in this process, or in several.

A crash leaves a run whole or not at all; a damaged or foreign file is named and computed again.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from circuitvar.audit.runs.design import RunKey
from circuitvar.circuits.items import Item, read_item, write_item

Compute = Callable[[RunKey], Mapping[str, np.ndarray]]
"""The arrays of a run; text becomes part of the item's note."""


def load_run(folder: Path, key: RunKey) -> dict[str, np.ndarray] | None:
    """Arrays of one run; None where it is not there, or, with a warning, not whole."""
    found = read_item(folder, key.identity)
    return None if found is None else _arrays(found)


def _arrays(item: Item) -> dict[str, np.ndarray]:
    texts = item.note if isinstance(item.note, dict) else {}
    return {**item.arrays, **{name: np.array(text) for name, text in texts.items()}}


def save_run(folder: Path, key: RunKey, arrays: Mapping[str, np.ndarray]) -> Path:
    """Keep one run."""
    found = {name: np.asarray(array) for name, array in arrays.items()}
    texts = {name: array.tolist() for name, array in found.items() if array.dtype.kind == "U"}
    numbers = {name: array for name, array in found.items() if name not in texts}
    return write_item(folder, key.identity, numbers, texts or None)


def missing_runs(folder: Path, keys: Sequence[RunKey]) -> list[RunKey]:
    """The runs that the store does not hold whole."""
    return [key for key in keys if read_item(folder, key.identity) is None]


def execute(
    folder: Path,
    keys: Sequence[RunKey],
    compute: Compute,
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
    missing = missing_runs(folder, keys)
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


def _compute_and_save(folder: Path, key: RunKey, compute: Compute) -> None:
    """In the worker, so that scores do not travel between processes."""
    save_run(folder, key, compute(key))
