"""Tables of an audit that no figure shows, as the page prints them.

The page shows a summary where a table has one row per prompt or per run; the CSV files beside the
page have every row, unrounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from circuitvar.audit.types import Audit
from circuitvar.reports.page.records import TABLES, TableRecord

DRAWN = frozenset(
    "phi_by_k forecast similarity specifications influence cross_faithfulness ledger "
    "cross_faithfulness_axes ledger_edges "
    "random_circuits heldout".split()
)
"""Tables that a figure or a verdict already shows."""

MAX_ROWS = 200
"""Rows of a table that the page prints; the CSV has them all."""

SECTIONS = {"neurons": "Neuron explanations", "identifiability": "Identifiability"}
"""A table whose name starts with the key goes to this section."""
CHECKS, OTHER = "Checks", "Further tables"


@dataclass(frozen=True)
class ShownTable:
    """A table as the page prints it, every cell as text."""

    title: str
    note: str
    heads: list[str]
    kinds: list[str]
    """`number` or `text`, one per column."""
    rows: list[list[str]]
    total: int
    """Rows there are; more than `rows` where the page stops early."""


def further_tables(
    audit: Audit, *, records: Sequence[TableRecord] = TABLES
) -> list[tuple[str, list[ShownTable]]]:
    """Tables that no figure shows, by section: checks, neurons, identifiability, everything else.

    A table belongs to a section by its record, or by the start of its name: `neurons_...`,
    `identifiability_...`.
    """
    found = {key: frame for key, frame in audit.tables.items() if key not in DRAWN and len(frame)}
    sections: dict[str, list[ShownTable]] = {}
    for record in records:
        if record.key in found:
            frame = record.summary(found.pop(record.key))
            sections.setdefault(CHECKS, []).append(shown(frame, record.title, record.note))
    for name, frame in found.items():
        start = next((key for key in SECTIONS if name.startswith(key)), "")
        title = name.removeprefix(start).strip("_").replace("_", " ") or name
        frame = frame.rename(columns=lambda column: str(column).replace("_", " "))
        table = shown(frame, title[:1].upper() + title[1:])
        sections.setdefault(SECTIONS.get(start, OTHER), []).append(table)
    return list(sections.items())


def shown(frame: pd.DataFrame, title: str, note: str = "") -> ShownTable:
    """The first rows of a frame as text."""
    heads = [str(column) for column in frame.columns]
    numeric = [pd.api.types.is_numeric_dtype(frame.iloc[:, i]) for i in range(len(heads))]
    kinds = ["number" if is_number else "text" for is_number in numeric]
    return ShownTable(title, note, heads, kinds, plain_cells(frame.head(MAX_ROWS)), len(frame))


def plain_cells(frame: pd.DataFrame) -> list[list[str]]:
    """A frame as text cells: floats with four significant digits, the rest as it is."""
    return [
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row]
        for row in frame.itertuples(index=False, name=None)
    ]
