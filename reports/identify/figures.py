"""Figures of an identifiability audit: counts by width, tolerance curves, edge marginals, overlap.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here
beyond medians and quartiles of what the frame holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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
    save_figure,
)
from circuitvar.reports.identify.settings import main_rows
from circuitvar.reports.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"whole": BLUE, "node rule": GREEN, "paper": ORANGE}
LABELS = {
    "whole": "whole space",
    "node rule": "a hidden node left out",
    "paper": "space of the released code",
}


def counts_by_width(summary: pd.DataFrame, *, quantity: str = "valid circuits") -> "Figure":
    """Median count by width and space, with its interval; both spaces always shown."""
    require_columns(summary, ["width", "space", "median", "median_low", "median_high"], "summary")
    part = main_rows(summary)
    part = part.loc[part["quantity"] == quantity]
    with paper_style():
        figure, axes = new_figure(5.2, 3.2)
        for shift, (space, colour) in enumerate(COLOURS.items()):
            rows = part.loc[part["space"] == space].sort_values("width")
            if rows.empty:
                continue
            x = rows["width"] + 0.06 * (shift - 1)
            y = rows["median"]
            low, high = rows["median_low"].fillna(y), rows["median_high"].fillna(y)
            look = {"fmt": "o-", "color": colour, "capsize": 2, "label": LABELS[space]}
            axes.errorbar(x, y, yerr=[y - low, high - y], **look)
        axes.set_yscale("symlog", linthresh=1)
        widths = sorted(set(part["width"]))
        axes.set_xticks(widths)
        axes.set_xlim(min(widths) - 0.5, max(widths) + 0.5)
        axes.set_xlabel("width of the hidden layers")
        axes.set_ylabel(f"{quantity} (median over nets)")
        axes.axhline(1, color=GREY, linestyle=":", linewidth=1)
        axes.legend()
    return figure


def tolerance_curve(tolerance: pd.DataFrame) -> "Figure":
    """N(delta): circuits within delta of the full net, median and quartiles over nets."""
    require_columns(tolerance, ["delta", "value", "ablation", "space"], "tolerance")
    whole = tolerance.loc[tolerance["space"] == "whole"]
    with paper_style():
        figure, axes = new_figure(5.2, 3.2)
        for colour, (ablation, part) in zip(
            (BLUE, VERMILION, GREEN), whole.groupby("ablation", sort=False), strict=False
        ):
            x = np.array(sorted(set(part["delta"])), dtype=float)
            at = [part.loc[part["delta"] == d, "value"].to_numpy(dtype=float) for d in x]
            low, middle, high = np.array([np.quantile(v, (0.25, 0.5, 0.75)) for v in at]).T
            axes.plot(x, middle, "o-", color=colour, label=f"{ablation} ablation")
            axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
        axes.set(xscale="log", yscale="log", ylabel="circuits, whole space")
        axes.set_xlabel("delta: allowed distance from the full net on every input")
        axes.legend()
    return figure


def edge_marginals_map(edges: pd.DataFrame, *, ablation: str | None = None) -> "Figure":
    """Share of valid circuits that keep each edge: one row per net, one column per edge.

    `ablation` is zero, or the first there is, if left out.
    """
    require_columns(edges, ["edge", "inclusion", "ablation", "seed"], "edges")
    part = edges.loc[edges["ablation"] == ablation] if ablation else main_rows(edges)
    if "width" in part:
        # Nets of different widths have different edges: the narrowest is shown.
        part = part.loc[part["width"] == min(part["width"])]
    order = list(dict.fromkeys(part["edge"]))
    table = part.pivot_table(index="seed", columns="edge", values="inclusion")[order]
    values = table.to_numpy()
    with paper_style():
        figure, axes = new_figure(2 + 0.22 * len(order), 1.6 + min(5.0, 0.06 * len(values)))
        axes.grid(visible=False)
        image = axes.imshow(values, aspect="auto", vmin=0, vmax=1, cmap="cividis")
        axes.set_xticks(np.arange(len(order)), order, rotation=90, fontsize=7)
        axes.set_ylabel("net (seed)")
        axes.set_yticks([0, len(values) - 1], [str(table.index[0]), str(table.index[-1])])
        figure.colorbar(image, ax=axes, label="inclusion")
    return figure


def overlap_plot(overlap: pd.DataFrame) -> "Figure":
    """Jaccard between found, equally valid and minimal circuits: one dot per net.

    Frames of one model have one row per kind of circuit and no column `ablation`.
    """
    require_columns(overlap, ["circuits", "jaccard", "chance"], "overlap")
    part = main_rows(overlap) if "ablation" in overlap else overlap
    kinds = list(dict.fromkeys(part["circuits"]))
    with paper_style():
        figure, axes = new_figure(5.6, 1.2 + 0.45 * len(kinds))
        for row, kind in enumerate(reversed(kinds)):
            values = part.loc[part["circuits"] == kind, "jaccard"].dropna().to_numpy(dtype=float)
            if not len(values):
                continue
            alone = len(values) == 1
            offsets = [0.0] if alone else np.linspace(-0.22, 0.22, len(values))
            size, alpha = (6, 1.0) if alone else (3, 0.5)
            axes.plot(values, row + np.asarray(offsets), "o", ms=size, alpha=alpha, color=BLUE)
            if not alone:
                axes.plot([np.median(values)] * 2, [row - 0.32, row + 0.32], color=INK, lw=2)
            chance = part.loc[part["circuits"] == kind, "chance"].dropna().to_numpy(dtype=float)
            if len(chance):
                axes.plot([np.median(chance)] * 2, [row - 0.32, row + 0.32], color=GREY, ls=":")
        axes.plot([], [], color=GREY, ls=":", label="chance")
        axes.set_yticks(range(len(kinds)), list(reversed(kinds)))
        axes.set(ylim=(-0.6, len(kinds) - 0.4), xlim=(0, 1.02))
        axes.set_xlabel("mean Jaccard between two circuits")
        axes.legend(loc="lower left")
    return figure


def write_figures(frames: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Draw every figure the frames have data for."""
    known = {
        "counts_by_width": ("summary", counts_by_width),
        "tolerance": ("tolerance", tolerance_curve),
        "edge_marginals": ("edges", edge_marginals_map),
        "overlap": ("overlap", overlap_plot),
    }
    some = {name: part for name, part in known.items() if len(frames.get(part[0], ()))}
    return save_figures({name: draw(frames[key]) for name, (key, draw) in some.items()}, folder)


def save_figures(drawn: "Mapping[str, Figure]", folder: Path) -> list[Path]:
    """Write every figure as SVG and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / f"{name}{suffix}": name for name in drawn for suffix in (".svg", ".png")}
    for path, name in paths.items():
        save_figure(drawn[name], path)
    return list(paths)


def mask_search_plot(
    edges: pd.DataFrame, values: np.ndarray, target: float, epsilon: float
) -> "Figure":
    """Left: behaviour of every mask and the band that fits. Right: inclusion of the free edges."""
    require_columns(edges, ["edge", "in_circuit", "inclusion"], "edges")
    with paper_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 1.6 + 0.18 * len(edges)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
        left.hist(values, bins=40, color=GREY)
        left.axvspan(target - epsilon, target + epsilon, color=ORANGE, alpha=0.4, lw=0)
        left.set(xlabel="faithfulness of a mask", ylabel="masks")
        colours = [BLUE if inside else VERMILION for inside in edges["in_circuit"]]
        at = np.arange(len(edges))[::-1]
        right.barh(at, edges["inclusion"].fillna(0.0), color=colours, height=0.7)
        right.set_yticks(at, list(edges["edge"]), fontsize=7)
        right.set_xlim(0, 1)
        right.set_xlabel("share of fitting masks that keep the edge\n(red: outside the circuit)")
    return figure
