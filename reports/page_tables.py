"""Tables of an audit that no figure shows: what each is called on the page and how to read it.

The page shows a summary where a table has one row per prompt or per run; the CSV files beside the
page have every row, unrounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from circuitvar.audit.types import Audit

DRAWN = frozenset(
    "phi_by_k forecast similarity specifications influence cross_faithfulness ledger "
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
    summary: Callable[[pd.DataFrame], pd.DataFrame]
    """The frame that is printed, its columns named for a reader."""


def null_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Observed agreement against each null."""
    return frame.rename(
        columns={
            "null": "Null data",
            "kind": "What it keeps",
            "observed": "φ observed",
            "expected": "φ of null data",
            "margin": "Margin",
            "p": "p",
        }
    )


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
    rows = []
    for axis, part in frame.groupby("axis", sort=False):
        row: dict[str, object] = {"Perturbation": axis, "Circuits": len(part)}
        for key, title in (
            ("faithfulness", "Faithfulness"),
            ("circuit_error", "Circuit error"),
            ("kl", "KL"),
        ):
            if key in part:
                values = part[key].to_numpy(dtype=float)
                row[f"{title}, mean"] = float(values.mean())
                row[f"{title}, range"] = f"{values.min():.3g} to {values.max():.3g}"
        rows.append(row)
    return pd.DataFrame(rows)


def noise_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per amplitude."""
    titles = {
        "amplitude": "Amplitude",
        "jaccard": "Jaccard to the audited circuit",
        "jaccard_pairwise": "Jaccard to other amplitudes",
        "circuit_error": "Circuit error",
        "circuit_error_low": "Error, low",
        "circuit_error_high": "Error, high",
        "faithfulness": "Faithfulness",
        "gap": "Clean-corrupt gap",
    }
    return pd.DataFrame({titles[key]: frame[key] for key in titles if key in frame})


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


def method_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per method: error in metric units, then agreement with exact patching."""
    titles = {
        "method": "Method",
        "exact_rms": "RMS exact effect",
        "bias": "Mean bias",
        "bias_rms": "RMS bias",
        "noise_sd": "Noise SD",
        "rank": "Rank correlation",
        "rank_low": "Low",
        "rank_high": "High",
        "sign": "Same sign, all edges",
        "sign_strongest": "Same sign, strongest",
        "overlap": "Top-n overlap",
    }
    return pd.DataFrame({titles[key]: frame[key] for key in titles if key in frame})


TABLES: tuple[TableRecord, ...] = (
    TableRecord(
        "methods",
        "Which approximations can be trusted?",
        "Every compared method against exact patching, over all edges, on the prompts that were "
        "patched exactly. Bias is the error that more prompts do not remove, noise the error that "
        "they do, both in metric units next to the size of exact effects; a method on another "
        "scale has ranks and signs only.",
        method_rows,
    ),
    TableRecord(
        "nulls",
        "Is the agreement more than noise gives?",
        "φ between halves of the prompts, and the same statistic on null data made from the same "
        "scores. Nulls that keep every edge's noise and remove only the effects are the ones to "
        "beat; p is the share of data sets, this one included, that agree "
        "at least as well.",
        null_rows,
    ),
    TableRecord(
        "prompt_clusters",
        "Do all prompts use one circuit?",
        "Prompts per template and cluster. Prompts are clustered by the direction of their edge "
        "scores; one column means no evidence for more than one circuit, clusters that follow the "
        "templates mean that templates use different circuits.",
        cluster_rows,
    ),
    TableRecord(
        "runs",
        "Do circuits that differ in edges also differ in function?",
        "Every circuit found under a perturbation, run on the same held-out prompts: mean and "
        "range over the circuits.",
        run_rows,
    ),
    TableRecord(
        "noise",
        "Embedding noise as the corruption",
        "The circuit found when the corrupted prompt is the clean one with Gaussian noise of this "
        "amplitude, in standard deviations of the embeddings. A gap near 0 means that the noise "
        "removed nothing.",
        noise_rows,
    ),
    TableRecord(
        "selection",
        "Where the edge set is undecided",
        "Variance that selection adds (L3), Σ p(1−p) over edges with p the share of runs that "
        "keep the edge, the number of edges by which two runs are expected to differ, and which "
        "class of edges it comes from.",
        selection_rows,
    ),
)


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
