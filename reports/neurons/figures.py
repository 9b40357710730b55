"""Figures of a neuron audit: votes with sets, error against bounds, ranges, explanation cards.

One function per figure; tidy frames of `NeuronAudit` in, a matplotlib figure out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.similarity import get_similarity
from circuitvar.reports.figures import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    literal,
    new_figure,
    paper_style,
)
from circuitvar.reports.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETS = {
    "s_maxt": ("best concept", BLUE),
    "s_new": ("fresh data", GREEN),
    "s_vote": ("next resample", ORANGE),
}
VERDICT_COLOURS = {"stable": BLUE, "ambiguous": ORANGE, "unidentified": GREY}


def vote_bars(
    votes: pd.DataFrame,
    units: Sequence[str],
    *,
    top: int = 5,
    verdicts: Sequence[str] | None = None,
) -> "Figure":
    """Vote share of each unit's leading concepts; dots mark which sets hold the concept.

    `verdicts`, one per unit, are written into the titles.
    """
    from matplotlib.figure import Figure

    require_columns(votes, ["unit", "concept", "vote", *SETS], "votes")
    if not len(units):
        raise ValueError("no units to draw; name at least one unit of the audit.")
    with paper_style():
        columns = min(2, len(units))
        rows = -(-len(units) // columns)
        parts = [_leading(votes, unit, top) for unit in units]
        sizes = [max(len(part), 1) for part in parts]
        slots = [max(sizes[row * columns :][:columns]) for row in range(rows)]
        figure = Figure(figsize=(3.2 * columns, 0.7 + sum(0.75 + 0.2 * n for n in slots)))
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=[0.5 + n for n in slots])
        for number, unit in enumerate(units):
            title = unit if verdicts is None else f"{unit} ({verdicts[number]})"
            _vote_panel(grid.flat[number], parts[number], title, slots[number // columns])
        for axes in grid.flat[len(units) :]:
            axes.set_axis_off()
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, title="Sets cover")
    return figure


def _leading(votes: pd.DataFrame, unit: str, top: int) -> pd.DataFrame:
    """The concepts of one unit with most votes."""
    mine = pd.DataFrame(votes[votes["unit"] == unit])
    return mine.sort_values("vote", ascending=False, kind="stable").head(top)


def _vote_panel(axes: "Axes", part: pd.DataFrame, unit: str, slots: int) -> None:
    place = slots - 1 - np.arange(len(part))
    axes.barh(place, part["vote"], height=0.55, color="#c9d6e3")
    for shift, (column, (label, colour)) in enumerate(SETS.items()):
        inside = part[column].to_numpy(dtype=bool)
        x = np.full(inside.sum(), 1.06 + 0.07 * shift)
        axes.plot(x, place[inside], "o", ms=4, color=colour, label=label, clip_on=False)
    axes.set_yticks(place, [literal(name, width=26) for name in part["concept"]])
    axes.set_xlim(0, 1.25)
    axes.set_ylim(-0.6, slots - 0.4)
    axes.set_xticks([0, 0.5, 1])
    axes.set_title(literal(unit), loc="left")
    axes.set_xlabel("vote share")


def bound_curves(curve: pd.DataFrame) -> "Figure":
    """Measured error and half-widths against the number of prompts, one panel per metric."""
    from matplotlib.figure import Figure

    needed = ["metric", "prompts", "error", "exact", "distribution_free", "clustered"]
    require_columns(curve, needed, "curve")
    lines = {
        "error": ("measured, 95%", BLUE, "o-"),
        "exact": ("Clopper-Pearson", GREEN, "--"),
        "distribution_free": ("Hoeffding", ORANGE, "--"),
        "clustered": ("clustered", VERMILION, ":"),
    }
    metrics = list(dict.fromkeys(curve["metric"]))
    with paper_style():
        figure = Figure(figsize=(2.6 * len(metrics) + 0.6, 3.0))
        grid = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(grid, metrics, strict=True):
            part = pd.DataFrame(curve[curve["metric"] == metric]).sort_values("prompts")
            for column, (label, colour, style) in lines.items():
                values = part[column].clip(upper=1.0)
                axes.plot(part["prompts"], values, style, color=colour, ms=3, label=label)
            axes.set_xscale("log")
            ticks = part["prompts"].to_numpy()
            axes.set_xticks(ticks, [f"{n:g}" for n in ticks], fontsize=6.5)
            axes.minorticks_off()
            axes.set_yscale("log")
            axes.set_title(get_similarity(metric).title, loc="left")
            axes.set_xlabel("prompts")
        grid[0].set_ylabel("half-width (1 = vacuous)")
        grid[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def range_map_figure(table: pd.DataFrame, *, title: str = "") -> "Figure":
    """Leading concept of each activation range; bar length is phi, opacity bootstrap support."""
    require_columns(table, ["bin", "low", "high", "concept", "phi", "support", "samples"], "ranges")
    with paper_style():
        figure, axes = new_figure(5.2, 0.9 + 0.3 * len(table))
        _range_panel(axes, table)
        axes.set_title(literal(title, width=60), loc="left")
    return figure


def _range_panel(axes: "Axes", table: pd.DataFrame) -> None:
    phi = table["phi"].fillna(0).to_numpy(dtype=float)
    support = table["support"].fillna(0).to_numpy(dtype=float)
    bars = axes.barh(table["bin"], phi, height=0.7, color=BLUE)
    for bar, alpha in zip(bars, support, strict=True):
        bar.set_alpha(0.2 + 0.8 * float(alpha))
    reach = max(float(np.abs(phi).max()), 0.1)
    for row, value in zip(table.to_dict("records"), phi, strict=True):
        name = literal(row["concept"], width=28) if row["concept"] else "too few prompts"
        place = max(float(value), 0.0) + 0.02 * reach, row["bin"]
        text = f"{name}  (n={row['samples']})"
        axes.text(*place, text, va="center", fontsize=6.5, color=INK)
    whole = float(np.abs(table[["low", "high"]].to_numpy(dtype=float)).max())
    ends = table[["low", "high"]].where(table[["low", "high"]].abs() > 1e-3 * whole, 0.0)
    edges = [f"{low:.2g} to {high:.2g}" for low, high in ends.to_numpy(dtype=float)]
    axes.set_yticks(table["bin"], edges)
    # Room for the names, but no ticks where phi cannot be.
    axes.set_xlim(min(0.0, float(phi.min())), 1.9 * reach)
    axes.set_xticks([tick for tick in axes.get_xticks() if abs(tick) <= min(1.0, 1.2 * reach)])
    axes.set_xlim(min(0.0, float(phi.min())), 1.9 * reach)
    axes.set_xlabel("phi of range and concept")
    axes.set_ylabel("activation")


def verdict_bars(units: pd.DataFrame) -> "Figure":
    """Number of units per layer and verdict; an edge counts to the layer of its source."""
    from matplotlib.ticker import MaxNLocator

    require_columns(units, ["unit", "verdict"], "units")
    layer = units["unit"].str.extract(r"^([am]\d+|input)", expand=False).fillna("all")
    counts = pd.crosstab(layer, units["verdict"])
    with paper_style():
        figure, axes = new_figure(5.2, 0.9 + 0.32 * len(counts))
        left = np.zeros(len(counts))
        for verdict, colour in VERDICT_COLOURS.items():
            if verdict in counts:
                values = counts[verdict].to_numpy()
                axes.barh(counts.index, values, left=left, color=colour, label=verdict)
                left += values
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("units")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def flip_rates(levels: pd.DataFrame) -> "Figure":
    """Share of labels that change, a dot per level of each perturbation and a bar at the mean."""
    require_columns(levels, ["axis", "level", "flip_rate"], "levels")
    axes_names = list(dict.fromkeys(levels["axis"]))
    with paper_style():
        figure, axes = new_figure(5.2, 0.9 + 0.32 * len(axes_names))
        for row, name in enumerate(axes_names):
            values = levels.loc[levels["axis"] == name, "flip_rate"].to_numpy(dtype=float)
            spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(values, row + spread, "o", ms=3, color=BLUE, alpha=0.6)
            axes.plot([values.mean()] * 2, [row - 0.33, row + 0.33], color=INK, lw=1.2)
        axes.set_yticks(range(len(axes_names)), axes_names)
        axes.invert_yaxis()
        axes.set_xlim(-0.02, max(1.0, levels["flip_rate"].to_numpy(dtype=float).max()) + 0.02)
        axes.set_xlabel("share of labels that change")
    return figure


def explanation_card(row: pd.Series, votes: pd.DataFrame, ranges: pd.DataFrame) -> "Figure":
    """One unit on one card: label and verdict, votes, linear explanation, activation ranges."""
    from matplotlib.figure import Figure

    with paper_style():
        figure = Figure(figsize=(7.2, 3.6))
        grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.6), width_ratios=(1, 1.2))
        text = figure.add_subplot(grid[0, :])
        text.set_axis_off()
        for line, content in enumerate(card_lines(row)):
            size = 10 if line == 0 else 7.5
            text.text(0, 1 - 0.2 * line, literal(content, width=130), fontsize=size, va="top")
        left = figure.add_subplot(grid[1, 0])
        mine = _leading(votes, str(row["unit"]), 5)
        _vote_panel(left, mine, "votes", max(len(mine), 3))
        left.legend(loc="upper center", bbox_to_anchor=(0.4, -0.35), ncols=3, fontsize=6)
        right = figure.add_subplot(grid[1, 1])
        bins = pd.DataFrame(ranges[ranges["unit"] == row["unit"]]) if len(ranges) else ranges
        if len(bins):
            _range_panel(right, bins)
        else:
            right.set_axis_off()
    return figure


def card_lines(row: pd.Series) -> list[str]:
    """What is known about one unit, a line per statement; the first line is the headline."""
    lines = [
        f"{row['unit']}: {row['label'] or 'no label'} ({row['verdict']})",
        f"vote {row['vote']:.2f} [{row['vote_low']:.2f}, {row['vote_high']:.2f}]; "
        f"{row['metric']} {row['score']:.3f}; held out {row['held_out']:.3f} "
        f"[{row['held_low']:.3f}, {row['held_high']:.3f}], chance maximum {row['null_max']:.3f}",
        f"classes that may be best: {row['size_maxt']}; winner on fresh data: {row['size_new']}",
    ]
    if "linear" in row:
        lines += [
            f"linear: {row['linear']}",
            f"simulation correlation: test {row['linear_test']:.2f}, "
            f"new templates {row['linear_transfer']:.2f}",
        ]
    return lines
