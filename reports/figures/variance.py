"""Figures of where variance comes from: ledger bars, specification curve, cross-faithfulness.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.reports.figures.stability import square_of
from circuitvar.reports.figures.style import (
    BLUE,
    GREY,
    GRID,
    LAYER_COLOURS,
    ON_BRIGHT,
    ON_DARK,
    PAPER,
    VERMILION,
    literal,
    new_figure,
    paper_style,
)
from circuitvar.reports.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_CHOICES = ("value", "low", "high", "se", "default")
"""Columns of a specification frame that are results, not choices."""


@dataclass(frozen=True)
class Bar:
    """One piece of a stacked bar."""

    group: str
    at: int
    """Which bar, counted from the top."""
    label: str
    layer: str
    nth: int
    """Which component of its layer."""
    start: float
    share: float
    row: Mapping[Hashable, object]
    """The row of the frame."""


def ledger_bars(frame: pd.DataFrame) -> "Figure":
    """Variance shares stacked per group of edges; negative estimates go left of zero.

    Columns: component, share; group and layer where known.
    """
    require_columns(frame, ["component", "share"], "variance ledger")
    bars = stacked_bars(frame)
    groups = list(dict.fromkeys(bar.group for bar in sorted(bars, key=lambda bar: bar.at)))
    named: set[str] = set()
    with paper_style():
        figure, axes = new_figure(6.0, 2.0 + 0.45 * len(groups))
        for bar in bars:
            axes.barh(
                bar.at,
                bar.share,
                left=bar.start,
                height=0.6,
                color=LAYER_COLOURS.get(bar.layer, GREY),
                # Components of one layer share a colour and differ by lightness.
                alpha=max(1.0 - 0.3 * bar.nth, 0.25),
                edgecolor=PAPER,
                linewidth=0.7,
                label=None if bar.label in named else literal(bar.label, width=42),
            )
            named.add(bar.label)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(range(len(groups)), [literal(group) for group in groups])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of variance")
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def stacked_bars(frame: pd.DataFrame) -> list[Bar]:
    """Where every piece of the ledger lies, component by component."""
    frame = frame.assign(
        group=frame["group"] if "group" in frame else "all edges",
        layer=frame["layer"] if "layer" in frame else "",
    )
    groups = list(dict.fromkeys(frame["group"].astype(str)))
    ends = {(group, sign): 0.0 for group in groups for sign in (True, False)}
    order: dict[str, list[str]] = {}
    bars = []
    keys = frame["layer"].astype(str), frame["component"].astype(str)
    for layer, name in dict.fromkeys(zip(*keys, strict=True)):
        order.setdefault(layer, []).append(name)
        part: pd.DataFrame = frame.loc[(keys[0] == layer) & (keys[1] == name)]
        for row in part.to_dict("records"):
            group, share = str(row["group"]), float(row["share"])
            start = ends[group, share >= 0]
            ends[group, share >= 0] = start + share
            label, nth = f"{layer} {name}".strip(), len(order[layer]) - 1
            bars.append(Bar(group, groups.index(group), label, layer, nth, start, share, row))
    return bars


def specification_curve(frame: pd.DataFrame, *, value_label: str = "value") -> "Figure":
    """Every analytic specification, sorted by outcome, above the choices it makes.

    Columns: value; low, high and default where known; every other column is one choice.
    Simonsohn, Simmons and Nelson 2020, https://doi.org/10.1038/s41562-020-0912-z.
    """
    require_columns(frame, ["value"], "specification curve")
    choices = [str(name) for name in frame.columns if name not in NOT_CHOICES]
    frame = frame.sort_values("value", kind="stable").reset_index(drop=True)
    levels = [(name, level) for name in choices for level in dict.fromkeys(frame[name])]
    x = np.arange(1, len(frame) + 1)
    with paper_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.0, 2.4 + 0.19 * len(levels)))
        ratio = [2.0, max(0.19 * len(levels), 0.4)]
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=ratio)
        if {"low", "high"} <= set(frame.columns):
            upper.vlines(x, frame["low"], frame["high"], color=GREY, linewidth=1.2)
        upper.plot(x, frame["value"], "o", color=BLUE, markersize=3.5)
        chosen = frame["default"].astype(bool) if "default" in frame else np.zeros(len(x), bool)
        if np.any(chosen):
            upper.plot(x[chosen], frame["value"][chosen], "D", color=VERMILION, label="default")
            upper.legend(loc="upper left")
        upper.set_ylabel(value_label)
        for row, (name, level) in enumerate(levels):
            lower.plot(x, np.full(len(x), row), ".", color=GRID, markersize=4)
            on = (frame[name] == level).to_numpy()
            lower.plot(x[on], np.full(int(on.sum()), row), "s", color=BLUE, markersize=3.2)
        labels = [literal(f"{name}: {level}") for name, level in levels]
        lower.set_yticks(range(len(levels)), labels, fontsize=7)
        lower.set_ylim(len(levels) - 0.4, -0.6)
        lower.grid(visible=False)
        lower.xaxis.get_major_locator().set_params(integer=True)
        lower.set_xlabel("specifications, lowest outcome first")
    return figure


def cross_faithfulness_matrix(frame: pd.DataFrame) -> "Figure":
    """Faithfulness of the circuit found on one set of prompts, run on another.

    Columns: circuit (rows), prompts (columns), faithfulness.
    """
    require_columns(frame, ["circuit", "prompts", "faithfulness"], "cross-faithfulness matrix")
    found = square_of(frame, "circuit", "prompts", "faithfulness")
    rows, cols, square = list(found.index), list(found.columns), found.to_numpy(float)
    with paper_style():
        figure, axes = new_figure(4.9, 4.0)
        low, high = min(0.0, float(np.nanmin(square))), max(1.0, float(np.nanmax(square)))
        drawn = axes.imshow(square, vmin=low, vmax=high, interpolation="nearest")
        figure.colorbar(drawn, ax=axes, label="faithfulness")
        axes.grid(visible=False)
        axes.set_xticks(
            range(len(cols)), [literal(name, width=20) for name in cols], rotation=60, ha="right"
        )
        axes.set_yticks(range(len(rows)), [literal(name, width=20) for name in rows])
        axes.set_xlabel("run on")
        axes.set_ylabel("found on")
        if max(len(rows), len(cols)) <= 12:
            for (i, j), value in np.ndenumerate(square):
                colour = ON_DARK if value < low + 0.6 * (high - low) else ON_BRIGHT
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    return figure


def cross_faithfulness_panels(frame: pd.DataFrame) -> "Figure":
    """One cross-faithfulness matrix per perturbation, on one colour scale.

    Columns: axis (panels), circuit (rows), prompts (columns), faithfulness.
    """
    columns = ["axis", "circuit", "prompts", "faithfulness"]
    require_columns(frame, columns, "cross-faithfulness panels")
    known = frame["faithfulness"].to_numpy(dtype=float)
    low, high = min(0.0, float(np.nanmin(known))), max(1.0, float(np.nanmax(known)))
    parts = [(str(name), part) for name, part in frame.groupby("axis", sort=False)]
    across, drawn = min(2, len(parts)), None
    down = -(-len(parts) // across)
    with paper_style():
        figure, _ = new_figure(3.6 * across, 2.9 * down)
        figure.clear()
        for at, (name, part) in enumerate(parts):
            axes = figure.add_subplot(down, across, at + 1)
            square = square_of(part, "circuit", "prompts", "faithfulness")
            drawn = axes.imshow(
                square.to_numpy(float), vmin=low, vmax=high, interpolation="nearest", aspect="auto"
            )
            axes.grid(visible=False)
            short = [literal(column, width=18) for column in square.columns]
            axes.set_xticks(range(len(short)), short, rotation=45, ha="right", fontsize=7)
            rows = [literal(row, width=22) for row in square.index]
            axes.set_yticks(range(len(rows)), rows, fontsize=7)
            axes.set_title(literal(name), fontsize=9)
        if drawn is not None:
            figure.colorbar(drawn, ax=figure.axes, label="faithfulness", shrink=0.8)
    return figure
