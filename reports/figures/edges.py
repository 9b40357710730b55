"""Figures of single edges and prompts: exact against approximate, SNR against |score|, influence.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.reports.figures.style import (
    BLUE,
    CLASS_COLOURS,
    GREY,
    VERMILION,
    figure_of,
    literal,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows of the frame, x and y."""

RASTER_ABOVE = 2000
"""More points than this are drawn as pixels inside the vector figure, to keep files small."""


@figure_of("exact against approximate scatter", "score exact")
def exact_scatter(frame: pd.DataFrame, *, note: str = "") -> "Figure":
    """Approximate score against exact effect per edge, with the line of equality.

    Edges without an exact effect are left out; `class` colours the others. `note` is printed in
    the corner: the rank correlation, computed by the audit.
    """
    rows, exact, score = exact_points(frame)
    figure, axes = new_figure(4.4, 3.6)
    _scatter_by_class(axes, _classes(frame)[rows], exact, score)
    both = np.r_[exact, score, 0.0]
    span = (float(both.min()), float(both.max()))
    axes.plot(span, span, "--", color=GREY, linewidth=0.9, zorder=1, label="equality")
    linear = _signed_log_threshold(exact)
    axes.set_xscale("symlog", linthresh=linear)
    axes.set_yscale("symlog", linthresh=linear)
    _decade_ticks(axes, linear, float(np.abs(both).max()))
    axes.set_xlabel("exact effect (patching the edge)")
    axes.set_ylabel("score of the method")
    if note:
        axes.text(
            0.03, 0.97, literal(note, width=60), transform=axes.transAxes, va="top", fontsize=8
        )
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@figure_of("SNR scatter", "score snr")
def snr_scatter(frame: pd.DataFrame) -> "Figure":
    """Signal-to-noise ratio |mean| / SE against |score| per edge; |SNR| = 1.96 marked."""
    rows, size, snr = snr_points(frame)
    figure, axes = new_figure(4.8, 3.4)
    _scatter_by_class(axes, _classes(frame)[rows], size, snr)
    axes.axhline(1.96, color=VERMILION, linewidth=0.9, linestyle="--", label="|SNR| = 1.96")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("|score|")
    axes.set_ylabel("|mean| / SE")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@figure_of("prompt influence", "example influence")
def prompt_influence(frame: pd.DataFrame, *, top: int = 20) -> "Figure":
    """The `top` prompts that move phi most when left out, largest first."""
    part = influential_prompts(frame, top=top)
    rows = np.arange(len(part))[::-1]
    labels = [f"prompt {literal(example)}" for example in part["example"]]
    if "template" in part:
        pairs = zip(labels, part["template"], strict=True)
        labels = [f"{name} ({literal(template, width=24)})" for name, template in pairs]
    figure, axes = new_figure(5.6, 0.9 + 0.19 * len(part))
    colours = np.where(part["influence"] >= 0, BLUE, VERMILION)
    axes.barh(rows, part["influence"], color=list(colours), height=0.72)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(rows, labels, fontsize=7)
    axes.set_ylim(-0.7, len(part) - 0.3)
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("change of φ without the prompt")
    return figure


def influential_prompts(frame: pd.DataFrame, *, top: int = 20) -> pd.DataFrame:
    """The `top` rows of largest |influence|, largest first."""
    order = np.argsort(-np.abs(frame["influence"].to_numpy(dtype=float)), kind="stable")
    return frame.iloc[order[:top]]


def exact_points(frame: pd.DataFrame) -> Points:
    """Rows with both numbers, their exact effects and their scores."""
    exact, score = (frame[name].to_numpy(dtype=float) for name in ("exact", "score"))
    rows = np.flatnonzero(np.isfinite(exact) & np.isfinite(score))
    return rows, exact[rows], score[rows]


def snr_points(frame: pd.DataFrame) -> Points:
    """Rows that a log axis can show, their |score| and their |SNR|."""
    size, snr = (np.abs(frame[name].to_numpy(dtype=float)) for name in ("score", "snr"))
    rows = np.flatnonzero((size > 0) & (snr > 0) & np.isfinite(size) & np.isfinite(snr))
    return rows, size[rows], snr[rows]


def _classes(frame: pd.DataFrame) -> np.ndarray:
    return frame["class"].to_numpy(dtype=str) if "class" in frame else np.full(len(frame), "")


def _scatter_by_class(axes: "Axes", classes: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    raster = len(x) > RASTER_ABOVE
    for name in ("noise", "contingent", "core", ""):
        here = classes == name
        if here.any():
            axes.scatter(
                x[here],
                y[here],
                s=5 if name == "noise" else 11,
                color=CLASS_COLOURS.get(name, BLUE),
                alpha=0.5 if name == "noise" else 0.9,
                linewidths=0,
                rasterized=raster,
                label=name or None,
            )


def _signed_log_threshold(values: np.ndarray) -> float:
    """Where a signed log axis turns linear: the median size, so that half the edges are spread."""
    sizes = np.abs(values[values != 0])
    return float(np.median(sizes)) if sizes.size else 1.0


def _decade_ticks(axes: "Axes", linear: float, largest: float) -> None:
    """Zero and at most three decades on each side, away from the crowded linear part."""
    from matplotlib.ticker import FixedLocator, NullLocator

    decades = np.arange(np.ceil(np.log10(linear)) + 1, np.floor(np.log10(largest)) + 1)
    decades = 10.0 ** decades[:: -max(len(decades) // 3, 1)][:3]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([*-decades, 0.0, *decades[::-1]]))
        axis.set_minor_locator(NullLocator())
