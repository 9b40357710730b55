"""Tables that join several runs into one: models by tasks, methods side by side.

`LAYOUTS` names the shapes that papers on circuit stability use. Every layout gives an unrounded
frame, the columns to show, and a caption that says what was fixed, varied and resampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from circuitvar.reports.card import Run, read_run
from circuitvar.reports.paper.layouts import LAYOUTS, Layout
from circuitvar.reports.tables import LABELS, to_csv, to_latex, to_markdown
from circuitvar.tasks.lookup import unknown


@dataclass(frozen=True, eq=False)
class PaperTable:
    """A table ready to be written."""

    layout: Layout
    frame: pd.DataFrame
    caption: str

    def texts(self) -> dict[str, str]:
        """The table as `tex`, `md` and `csv`; the CSV has every column, unrounded."""
        columns = self.layout.shown_columns(self.frame)
        label = f"tab:{self.layout.key}"
        return {
            "tex": to_latex(self.frame, columns, caption=self.caption, label=label),
            "md": to_markdown(self.frame, columns, caption=self.caption),
            "csv": to_csv(self.frame),
        }


def paper_table(folders: Sequence[Path | str], *, layout: str = "paper") -> PaperTable:
    """Join report folders into one table.

    Raises
    ------
    ValueError
        A folder holds no card, the layout is unknown, or no run has what the layout needs.
    """
    if not folders:
        raise ValueError("no run folders given; pass at least one folder with a card.json")
    known = {chosen.key: chosen for chosen in LAYOUTS}
    if layout not in known:
        raise unknown("table layout", layout, known)
    chosen, runs = known[layout], [read_run(folder) for folder in folders]
    frame = chosen.frame(runs)
    if frame.empty:
        raise ValueError(f"no run has what the layout {layout!r} needs ({chosen.title.lower()})")
    return PaperTable(chosen, frame, caption_of(chosen, runs, frame))


def caption_of(layout: Layout, runs: Sequence[Run], frame: pd.DataFrame) -> str:
    """What was fixed, varied and resampled, and how the intervals were made."""
    fixed = [
        f"{key} {labels.pop()}"
        for key in LABELS
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
