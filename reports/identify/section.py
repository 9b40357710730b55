"""What counting explanations of small nets found, as a section of a report page."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from circuitvar.reports.identify.settings import main_rows
from circuitvar.reports.page import SectionFigure, SectionTable, write_section

TABLES = {
    "summary": "Counts over nets: mean, median, interval, share unique",
    "noise": "Method noise and true degeneracy",
    "nets": "Trained nets",
    "counts": "Counts of every net",
    "tolerance": "Circuits within delta of the net",
    "sizes": "Valid circuits by size",
    "edges": "Share of valid circuits that keep each edge",
    "overlap": "Jaccard between circuits of each net",
    "found": "Circuit found in each net",
}
FIGURES = {
    "counts_by_width": (
        "Valid circuits by width",
        "Median over nets with a distribution-free interval, per space of circuits.",
    ),
    "tolerance": (
        "Tolerance curve N(delta)",
        "Circuits within delta of the full net on every input: median and quartiles over nets.",
    ),
    "edge_marginals": (
        "Edge marginals",
        "Share of valid circuits that keep each edge, one row per net (narrowest width).",
    ),
    "overlap": (
        "Method noise and true degeneracy",
        "Mean Jaccard between circuits found over edge orders, batches and prompts, between "
        "equally valid circuits, and between inclusion-minimal ones; one dot per net.",
    ),
}


def csv_name(table: str) -> str:
    """File of a table.

    >>> csv_name("counts")
    'identifiability_counts.csv'
    """
    return f"identifiability_{table}.csv"


def clear_tables(out: Path) -> None:
    """Remove the tables and figures of an earlier run, which may have had other settings."""
    for name in TABLES:
        (out / csv_name(name)).unlink(missing_ok=True)
    for name in FIGURES:
        for suffix in (".svg", ".png"):
            (out / "figures" / f"{name}{suffix}").unlink(missing_ok=True)


def write_nets_section(
    frames: Mapping[str, pd.DataFrame], gates: tuple[str, ...], out: Path, *, settings: str = ""
) -> Path:
    """`section.json` of a folder that already holds the tables and figures.

    `settings` is a sentence about how circuits were judged and counted; it joins the summary and
    the caption of every figure.
    """
    more = (settings,) if settings else ()
    names = " and ".join(gates)
    return write_section(
        out,
        kind="identifiability",
        title=f"Identifiability of small nets: {names}",
        summary=[*net_sentences(frames, names), *more],
        tables=[
            SectionTable(csv_name(name), title)
            for name, title in TABLES.items()
            if (out / csv_name(name)).is_file()
        ],
        figures=[
            SectionFigure(f"figures/{name}.svg", title, " ".join((caption, *more)))
            for name, (title, caption) in FIGURES.items()
            if (out / "figures" / f"{name}.svg").is_file()
        ],
    )


def net_sentences(frames: Mapping[str, pd.DataFrame], names: str) -> list[str]:
    """The findings in plain sentences."""
    nets = frames["nets"]
    learnt = int(nets["converged"].to_numpy().sum())
    out = [f"{learnt} of {len(nets)} nets learnt {names}; only these are counted."]
    summary = main_rows(frames.get("summary", pd.DataFrame()))
    for row in _rows(summary, "valid circuits", space="whole"):
        paper = _rows(
            summary, "valid circuits", space="paper", width=row["width"], gate=row["gate"]
        )
        judged = f"{row['ablation']} ablation, {row['criterion']} criterion"
        out.append(
            f"Width {row['width']}, {row['gate']}: a median of {row['median']:,.6g} valid circuits "
            f"in the whole space and {paper[0]['median']:,.6g} in the released code's "
            f"({row['known']}; {judged}); exactly one in "
            f"{row['unique']:.0%} of {row['nets']} nets."
        )
    for row in _rows(summary, "inclusion-minimal circuits", space="whole"):
        out.append(
            f"Width {row['width']}, {row['gate']}: a median of {row['median']:,.6g} "
            f"inclusion-minimal circuits ({row['known']}); exactly one in {row['unique']:.0%}."
        )
    return out + _noise_sentences(frames.get("noise", pd.DataFrame()))


def _rows(summary: pd.DataFrame, quantity: str, **where: object) -> list[dict]:
    if summary.empty:
        return []
    where = {"quantity": quantity, **where}
    keep = pd.Series(True, index=summary.index)
    for column, value in where.items():
        keep &= summary[column] == value
    return summary.loc[keep].to_dict("records")


def _noise_sentences(noise: pd.DataFrame) -> list[str]:
    if noise.empty:
        return []
    out = []
    for key, part in main_rows(noise).groupby(["width", "gate"], sort=False):
        width, gate = key  # pyright: ignore[reportGeneralTypeIssues]
        value = part.set_index("source")["value"]
        sources = ", ".join(
            f"{value[s]:.2f} over {s}"
            for s in value.index
            if s not in ("all", "exact uniform samples")
        )
        out.append(
            f"Width {width}, {gate}: method noise is {value['all']:.2f} (1 - Jaccard of found "
            f"circuits: {sources}); true degeneracy is {value['exact uniform samples']:.2f} "
            "(1 - Jaccard of two equally valid circuits, exact uniform samples)."
        )
    return out
