"""Tables of an audit that no figure shows, as the page prints them.

The page shows a summary where a table has one row per prompt or per run; the CSV files beside the
page have every row, unrounded. What each is called and how to read it is in `tables.toml`.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from circuitvar.audit.types import Audit

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


@dataclass(frozen=True)
class TableRecord:
    """How one named table of an audit is shown."""

    key: str
    title: str
    note: str
    """What the table says and how to read it."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column -> heading of those that are printed, in this order; all where empty."""

    def summary(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame that is printed, its columns named for a reader."""
        if self.key in SUMMARIES:
            return SUMMARIES[self.key](frame)
        if not self.columns:
            return spaced(frame)
        return pd.DataFrame({self.columns[k]: frame[k] for k in self.columns if k in frame})


def spaced(frame: pd.DataFrame) -> pd.DataFrame:
    """Column names with spaces for underscores."""
    return frame.rename(columns=lambda column: str(column).replace("_", " "))


def cluster_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Prompts per template (rows) and cluster (columns).

    >>> cluster_rows(pd.DataFrame({"example": [0, 1], "template": ["a", "a"], "cluster": [0, 1]}))
      Template  Cluster 1  Cluster 2
    0        a          1          1
    """
    counts = pd.crosstab(frame["template"].astype(str), frame["cluster"].astype(int))
    counts.columns = [f"Cluster {number + 1}" for number in counts.columns]
    return counts.reset_index(names="Template")


def run_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over the circuits of each perturbation."""
    titles = {"faithfulness": "Faithfulness", "circuit_error": "Circuit error", "kl": "KL"}
    rows = []
    for axis, part in frame.groupby("axis", sort=False):
        row: dict[str, object] = {"Perturbation": axis, "Circuits": len(part)}
        for key in (key for key in titles if key in part):
            values = part[key].to_numpy(dtype=float)
            row[f"{titles[key]}, mean"] = float(values.mean())
            row[f"{titles[key]}, range"] = f"{values.min():.3g} to {values.max():.3g}"
        rows.append(row)
    return pd.DataFrame(rows)


def selection_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Share of the selection variance by class of edge (columns) and perturbation (rows)."""
    total = frame[frame["group"] == "all edges"].set_index("axis")
    groups = [name for name in dict.fromkeys(frame["group"]) if name != "all edges"]
    wide = frame.pivot(index="axis", columns="group", values="share")
    wide = wide.reindex(index=list(dict.fromkeys(frame["axis"])), columns=groups)
    wide.columns = [f"Share: {name}" for name in groups]
    wide.insert(0, "Σ p(1−p)", total["selection_variance"])
    wide.insert(1, "Edges that differ", total["expected_symmetric_difference"])
    return wide.reset_index(names="Perturbation")


SUMMARIES: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "prompt_clusters": cluster_rows,
    "runs": run_rows,
    "selection": selection_rows,
}
"""Tables of which the page prints something else than columns."""
TABLES = tuple(
    TableRecord(**record)
    for record in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["table"]
)


def further_tables(audit: Audit) -> list[tuple[str, list[ShownTable]]]:
    """Tables that no figure shows, by section: checks, neurons, identifiability, everything else.

    A table belongs to a section by its record, or by the start of its name: `neurons_...`,
    `identifiability_...`.
    """
    found = {key: frame for key, frame in audit.tables.items() if key not in DRAWN and len(frame)}
    sections: dict[str, list[ShownTable]] = {}
    for record in TABLES:
        if record.key in found:
            frame = record.summary(found.pop(record.key))
            sections.setdefault(CHECKS, []).append(shown(frame, record.title, record.note))
    for name, frame in found.items():
        start = next((key for key in SECTIONS if name.startswith(key)), "")
        title = name.removeprefix(start).strip("_").replace("_", " ") or name
        table = shown(spaced(frame), title[:1].upper() + title[1:])
        sections.setdefault(SECTIONS.get(start, OTHER), []).append(table)
    return list(sections.items())


def shown(frame: pd.DataFrame, title: str, note: str = "") -> ShownTable:
    """The first rows of a frame as text: floats with four significant digits, the rest as it is."""
    numeric = [pd.api.types.is_numeric_dtype(frame.iloc[:, i]) for i in range(frame.shape[1])]
    kinds = ["number" if is_number else "text" for is_number in numeric]
    rows = [
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row]
        for row in frame.head(MAX_ROWS).itertuples(index=False, name=None)
    ]
    return ShownTable(title, note, [str(name) for name in frame], kinds, rows, len(frame))
