"""safetensors files larger than memory: written piece by piece, read through a memory map.

The library itself serialises from, and loads into, memory. The layout is public: eight bytes of
header length, a JSON header, then the tensors one after another.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from circuitvar.circuits.atomic import replacing

NAMES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "BOOL": "|b1"}
PIECE = 2**24
"""Bytes written at once."""


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """Write tensors by one atomic rename, holding `PIECE` bytes of them at a time.

    Raises
    ------
    ValueError
        A tensor's type has no name in `NAMES`.
    """
    kinds = {np.dtype(kind): name for name, kind in NAMES.items()}
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in kinds:
            raise ValueError(f"tensor {name!r} is {tensor.dtype}; use {', '.join(map(str, kinds))}")
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": kinds[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            rows = max(1, PIECE // max(1, tensor.nbytes // max(1, len(tensor))))
            for start in range(0, len(tensor), rows):
                file.write(np.ascontiguousarray(tensor[start : start + rows]).tobytes())
    return path


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file, read-only and only as far as it is used.

    Raises
    ------
    ValueError
        Not a safetensors file, cut short, or with a type that is not in `NAMES`.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= size - 8:
                raise ValueError("no header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return {name: _mapped(path, size, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a whole safetensors file of scores ({error})") from None


def _mapped(path: Path, size: int, start: int, entry: Mapping[str, Any]) -> np.ndarray:
    shape, kind = tuple(entry["shape"]), np.dtype(NAMES[entry["dtype"]])
    first, last = entry["data_offsets"]
    count = int(np.prod(shape, dtype=np.int64))
    if last - first != count * kind.itemsize or start + last > size:
        raise ValueError("tensor sizes do not fit the file")
    if not count:
        return np.zeros(shape, kind)
    return np.asarray(np.memmap(path, kind, mode="r", offset=start + first, shape=shape))
