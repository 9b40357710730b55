"""Tables that took time to compute, kept as items of a store and found again."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.circuits.items import read_item, write_item

Frames = dict[str, pd.DataFrame]


def kept_tables(
    store: Path | None, follows: Mapping[str, object], compute: Callable[[], Frames]
) -> Frames:
    """Tables of one computation, from the store where it is there.

    `follows` is everything that they follow from besides this version of the package, as JSON
    values. A damaged item is named and computed again.
    """
    if store is None:
        return compute()
    identity = {"package": version("circuitvar"), **follows}
    found = read_item(store, identity)
    if found is None:
        note = {name: _packed(frame) for name, frame in compute().items()}
        write_item(store, identity, {}, note)
        # What is read back and what was just computed are the same to the last bit.
        found = read_item(store, identity)
    assert found is not None
    packed: Mapping[str, Mapping] = found.note  # pyright: ignore[reportAssignmentType]
    return {name: _unpacked(frame) for name, frame in packed.items()}


def _packed(frame: pd.DataFrame) -> dict[str, object]:
    columns = [
        {"name": name, "dtype": str(column.dtype), "values": _plain(column)}
        for name, column in frame.items()
    ]
    return {"rows": len(frame), "columns": columns}


def _plain(column: pd.Series) -> list[object]:
    """Python's own values; none where a nullable column has none."""
    values = (value.item() if isinstance(value, np.generic) else value for value in column.tolist())
    return [None if value is pd.NA else value for value in values]


def _unpacked(packed: Mapping) -> pd.DataFrame:
    columns = {c["name"]: pd.Series(c["values"], dtype=c["dtype"]) for c in packed["columns"]}
    return pd.DataFrame(columns, index=range(packed["rows"]))
