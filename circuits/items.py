"""The one store: what took time to compute, believed only where it proves what it is.

An item is one safetensors file: arrays, a note (JSON values) and the identity, a record of all
that they follow from. Its name is the hash of the identity, so nothing is found under a wrong name
without notice; a checksum covers identity, note and arrays. Files appear by one atomic rename and
are equal byte by byte wherever the content is.
"""

import hashlib
import json
import re
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from circuitvar.circuits.atomic import replacing

SUFFIX = ".safetensors"
RUNS = "runs"
"""Folder, in that of a command's results, that holds its store."""
DAMAGED = "is damaged"
Identity = Mapping[str, object]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Item:
    """What is kept under one identity."""

    arrays: Arrays
    note: object = None
    """What is not numbers: names of templates, tables; any JSON values."""


def item_name(identity: Identity) -> str:
    """sha256 of the identity as sorted JSON: the same item has the same name everywhere.

    >>> item_name({"a": 1, "b": 2}) == item_name({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(_json(identity).encode()).hexdigest()


def item_path(folder: Path, identity: Identity) -> Path:
    """Where an item is kept."""
    return Path(folder) / f"{item_name(identity)}{SUFFIX}"


def write_item(folder: Path, identity: Identity, arrays: Arrays, note: object = None) -> Path:
    """Keep an item; a stopped write leaves nothing."""
    path = item_path(folder, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # One key: the library writes several in no fixed order.
    record = {"identity": identity, "note": note, "sha256": _checksum(identity, note, arrays)}
    with replacing(path, sync=True) as file:
        file.write(save(arrays, metadata={"item": _json(record)}))
    return path


def read_item(folder: Path, identity: Identity) -> Item | None:
    """The item of this identity; None, with a warning, where its file is damaged or of another.

    None without a warning where there is no such file.
    """
    path = item_path(folder, identity)
    if not path.exists():
        return None
    found = inspect_item(path)
    if isinstance(found, str):
        warnings.warn(f"{path} {found} and is computed again.", stacklevel=3)
        return None
    return found[1]


def inspect_item(path: Path) -> tuple[dict[str, object], Item] | str:
    """(identity, item) of a file that proves what it is, else what is wrong with it."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            record = json.loads((file.metadata() or {})["item"])
        identity, note, checksum = (record[name] for name in ("identity", "note", "sha256"))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return DAMAGED
    if checksum != _checksum(identity, note, arrays):
        return DAMAGED
    if path.name != f"{item_name(identity)}{SUFFIX}":
        return "holds another item than its name says"
    return identity, Item(arrays, note)


@dataclass(frozen=True)
class Listed:
    """One file of a store, and whether it is believed."""

    path: Path
    state: Literal["whole", "damaged", "foreign", "stale", "abandoned"]
    """`foreign`: holds another item than its name says; `stale`: of another version of this
    package, never read again; `abandoned`: what a stopped write or command left."""
    identity: Identity | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    bytes: int = 0


def list_items(folder: Path) -> list[Listed]:
    """Every item under a folder, and what stopped writes left there or beside it.

    Raises
    ------
    ValueError
        There is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give one that a command wrote to")
    found = [_listed(path) for path in sorted(folder.rglob(f"*{SUFFIX}")) if _is_item(path)]
    left = [path for path in folder.rglob(".*-*") if _TEMPORARY.fullmatch(path.name)]
    left += folder.resolve().parent.glob(f".{folder.resolve().name}-????????")
    return found + [Listed(path, "abandoned") for path in sorted(left) if _is_old(path)]


_TEMPORARY = re.compile(r"\..+-([0-9a-f]{16}|[a-z0-9_]{8})")
_NAME = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")
OLD = 3600.0
"""Seconds after which a temporary file is of no command that still runs."""


def _is_item(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > OLD


def _listed(path: Path) -> Listed:
    found, size = inspect_item(path), path.stat().st_size
    if isinstance(found, str):
        return Listed(path, "damaged" if found == DAMAGED else "foreign", bytes=size)
    identity, item = found
    shapes = {name: array.shape for name, array in item.arrays.items()}
    old = identity.get("package", version("circuitvar")) != version("circuitvar")
    return Listed(path, "stale" if old else "whole", identity, shapes, size)


def _checksum(identity: Identity, note: object, arrays: Arrays) -> str:
    digest = hashlib.sha256(_json([identity, note]).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
