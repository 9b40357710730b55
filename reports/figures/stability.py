"""Figures of set stability: forest plot, inclusion curve, size curve, sample-size curve.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.indices import CORE, NOISE
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
    from matplotlib.figure import Figure


LINES = ("-", "--", ":", "-.")
"""Line styles, one after the other where colours would repeat."""


@figure_of("forest plot", "perturbation unit runs phi phi_low phi_high jaccard chance")
def forest_plot(frame: pd.DataFrame) -> "Figure":
    """phi with its interval, Jaccard and chance Jaccard, one row per perturbation."""
    rows = np.arange(len(frame))[::-1]
    figure, axes = new_figure(6.0, 1.1 + 0.45 * len(frame))
    low, high = frame["phi"] - frame["phi_low"], frame["phi_high"] - frame["phi"]
    spread = np.nan_to_num(np.stack([low, high])).clip(0)
    axes.errorbar(
        frame["phi"], rows + 0.1, xerr=spread, fmt="o", color=BLUE, capsize=2.5, label="φ, interval"
    )
    axes.plot(frame["jaccard"], rows - 0.14, "D", color=VERMILION, label="mean Jaccard")
    axes.plot(frame["chance"], rows - 0.14, "|", color=GREY, markersize=9, label="chance Jaccard")
    labels = [
        f"{literal(row['perturbation'], width=46)}\n{literal(row['unit'])}, {row['runs']} runs"
        for row in frame.to_dict("records")
    ]
    axes.set_yticks(rows, labels)
    axes.set_xlim(min(0.0, float(np.nanmin(frame["phi"])) - 0.02), 1.02)
    axes.set_ylim(-0.6, len(frame) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("agreement between circuits")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@figure_of("inclusion curve", "perturbation rank inclusion")
def inclusion_curve(frame: pd.DataFrame) -> "Figure":
    """Inclusion frequency against rank, with bands for core, contingent and noise edges.

    Ranks past the last edge ever kept are not drawn.
    """
    import matplotlib as mpl

    bands = (("noise", 0.0, NOISE), ("contingent", NOISE, CORE), ("core", CORE, 1.0))
    kept = np.asarray(frame["rank"])[np.asarray(frame["inclusion"]) > 0]
    figure, axes = new_figure()
    last = 1.03 * max(float(kept.max(initial=1)), 10.0)
    for name, low, high in bands:
        axes.axhspan(low, high, color=CLASS_COLOURS[name], alpha=0.10, linewidth=0)
        axes.text(last, (low + high) / 2, f"{name} ", ha="right", va="center", fontsize=8)
    # Axis keys are short enough for a legend; titles are not.
    names = "axis" if "axis" in frame else "perturbation"
    colours = len(mpl.rcParams["axes.prop_cycle"])
    for at, (title, part) in enumerate(frame.groupby(names, sort=False)):
        part = part[part["rank"] <= last]
        line = LINES[at // colours % len(LINES)]
        axes.step(
            part["rank"], part["inclusion"], where="mid", linestyle=line, label=literal(title)
        )
    axes.set_xlim(0, last)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("edges, most often kept first")
    axes.set_ylabel("share of runs that keep the edge")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@figure_of("size curve", "k phi jaccard chance")
def size_curve(frame: pd.DataFrame) -> "Figure":
    """phi, Jaccard and the Jaccard of random circuits against circuit size k.

    The band of phi where `phi_low` and `phi_high` are known.
    """
    frame = frame.sort_values("k")
    figure, axes = new_figure()
    if {"phi_low", "phi_high"} <= set(frame.columns):
        axes.fill_between(
            frame["k"], frame["phi_low"], frame["phi_high"], color=BLUE, alpha=0.18, linewidth=0
        )
    axes.plot(frame["k"], frame["phi"], "o-", color=BLUE, label="φ")
    axes.plot(frame["k"], frame["jaccard"], "D--", color=VERMILION, label="mean Jaccard")
    axes.plot(frame["k"], frame["chance"], ":", color=GREY, label="chance Jaccard")
    axes.set_xscale("log")
    axes.set_ylim(min(0.0, float(np.nanmin(frame["phi"]))), 1.02)
    axes.set_xlabel("circuit size k (edges)")
    axes.set_ylabel("agreement")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@figure_of("sample-size curve", "n phi low high kind")
def sample_size_curve(frame: pd.DataFrame) -> "Figure":
    """phi against number of prompts: forecast band and the disjoint blocks that check it.

    Rows whose kind starts with `forecast` are drawn as a line with a band, all others as points.
    """
    is_forecast = frame["kind"].astype(str).str.startswith("forecast")
    figure, axes = new_figure()
    for kind, part in frame[is_forecast].groupby("kind", sort=False):
        part = part.iloc[np.argsort(np.asarray(part["n"]), kind="stable")]
        axes.plot(part["n"], part["phi"], "-", color=BLUE, label=literal(kind))
        axes.fill_between(part["n"], part["low"], part["high"], color=BLUE, alpha=0.18, linewidth=0)
    for kind, part in frame[~is_forecast].groupby("kind", sort=False):
        spread = np.stack([part["phi"] - part["low"], part["high"] - part["phi"]])
        axes.errorbar(
            part["n"],
            part["phi"],
            yerr=np.nan_to_num(spread).clip(0),
            fmt="o",
            color=VERMILION,
            label=literal(kind),
        )
    axes.set_xscale("log")
    axes.set_ylim(min(0.0, float(np.nanmin(frame["phi"]))), 1.02)
    axes.set_xlabel("prompts per circuit n")
    axes.set_ylabel("φ")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
