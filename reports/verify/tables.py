"""Checks of a report folder: its tables say what its card says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.reports.card import Check, kept_by, read_estimate, same


def folder_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """Whether the tables of the run folder say what its card says; a missing table passes."""
    return [
        check(card, pd.read_csv(folder / name))
        for name, check in (("stability.csv", _stability_table), ("edges.csv", _edge_table))
        if (folder / name).exists()
    ]


def _stability_table(card: Mapping[str, Any], frame: pd.DataFrame) -> Check:
    wrong = []
    rows = {row["axis"]: row for row in frame.to_dict("records")}
    for entry in card["axes"]:
        row = rows.get(entry["key"])
        if row is None:
            wrong.append(f"no row {entry['key']}")
            continue
        for name in ("phi", "jaccard"):
            found = read_estimate(entry[name])
            for column, value in ((name, found.value), (f"{name}_se", found.se)):
                if not same(float(row[column]), value):
                    wrong.append(f"{column} of {entry['key']}")
    return Check("stability.csv", f"differs in {', '.join(wrong)}" if wrong else "")


def _edge_table(card: Mapping[str, Any], frame: pd.DataFrame) -> Check:
    wrong = [] if len(frame) == card["edges"]["total"] else ["the number of edges"]
    for entry in card["axes"]:
        column = f"inclusion_{entry['key']}"
        if column in frame:
            found = kept_by(frame[column].to_numpy(dtype=float), entry["runs"])
            if found != {row["runs"]: row["edges"] for row in entry["kept_by"]}:
                wrong.append(column)
    return Check("edges.csv", f"differs in {', '.join(wrong)}" if wrong else "")
