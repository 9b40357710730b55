"""Rows of a user's file as plain dictionaries, with one clear sentence for whatever is wrong.

CSV and TSV (UTF-8, header line), JSONL (one object per line), parquet, folders written by
`datasets.save_to_disk`, and data sets named as on the hub: `owner/name[:config][@split]`,
split `train` if none. Nothing in a file is ever executed, nor is a data set's loading script. Rows
are counted from 1, header not included.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvar.tasks.text_files import lines_of, read_text

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of files that are read here and never asked of the hub."""
HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+?)(:(?P<config>[\w.-]+))?(@(?P<split>\w+))?")
Rows = tuple[list[str], list[dict[str, Any]]]
"""Columns, and what each row holds in them."""


@dataclass(frozen=True)
class Table:
    """The columns and rows of one file."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    def bad(self, row: int, column: str, problem: str) -> ValueError:
        """The error for one cell; `row` counts from 1."""
        return ValueError(f"{self.path}: row {row}, column {column!r}: {problem}")


def _filled(path: Path) -> str:
    text = read_text(path)
    if not text.strip():
        raise ValueError(f"{path}: the file is empty; it needs at least one row of prompts")
    return text


def _delimited(path: Path, delimiter: str) -> Rows:
    reader = csv.reader(lines_of(_filled(path)), delimiter=delimiter, strict=True)
    rows: list[dict[str, Any]] = []
    try:
        header = next(reader)
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise ValueError(f"{path}: the header names column {repeated[0]!r} more than once")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ValueError(
                    f"{path}: row {len(rows) + 1} (line {reader.line_num}) has {len(cells)} cells, "
                    f"the header has {len(header)}; quote cells that contain {delimiter!r}"
                )
            rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num} is not valid CSV: {error}") from None
    return header, rows


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for line, text in enumerate(lines_of(_filled(path)), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: line {line} is not valid JSON: {error.msg}") from None
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise ValueError(f"{path}: line {line} holds a {kind}, not an object of columns")
        yield row


def _parquet(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: not a parquet file: {str(error).splitlines()[0]}") from None
    return list(table.column_names), table.to_pylist()


def _saved_dataset(path: Path) -> Rows:
    try:
        from datasets import Dataset, load_from_disk
    except ImportError:
        raise ValueError(
            f"{path}: reading a saved dataset folder needs the package 'datasets'; install it"
        ) from None
    try:
        data = load_from_disk(str(path))
    except FileNotFoundError:
        raise ValueError(
            f"{path}: a folder, but not one written by datasets.save_to_disk; "
            f"give such a folder or a file ending in {', '.join(SUFFIXES)}"
        ) from None
    if not isinstance(data, Dataset):
        splits = ", ".join(str(name) for name in data)
        raise ValueError(f"{path}: holds the splits {splits}; give the folder of one of them")
    return list(data.column_names), list(data)  # pyright: ignore


def _hub_name(path: Path) -> re.Match[str] | None:
    """The parts of a hub name, or None for anything that is or looks like a path."""
    if path.exists() or path.suffix in SUFFIXES:
        return None
    return HUB_NAME.fullmatch(path.as_posix())


def _hub_dataset(path: Path, parts: re.Match[str]) -> Rows:
    from datasets import load_dataset

    split = parts["split"] or "train"
    try:
        data = load_dataset(parts["name"], parts["config"], split=split)
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"{path}: no such file or folder, and split {split!r} of {parts['name']!r} could not "
            f"be loaded from the hub ({why}); check the path, or write owner/name[:config][@split]"
        ) from None
    return list(data.column_names), list(data)  # pyright: ignore


def read_table(path: str | Path) -> Table:
    """All rows of a file, of a `datasets.save_to_disk` folder, or of a data set on the hub.

    Raises
    ------
    ValueError
        Names the file and, where there is one, the row or line and the column at fault.
    """
    path = Path(path)
    hub = _hub_name(path)
    if hub is None and not path.exists():
        raise ValueError(f"{path}: no such file or folder; check the path")
    if hub is not None:
        columns, rows = _hub_dataset(path, hub)
    elif path.is_dir():
        columns, rows = _saved_dataset(path)
    elif path.suffix in (".csv", ".tsv"):
        columns, rows = _delimited(path, "\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".jsonl":
        rows = list(_objects(path))
        columns = list(dict.fromkeys(name for row in rows for name in row))
    elif path.suffix == ".parquet":
        columns, rows = _parquet(path)
    else:
        kind = f"files ending in {path.suffix!r}" if path.suffix else "files without an ending"
        raise ValueError(f"{path}: cannot read {kind}; use {', '.join(SUFFIXES)} or a saved folder")
    if not rows:
        raise ValueError(f"{path}: has columns but no rows; it needs at least one row of prompts")
    return Table(path, tuple(columns), tuple(rows))


def text_cell(table: Table, row: int, column: str) -> str:
    """The text in a cell; `row` counts from 1. Empty or missing cells are errors."""
    value = table.rows[row - 1].get(column)
    if value is None or value == "":
        raise table.bad(row, column, "the cell is empty; fill it or leave the row out")
    if not isinstance(value, str):
        raise table.bad(row, column, f"expected text, found {type(value).__name__} {value!r}")
    return value


def template_cell(table: Table, row: int) -> str:
    """The row's template, empty where the file has no such column."""
    return text_cell(table, row, "template") if "template" in table.columns else ""


def text_list_cell(table: Table, row: int, column: str) -> tuple[str, ...]:
    """One or several texts: a string, or in JSONL and parquet also a list of strings."""
    value = table.rows[row - 1].get(column)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value or not all(isinstance(item, str) and item for item in value):
            raise table.bad(row, column, f"expected a list of texts, found {value!r}")
        return tuple(value)
    return (text_cell(table, row, column),)


def id_list_cell(table: Table, row: int, column: str) -> tuple[int, ...]:
    """One or several token ids, written as a number or a list of numbers."""
    value = table.rows[row - 1].get(column)
    try:
        loaded = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        loaded = None
    ids = loaded if isinstance(loaded, Sequence) and not isinstance(loaded, str) else [loaded]
    if not ids or not all(type(i) is int and i >= 0 for i in ids):
        raise table.bad(row, column, f"expected token ids (0 or more), found {value!r}")
    return tuple(ids)
