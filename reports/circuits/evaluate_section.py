"""Figure, sentences and `section.json` of an evaluated circuit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from circuitvar.reports.figures import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    new_figure,
    paper_style,
)
from circuitvar.reports.page import SectionFigure, SectionTable, write_section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES: dict[str, dict[str, Any]] = {
    "patching": {"color": BLUE, "marker": "o"},
    "mean": {"color": ORANGE, "marker": "s"},
    "mean-positional": {"color": GREEN, "marker": "^"},
    "zero": {"color": VERMILION, "marker": "D"},
    "optimal": {"color": GREY, "marker": "v"},
}
"""Ablation -> how it is drawn."""
TABLES = {
    "evaluation": "The circuit on held-out prompts, per ablation",
    "areas": "CPR (high is good) and CMD (low is good)",
    "curve": "Faithfulness at MIB's ten sizes",
    "tail": "Worst case: clean prompts crossed with corrupted prompts of other examples",
    "examples": "Every held-out prompt",
}


def curve_figure(tables: Mapping[str, pd.DataFrame]) -> "Figure":
    """Faithfulness against the share of edges asked for; the circuit itself as an open mark."""
    with paper_style():
        figure, axes = new_figure()
        for level in (1.0, 0.0):
            axes.axhline(level, color=INK, linewidth=0.6, linestyle=":")
        for ablation, part in tables["curve"].groupby("ablation", sort=False):
            axes.plot(
                100 * part["share"].to_numpy(dtype=float),
                part["faithfulness"].to_numpy(dtype=float),
                markersize=3.5,
                linewidth=1.2,
                label=str(ablation),
                **STYLES[str(ablation)],
            )
        curve = tables["curve"]
        n_edges = int(curve.loc[curve["share"].idxmax(), "requested"])
        for row in tables["evaluation"].to_dict("records"):
            axes.plot(
                100 * float(row["live"]) / n_edges,
                float(row["faithfulness"]),
                markersize=8,
                markerfacecolor="none",
                linestyle="none",
                label="optimal (circuit)" if row["ablation"] == "optimal" else None,
                **STYLES[row["ablation"]],
            )
        axes.set_xscale("log")
        axes.set_xlabel("edges asked for, % of all (open marks: the circuit)")
        axes.set_ylabel("faithfulness, ratio of means")
        axes.legend(fontsize=7, frameon=False)
    return figure


def evaluate_sentences(
    name: str, tables: Mapping[str, pd.DataFrame], *, in_file: bool = False
) -> list[str]:
    """What was found, quoting the tables. Files do not say how many edges were asked for."""
    rows = tables["evaluation"].to_dict("records")
    first = rows[0]
    sizes = (
        f"{first['selected']} edges in the file, {first['live']} live"
        if in_file
        else f"{first['live']} live edges ({first['requested']} asked for, {first['selected']} "
        "before dangling ones were removed)"
    )
    found = [f"{name}: {sizes}, judged on {first['n']} held-out prompts."]
    for row in rows:
        found.append(
            f"{row['ablation']} ablation: faithfulness {row['faithfulness']:.3g} (ratio of means; "
            f"mean of ratios {row['mean_of_ratios']:.3g}, IQR {row['iqr']:.3g}), circuit error "
            f"{row['circuit_error']:.3g}, KL {row['kl']:.3g} nats; without the circuit "
            f"{row['complement']:.3g} is left."
        )
    for row in tables["areas"].to_dict("records") if "areas" in tables else ():
        if row["edges"] == "requested":
            found.append(
                f"{row['ablation']} ablation, {row['axis']} axis: CPR {row['cpr']:.3g}, CMD "
                f"{row['cmd']:.3g}."
            )
    if "tail" in tables:
        tail = tables["tail"].to_dict("records")[0]
        found.append(
            f"Worst case over {tail['pairs']} crossed pairs: KL {tail['tail_mean_kl']:.3g} nats in "
            f"the worst {100 * float(tail['share']):g} % (mean {tail['mean_kl']:.3g})."
        )
    else:
        found.append("No worst case: no two prompts have the same length, so none can be crossed.")
    return found


def write_evaluate_section(
    out: Path,
    name: str,
    tables: Mapping[str, pd.DataFrame],
    cautions: Sequence[str] = (),
    *,
    in_file: bool = False,
) -> Path:
    """`section.json` of kind `circuits`; its tables and figures must be in `out`."""
    figures = []
    if (out / "circuits_curve.svg").is_file() and "curve" in tables:
        ranked = tables["curve"]["ranked_by"].iloc[0]
        note = f"Edges ranked by {ranked}; held-out prompts; open marks are the circuit itself."
        figures.append(SectionFigure("circuits_curve.svg", "Faithfulness against size", note))
    if (out / "circuits_drawing.svg").is_file():
        figures.append(SectionFigure("circuits_drawing.svg", "The circuit", "Layered from below."))
    listed = [SectionTable(f"circuits_{key}.csv", TABLES[key]) for key in TABLES if key in tables]
    return write_section(
        out,
        kind="circuits",
        title=f"Evaluation of {name}",
        summary=[*cautions, *evaluate_sentences(name, tables, in_file=in_file)],
        tables=listed,
        figures=figures,
    )
