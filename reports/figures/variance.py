"""Figures of where variance comes from: ledger bars and specification curve.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.reports.figures.style import (
    BLUE,
    GREY,
    GRID,
    LAYER_COLOURS,
    PAPER,
    VERMILION,
    figure_of,
    literal,
    new_figure,
)

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


@figure_of("variance ledger", "component share")
def ledger_bars(frame: pd.DataFrame) -> "Figure":
    """Variance shares stacked per group of edges; negative estimates go left of zero.

    One bar without a column `group`, grey without a column `layer`.
    """
    bars = stacked_bars(frame)
    groups = list(dict.fromkeys(bar.group for bar in sorted(bars, key=lambda bar: bar.at)))
    named: set[str] = set()
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


@figure_of("specification curve", "value")
def specification_curve(frame: pd.DataFrame, *, value_label: str = "value") -> "Figure":
    """Every analytic specification, sorted by outcome, above the choices it makes.

    `low`, `high` and `default` are drawn where known; every other column is one choice.
    Simonsohn, Simmons and Nelson 2020, https://doi.org/10.1038/s41562-020-0912-z.
    """
    choices = [str(name) for name in frame.columns if name not in NOT_CHOICES]
    frame = frame.sort_values("value", kind="stable").reset_index(drop=True)
    levels = [(name, level) for name in choices for level in dict.fromkeys(frame[name])]
    x = np.arange(1, len(frame) + 1)
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
