"""The shapes of table that papers on circuit stability use; their columns are in `layouts.toml`."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.reports.card import Run
from circuitvar.reports.paper import edge_frames, frames
from circuitvar.reports.tables import Column

FRAMES: Mapping[str, Callable[[Sequence[Run]], pd.DataFrame]] = {
    "paper": frames.perturbation_frame,
    "methods": frames.method_frame,
    "edges-by-class": edge_frames.edge_group_frame,
    "noise": frames.noise_frame,
    "stability": frames.stability_rows,
    "variance": frames.variance_frame,
    "edges": edge_frames.edge_frame,
}


@dataclass(frozen=True)
class Layout:
    """One shape of table."""

    key: str
    title: str
    """What the rows are; the first sentence of the caption."""
    columns: tuple[Column, ...]
    """After those of `FIRST`."""
    note: str
    """What a reader must know about the numbers; the end of the caption."""

    def frame(self, runs: Sequence[Run]) -> pd.DataFrame:
        """The rows, unrounded."""
        return FRAMES[self.key](runs)

    def shown_columns(self, frame: pd.DataFrame) -> list[Column]:
        """The columns that the frame has something in, last the shares of a ledger."""
        shares = [str(key) for key in frame.columns if str(key).startswith("share: ")]
        more = [Column(key, key.removeprefix("share: "), "number") for key in shares]
        filled = set(frame.columns[frame.notna().any()])
        return [
            column
            for column in (*FIRST, *self.columns, *more)
            if (f"{column.key}_low" if column.kind == "interval" else column.key) in filled
        ]


def _columns(records: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    return tuple(Column(**record) for record in records)


_DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
FIRST = _columns(_DATA["first"])
"""Columns that every layout starts with."""
LAYOUTS = tuple(
    Layout(**{**layout, "columns": _columns(layout["columns"])}) for layout in _DATA["layout"]
)
