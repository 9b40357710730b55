"""Figures that are matrices: similarity of runs, and cross-faithfulness of circuits and prompts.

One function per figure; a tidy frame in, a matplotlib figure out. No statistics happen here.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.reports.figures.style import ON_BRIGHT, ON_DARK, figure_of, literal, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


def square_of(frame: pd.DataFrame, row: str, column: str, value: str) -> pd.DataFrame:
    """One row per ordered pair -> a matrix, names in the order of the frame."""
    frame = frame.assign(**{row: frame[row].astype(str), column: frame[column].astype(str)})
    rows, columns = (list(dict.fromkeys(frame[key])) for key in (row, column))
    return frame.pivot(index=row, columns=column, values=value).reindex(index=rows, columns=columns)


def cross_square(frame: pd.DataFrame) -> pd.DataFrame:
    """Faithfulness by circuit (rows) and prompts (columns)."""
    return square_of(frame, "circuit", "prompts", "faithfulness")


@figure_of("similarity heat map", "run_a run_b jaccard")
def similarity_heat_map(frame: pd.DataFrame) -> "Figure":
    """Jaccard between every two runs, in the order of the frame (one row per ordered pair)."""
    square = square_of(frame, "run_a", "run_b", "jaccard")
    figure, axes = new_figure(4.6, 3.9)
    figure.colorbar(_draw(axes, square, 0, 1), ax=axes, label="Jaccard")
    if len(square) <= 24:
        _name(axes, square, rotation=60)
    else:
        axes.set_xlabel(f"{len(square)} runs")
        axes.set_ylabel("runs, in the same order")
    _write_values(axes, square, 0, 1)
    return figure


@figure_of("cross-faithfulness matrix", "circuit prompts faithfulness")
def cross_faithfulness_matrix(frame: pd.DataFrame) -> "Figure":
    """Faithfulness of the circuit found on one set of prompts (row), run on another (column)."""
    square = cross_square(frame)
    low, high = _range(square)
    figure, axes = new_figure(4.9, 4.0)
    figure.colorbar(_draw(axes, square, low, high), ax=axes, label="faithfulness")
    _name(axes, square, rotation=60)
    axes.set_xlabel("run on")
    axes.set_ylabel("found on")
    _write_values(axes, square, low, high)
    return figure


@figure_of("cross-faithfulness panels", "axis circuit prompts faithfulness")
def cross_faithfulness_panels(frame: pd.DataFrame) -> "Figure":
    """One cross-faithfulness matrix per perturbation, on one colour scale."""
    low, high = _range(frame["faithfulness"])
    parts = list(frame.groupby("axis", sort=False))
    across, drawn = min(2, len(parts)), None
    down = -(-len(parts) // across)
    figure, _ = new_figure(3.6 * across, 2.9 * down)
    figure.clear()
    for at, (name, part) in enumerate(parts):
        axes, square = figure.add_subplot(down, across, at + 1), cross_square(part)
        drawn = _draw(axes, square, low, high, aspect="auto")
        _name(axes, square, rotation=45, widths=(18, 22), fontsize=7)
        axes.set_title(literal(name), fontsize=9)
    if drawn is not None:
        figure.colorbar(drawn, ax=figure.axes, label="faithfulness", shrink=0.8)
    return figure


def _range(values: pd.DataFrame | pd.Series) -> tuple[float, float]:
    """Ends of a colour scale that has 0 and 1 in it."""
    known = values.to_numpy(dtype=float)
    return min(0.0, float(np.nanmin(known))), max(1.0, float(np.nanmax(known)))


def _draw(axes: "Axes", square: pd.DataFrame, low: float, high: float, **how) -> "AxesImage":
    axes.grid(visible=False)
    values = square.to_numpy(float)
    return axes.imshow(values, vmin=low, vmax=high, interpolation="nearest", **how)


def _name(
    axes: "Axes", square: pd.DataFrame, *, rotation: int, widths: tuple[int, int] = (20, 20), **font
) -> None:
    """Names of the columns below and of the rows beside the matrix, cut to `widths`."""
    columns, rows = (
        [literal(name, width=width) for name in names]
        for names, width in zip((square.columns, square.index), widths, strict=True)
    )
    axes.set_xticks(range(len(columns)), columns, rotation=rotation, ha="right", **font)
    axes.set_yticks(range(len(rows)), rows, **font)


def _write_values(axes: "Axes", square: pd.DataFrame, low: float, high: float) -> None:
    """Every value in its cell, where there is room."""
    for (i, j), value in np.ndenumerate(square.to_numpy(float)):
        if max(square.shape) <= 12 and np.isfinite(value):
            # Black on the bright part of the colour map, white on the dark part.
            colour = ON_DARK if value < low + 0.6 * (high - low) else ON_BRIGHT
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
