"""Open the arrays of a neuron audit from files: `.npy` and `.safetensors`, mapped read-only.

Nothing is loaded until it is read, a file is never written, and no pickle is ever opened.
"""

import json
from pathlib import Path

import numpy as np

DTYPES = dict(
    zip(
        "F64 F32 F16 I64 I32 I16 I8 U8 BOOL".split(),
        "<f8 <f4 <f2 <i8 <i4 <i2 |i1 |u1 |b1".split(),
        strict=True,
    )
)


def open_array(path: str | Path, *, key: str | None = None) -> np.ndarray:
    """Map an array file read-only; `key` names one tensor of a `.safetensors` file.

    A file with a single tensor needs no key.

    Raises
    ------
    ValueError
        No such file, another format, an array of Python objects, an unknown key, or a tensor type
        numpy does not have (bfloat16).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/acts.npy", np.zeros((3, 2), np.float32))
    ...     open_array(folder + "/acts.npy").shape
    (3, 2)
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file; pass a .npy or .safetensors file.")
    if path.suffix == ".npy":
        if key is not None:
            raise ValueError(f"{path} is a .npy file and has no tensor {key!r}; leave out the key.")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise ValueError(
                f"{path} cannot be mapped ({error}); save a numeric array with numpy.save."
            ) from error
    if path.suffix == ".safetensors":
        return _open_tensor(path, key)
    raise ValueError(f"{path} ends in {path.suffix!r}; pass a .npy or .safetensors file.")


def _open_tensor(path: Path, key: str | None) -> np.ndarray:
    header, start = _header(path)
    if key is None:
        if len(header) != 1:
            raise ValueError(
                f"{path} holds {len(header)} tensors ({', '.join(sorted(header)[:8])}); "
                "say which with key."
            )
        key = next(iter(header))
    if key not in header:
        raise ValueError(f"{path} has no tensor {key!r}; it holds {', '.join(sorted(header)[:8])}.")
    kind, shape = header[key]["dtype"], tuple(header[key]["shape"])
    if kind not in DTYPES:
        raise ValueError(f"tensor {key!r} of {path} is {kind}; save it as float32.")
    first, last = header[key]["data_offsets"]
    dtype = np.dtype(DTYPES[kind])
    if last - first != dtype.itemsize * int(np.prod(shape)) or start + last > path.stat().st_size:
        raise ValueError(f"tensor {key!r} of {path} is cut short; write the file again.")
    if last == first:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=start + first, shape=shape)


def _header(path: Path) -> tuple[dict, int]:
    """Tensor records and where the data starts: 8 bytes of length, then JSON."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length <= size - 8 else b""
    try:
        header = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} has no safetensors header; write the file again.") from error
    return {k: v for k, v in header.items() if k != "__metadata__"}, 8 + length
