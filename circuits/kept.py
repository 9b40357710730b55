"""Runs of a model kept in its store, each under the record of everything it follows from.

Nothing of the machine is in the record but the number format and the type of device.
"""

import hashlib
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from circuitvar.circuits.items import Arrays, Identity, read_item, write_item
from circuitvar.circuits.model import Model
from circuitvar.tasks.language import noise_positions
from circuitvar.tasks.types import Batch


def run_identity(model: Model) -> dict[str, object]:
    """What every run of a model follows from."""
    device = model.device.partition(":")[0]
    facts = {"model": model.digest, "dtype": model.dtype, "device": device}
    return {"package": version("circuitvar"), **facts}


def kept(model: Model, identity: Identity, compute: Callable[[], Arrays]) -> Arrays:
    """Arrays of a run: from the model's store, or computed now and put there.

    `identity` is what the run follows from besides the model. A damaged or foreign item is named in
    a warning and computed again; a model without a store keeps nothing.
    """
    if model.store is None:
        return compute()
    whole = {**run_identity(model), **identity}
    found = read_item(model.store, whole)
    if found is not None:
        return found.arrays
    arrays = compute()
    write_item(model.store, whole, arrays)
    return arrays


def batch_digest(batch: Batch) -> str:
    """sha256 of tokens, masks, answers, read-out positions, and noise where there is any."""
    digest = hashlib.sha256()
    for name in ("clean", "corrupt", "mask", "answers", "wrong_answers", "last"):
        array = getattr(batch, name).cpu().numpy()
        digest.update(repr((name, array.shape, str(array.dtype))).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    if batch.noise is not None:
        digest.update(repr((batch.noise.key, batch.index.tolist())).encode())
        digest.update(noise_positions(batch, batch.noise).cpu().numpy().tobytes())
    return digest.hexdigest()
