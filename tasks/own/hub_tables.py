"""Data sets named as on the Hugging Face hub: `owner/name[:config][@split]`, split `train` if none.

Only data is loaded (parquet, JSON, CSV): no loading script of a data set is ever run.
"""

import re
from pathlib import Path
from typing import Any

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of files that are read here and never asked of the hub."""
NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+?)(:(?P<config>[\w.-]+))?(@(?P<split>\w+))?")


def hub_name(path: Path) -> re.Match[str] | None:
    """The parts of a hub name, or None for anything that is or looks like a path.

    >>> hub_name(Path("mib-bench/ioi@test"))["split"]
    'test'
    >>> hub_name(Path("data/pairs.csv")) is None
    True
    """
    if path.exists() or path.suffix in SUFFIXES:
        return None
    return NAME.fullmatch(path.as_posix())


def hub_dataset(path: Path, parts: re.Match[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of one split.

    Raises
    ------
    ValueError
        No such data set, configuration or split; or the hub cannot be reached.
    """
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
