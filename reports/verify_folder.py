"""Checks of a report folder: its tables against its card, and its card against its scores."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from circuitvar.audit.perturb import circuit_size, matrix_axes
from circuitvar.audit.settings import Settings
from circuitvar.circuits.score_files import read_scores
from circuitvar.reports.card_numbers import Check, read_estimate, same

SCORES = "scores"
"""Folder of the per-example scores inside a report folder."""


def folder_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """The tables of the run folder say what the card says. A missing table is not a failure."""
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
    return Check("stability.csv", not wrong, f"differs in {', '.join(wrong)}" if wrong else "")


def _edge_table(card: Mapping[str, Any], frame: pd.DataFrame) -> Check:
    wrong = [] if len(frame) == card["edges"]["total"] else ["the number of edges"]
    for entry in card["axes"]:
        column = f"inclusion_{entry['key']}"
        if column not in frame:
            continue
        counts = np.rint(frame[column].to_numpy(dtype=float) * entry["runs"]).astype(int)
        found = {
            int(k): int(n) for k, n in zip(*np.unique(counts, return_counts=True), strict=True)
        }
        if found != {row["runs"]: row["edges"] for row in entry["kept_by"]}:
            wrong.append(column)
    return Check("edges.csv", not wrong, f"differs in {', '.join(wrong)}" if wrong else "")


def read_settings(card: Mapping[str, Any]) -> Settings:
    """The settings of an audit, from its card."""
    known = {field.name for field in fields(Settings)}
    saved: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in card["provenance"].get("settings", {}).items()
        if name in known
    }
    return Settings(**saved)


def score_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """Every axis that the stored scores give, recomputed from them; nothing without scores."""
    if not (folder / SCORES / "scores.json").exists():
        return []
    settings, scores = read_settings(card), read_scores(folder / SCORES)
    size = circuit_size(scores.graph.n_edges, settings.size)
    entries = {entry["key"]: entry for entry in card["axes"]}
    checks = []
    for axis in matrix_axes(scores, settings, size).axes:
        entry, wrong = entries.get(axis.key), []
        if entry is None:
            checks.append(Check(f"scores: {axis.key}", False, "the card has no such axis"))
            continue
        for name in ("phi", "jaccard"):
            again, written = getattr(axis, name), read_estimate(entry[name])
            for part in ("value", "se", "low", "high"):
                if not same(getattr(again, part), getattr(written, part)):
                    wrong.append(f"{name} {part}")
        detail = f"differs from the scores in {', '.join(wrong)}" if wrong else ""
        checks.append(Check(f"scores: {axis.key}", not wrong, detail))
    return checks
