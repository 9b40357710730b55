"""Audit -> tidy frames, unrounded: the source of every table and figure.

Layout and rounding live elsewhere (`rounding`, `text`); a frame made here is what is
exported as CSV, so a reader can recompute anything that a page or a paper shows.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from circuitvar.audit.indices import classify
from circuitvar.audit.types import Audit, Axis

LABELS = ("model", "task", "method", "metric", "ablation")
"""Provenance entries that identify an audit, in the order tables show them."""

_SECTIONS = ("settings", "options", "data")
"""Parts of a provenance that are looked into when an entry is not at the top."""


def labels_of(provenance: Mapping[str, object]) -> dict[str, str]:
    """Model, task, method, metric and ablation, as far as a provenance has them."""
    found = {key: fact(provenance, key) for key in LABELS}
    return {key: str(value) for key, value in found.items() if value is not None}


def fact(provenance: Mapping[str, object], key: str) -> object | None:
    """One entry of a provenance, by name; a described thing (a model) gives its name.

    >>> fact({"model": {"name": "pocket", "dtype": "float32"}, "settings": {"n": 400}}, "n")
    400
    """
    value = provenance.get(key)
    for section in _SECTIONS:
        part = provenance.get(section)
        if value is None and isinstance(part, Mapping):
            value = part.get(key)
    if isinstance(value, Mapping):
        return value.get("name", value.get("key"))
    return value


def prompt_counts(audit: Audit) -> tuple[object | None, str]:
    """How many prompts are behind an audit, and ` from T templates` where that is known."""
    n, plain, templates = (
        fact(audit.provenance, key) for key in ("n_examples", "n", "n_templates")
    )
    return plain if n is None else n, f" from {templates} templates" if templates else ""


def axis_row(axis: Axis) -> dict[str, object]:
    """One axis of stability as a flat row."""
    classes, row = classify(axis.inclusion), axis.row()
    last = {name: row.pop(name) for name in ("tied", "note")}
    return row | {
        "core": int((classes == "core").sum()),
        "contingent": int((classes == "contingent").sum()),
        "union": int((axis.inclusion > 0).sum()),
        **last,
    }


def stability_frame(audit: Audit) -> pd.DataFrame:
    """One row per perturbation: phi and Jaccard with intervals, chance, sizes, edge classes."""
    labels = labels_of(audit.provenance)
    return pd.DataFrame([{**labels, **axis_row(axis)} for axis in audit.axes])


def edges_frame(audit: Audit) -> pd.DataFrame:
    """One row per edge, in the order of the graph, exactly as the audit has it."""
    return audit.edges.reset_index(drop=True)


def estimates_frame(audit: Audit) -> pd.DataFrame:
    """One row per headline number: faithfulness, circuit error, rank correlation, ..."""
    labels = labels_of(audit.provenance)
    rows = [{**labels, "name": e.name, **e.row()} for e in audit.estimates]
    return pd.DataFrame(rows)


def verdicts_frame(audit: Audit) -> pd.DataFrame:
    """One row per verdict, as text."""
    labels = labels_of(audit.provenance)
    columns = [*labels, "claim", "bar", "outcome", "reason", "needed"]
    rows = [{**labels, **{key: getattr(v, key) for key in columns[-5:]}} for v in audit.verdicts]
    return pd.DataFrame(rows, columns=columns)


def ledger_frame(audit: Audit) -> pd.DataFrame:
    """One row per variance component; negative estimates stay negative.

    `audit.tables["ledger"]` wins where an audit brings its own, e.g. one bar per edge group.
    """
    if "ledger" in audit.tables:
        return audit.tables["ledger"].rename(columns={"source": "component"})
    return pd.DataFrame(
        {
            "group": "all edges",
            "layer": component.layer,
            "component": component.name,
            "share": component.share,
            **component.variance.row("variance"),
        }
        for component in audit.components
    )


def inclusion_frame(audit: Audit) -> pd.DataFrame:
    """Inclusion frequencies of each axis in falling order: axis, perturbation, rank, inclusion."""
    parts = [
        pd.DataFrame(
            {
                "axis": axis.key,
                "perturbation": axis.title,
                "rank": np.arange(1, axis.inclusion.size + 1),
                "inclusion": np.sort(axis.inclusion)[::-1],
            }
        )
        for axis in audit.axes
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def inclusion_column(edges: pd.DataFrame) -> str | None:
    """The first inclusion column of an edge frame: the headline axis, or None."""
    return next((name for name in edges.columns if str(name).startswith("inclusion")), None)


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Stop when the frame is empty or lacks a column.

    Raises
    ------
    ValueError
        Names the missing columns, the ones that were received and what they are for.
    """
    columns = list(columns)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"the {what} needs the columns {columns}; missing {missing} from "
            f"{[str(name) for name in frame.columns]}"
        )
    if frame.empty:
        raise ValueError(f"the {what} was given a frame with no rows; leave the table out instead")
