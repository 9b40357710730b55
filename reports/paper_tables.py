"""Tables that join several runs into one: models by tasks, methods side by side.

`LAYOUTS` names the shapes that papers on circuit stability use. Every layout gives an unrounded
frame, the columns to show, and a caption that says what was fixed, varied and resampled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from circuitvar.reports.paper_frames import (
    edge_frame,
    edge_group_frame,
    method_frame,
    noise_frame,
    perturbation_frame,
    stability_rows,
    variance_frame,
)
from circuitvar.reports.run_folder import Run, read_run
from circuitvar.reports.table_text import Column, to_csv, to_latex, to_markdown


@dataclass(frozen=True)
class Layout:
    """One shape of table."""

    key: str
    title: str
    """What the rows are; the first sentence of the caption."""
    frame: Callable[[Sequence[Run]], pd.DataFrame]
    columns: tuple[Column, ...]
    note: str
    """What a reader must know about the numbers; the end of the caption."""


@dataclass(frozen=True, eq=False)
class PaperTable:
    """A table ready to be written."""

    layout: Layout
    frame: pd.DataFrame
    caption: str

    def texts(self) -> dict[str, str]:
        """The table as `tex`, `md` and `csv`; the CSV has every column, unrounded."""
        columns = shown_columns(self.layout.columns, self.frame)
        label = f"tab:{self.layout.key}"
        return {
            "tex": to_latex(self.frame, columns, caption=self.caption, label=label),
            "md": to_markdown(self.frame, columns, caption=self.caption),
            "csv": to_csv(self.frame),
        }


def _estimate(key: str, title: str, digits: int = 3) -> tuple[Column, Column]:
    return (
        Column(key, title, "number", se=f"{key}_se", digits=digits),
        Column(key, f"{title} interval", "interval", se=f"{key}_se", digits=digits),
    )


NAMES = (Column("model", "Model"), Column("task", "Task"))
METHOD = (Column("method", "Method"),)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "paper",
        "Stability and error of circuits by perturbation",
        perturbation_frame,
        (
            *NAMES,
            *METHOD,
            Column("perturbation", "Perturbation"),
            Column("runs", "Runs", "number", digits=0),
            Column("size_mean", "Size", "number", digits=0),
            *_estimate("circuit_error", "Circuit error"),
            Column("circuit_error_cv", "CV", "number", digits=2),
            *_estimate("kl", "KL"),
            Column("kl_cv", "CV", "number", digits=2),
            *_estimate("jaccard", "Jaccard"),
            Column("jaccard_cv", "CV", "number", digits=2),
            Column("chance", "Chance", "number"),
            *_estimate("phi", "φ"),
        ),
        "Circuit error and KL are on held-out prompts; they have a CV where the circuit of every "
        "run was evaluated and are those of the audited circuit otherwise.",
    ),
    Layout(
        "methods",
        "Circuits by attribution method, intervention and aggregation",
        method_frame,
        (
            *NAMES,
            *METHOD,
            Column("ablation", "Intervention"),
            Column("rule", "Selection"),
            Column("size", "Size", "number", digits=0),
            *_estimate("circuit_error", "Circuit error"),
            *_estimate("kl", "KL"),
            Column("jaccard_to_median", "J to median", "number"),
            Column("overlap_to_median", "Overlap", "number"),
            *_estimate("spearman", "ρ to exact"),
        ),
        "The median circuit holds the edges kept by at least half of the rows of the same model "
        "and task; overlap is the shared edges over the smaller circuit.",
    ),
    Layout(
        "edges-by-class",
        "Per-edge scores by class of edge",
        edge_group_frame,
        (
            *NAMES,
            *METHOD,
            Column("group", "Edges"),
            Column("edges", "Number", "number", digits=0),
            Column("mean", "Mean |score|", "number", digits=4),
            Column("sd", "SD", "number", digits=4),
            Column("cv", "CV", "number", digits=2),
            Column("snr", "SNR", "number", digits=1),
            Column("sign_flips", "Sign flips", "number"),
            Column("bias_squared", "Bias²", "number", digits=6),
            Column("variance", "Variance", "number", digits=6),
        ),
        "Medians over the edges of a class. SD is the standard error of the mean score and CV its "
        "ratio to |score| (unstable near zero); sign flips are the share of prompts with the "
        "minority sign. Bias² is the squared difference from exact patching, variance the squared "
        "standard error.",
    ),
    Layout(
        "noise",
        "Agreement and error under embedding noise",
        noise_frame,
        (
            *NAMES,
            *METHOD,
            Column("amplitude", "Amplitude", "number", digits=2),
            *_estimate("jaccard", "Jaccard"),
            *_estimate("circuit_error", "Circuit error"),
        ),
        "Amplitude is in standard deviations of the embeddings.",
    ),
    Layout(
        "stability",
        "Stability of circuits",
        stability_rows,
        (
            *NAMES,
            *METHOD,
            Column("edges", "Edges", "number", digits=0),
            Column("size_mean", "Size", "number", digits=0),
            Column("perturbation", "Perturbation"),
            Column("unit", "Unit"),
            Column("runs", "Runs", "number", digits=0),
            *_estimate("phi", "φ"),
            Column("jaccard", "Jaccard", "number", se="jaccard_se"),
            Column("chance", "Chance", "number"),
            Column("core", "Core", "number", digits=0),
            Column("union", "Union", "number", digits=0),
            *_estimate("faithfulness", "Faithfulness"),
        ),
        "Core edges are kept in at least 90% of runs, the union in at least one.",
    ),
    Layout(
        "variance",
        "Shares of variance by source",
        variance_frame,
        (
            *NAMES,
            *METHOD,
            Column("group", "Edges"),
            Column("layer", "Layer"),
            Column("component", "Component"),
            Column("share", "Share", "number"),
            *_estimate("variance", "Variance", 6),
        ),
        "Negative estimates are printed as they are.",
    ),
    Layout(
        "edges",
        "Edges of the circuits, most often kept first",
        edge_frame,
        (
            *NAMES,
            *METHOD,
            Column("edge", "Edge"),
            Column("score", "Score", "number", se="se"),
            Column("se", "SE", "number", se="se"),
            Column("snr", "SNR", "number", digits=1),
            Column("inclusion", "Kept", "number", digits=2),
            Column("class", "Class"),
            Column("sign_consistency", "Sign consistency", "number", digits=2),
            Column("exact", "Exact", "number", se="exact_se", digits=4),
        ),
        "Only edges kept in at least one run.",
    ),
)


def get_layout(key: str, layouts: Sequence[Layout] = LAYOUTS) -> Layout:
    """The layout called `key`.

    Raises
    ------
    ValueError
        No layout has this key.
    """
    for layout in layouts:
        if layout.key == key:
            return layout
    raise ValueError(
        f"unknown table layout {key!r}; choose one of {', '.join(layout.key for layout in layouts)}"
    )


def paper_table(folders: Sequence[Path | str], *, layout: str = "paper") -> PaperTable:
    """Join report folders into one table.

    Raises
    ------
    ValueError
        A folder holds no card, the layout is unknown, or no run has what the layout needs.
    """
    if not folders:
        raise ValueError("no run folders given; pass at least one folder with a card.json")
    chosen, runs = get_layout(layout), [read_run(folder) for folder in folders]
    frame = chosen.frame(runs)
    if frame.empty:
        raise ValueError(f"no run has what the layout {layout!r} needs ({chosen.title.lower()})")
    return PaperTable(chosen, frame, caption_of(chosen, runs, frame))


def shown_columns(columns: Sequence[Column], frame: pd.DataFrame) -> list[Column]:
    """The columns that the frame has something in."""
    shown = []
    for column in columns:
        keys = [f"{column.key}_low"] if column.kind == "interval" else [column.key]
        if all(key in frame and frame[key].notna().any() for key in keys):
            shown.append(column)
    return shown


def caption_of(layout: Layout, runs: Sequence[Run], frame: pd.DataFrame) -> str:
    """What was fixed, varied and resampled, and how the intervals were made."""
    fixed = [
        f"{key} {labels.pop()}"
        for key in ("model", "task", "method", "metric", "ablation")
        if len(labels := {run.labels.get(key, "") for run in runs}) == 1 and labels != {""}
    ]
    parts = [f"{layout.title}."]
    if fixed:
        parts.append(f"Same in all rows: {', '.join(fixed)}.")
    if "unit" in frame:
        units = frame[["perturbation", "unit"]].drop_duplicates().itertuples(index=False, name=None)
        parts.append(f"Resampled or varied: {'; '.join(f'{a} ({b})' for a, b in units)}.")
    if "phi_interval" in frame:
        methods = sorted(set(frame["phi_interval"].dropna().astype(str)))
        levels = sorted({f"{level:.0%}" for level in frame["phi_level"].dropna()})
        parts.append(f"{' and '.join(levels)} intervals of φ: {'; '.join(methods)}.")
    if "chance" in frame:
        parts.append("Chance is the expected Jaccard of random edge sets of the observed sizes.")
    return " ".join([*parts, layout.note, "No adjustment for the number of rows."])
