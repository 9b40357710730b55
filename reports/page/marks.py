"""The numbers behind the figures as one JSON document, at their places in the page's drawings.

matplotlib laid the figures out; the same transforms say where each mark is, in the units of the
figure's SVG (72 per inch, y downwards). The page's script finds the mark nearest to the pointer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from circuitvar.audit.types import Audit
from circuitvar.reports.figures import Boxes, EdgePoints, FigureRecord, Grid, Marks, Panels
from circuitvar.reports.page.data import rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS = 72
"""SVG units per inch, as matplotlib writes them."""


def page_marks(
    audit: Audit, figures: "Sequence[tuple[FigureRecord, Figure]]"
) -> dict[str, dict[str, Any]]:
    """Marks by figure key. The figures must have been drawn (saved) already."""
    found = {}
    for record, figure in figures:
        frame = record.frame(audit)
        if record.numbers is not None and frame is not None:
            found[record.key] = place_marks(figure, record.numbers(frame))
    return found


def place_marks(figure: "Figure", marks: Marks) -> dict[str, Any]:
    """One figure's marks in the units of its SVG; they belong to its first axes."""
    if isinstance(marks, EdgePoints):
        place = _place(figure, np.stack([marks.x, marks.y], axis=1))
        drawn = np.isfinite(place).all(axis=1)
        return {"kind": "edges", **_columns(place[drawn], "xy"), "edge": marks.edge[drawn].tolist()}
    if isinstance(marks, Grid):
        count = np.array([len(marks.columns), len(marks.rows)], dtype=np.float64)
        corners = _place(figure, np.array([[-0.5, -0.5], count - 0.5]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return {
            "kind": "grid",
            "box": rounded(np.r_[low, high - low]),
            "rows": marks.rows,
            "columns": marks.columns,
            "values": [rounded(row) for row in marks.values],
            "between": marks.between,
            "label": marks.label,
        }
    if isinstance(marks, Panels):
        return _panel_cells(figure, marks)
    # A number that does not exist (the share of a variance of 0) is drawn nowhere.
    place = _boxes(figure, marks)
    drawn = np.flatnonzero(np.isfinite(place).all(axis=1))
    texts = [marks.texts[i] for i in drawn]
    return {"kind": "boxes", **_columns(place[drawn], "xywh"), "texts": texts}


def _panel_cells(figure: "Figure", marks: Panels) -> dict[str, Any]:
    """Every cell of every panel as a box; panel k is drawn in axes k."""
    boxes, texts = [], []
    for at, (title, grid) in enumerate(zip(marks.titles, marks.grids, strict=True)):
        for (i, j), value in np.ndenumerate(grid.values):
            if np.isfinite(value):
                ends = _place(figure, np.array([[j - 0.5, i - 0.5], [j + 0.5, i + 0.5]]), at=at)
                low, high = ends.min(axis=0), ends.max(axis=0)
                boxes.append(np.r_[low, high - low])
                names = f"{grid.rows[i]} {grid.between} {grid.columns[j]}"
                texts.append(f"{title}\n{names}\n{grid.label} {value:.3f}")
    return {"kind": "boxes", **_columns(np.array(boxes).reshape(-1, 4), "xywh"), "texts": texts}


def _boxes(figure: "Figure", marks: Boxes) -> Float[np.ndarray, "mark 4"]:
    """Left, top, width, height; NaN ends become the ends of the axes."""
    low, high = figure.axes[0].get_ylim()
    y = np.where(np.isnan(marks.y), np.array([low, high]), marks.y)
    first, second = (_place(figure, np.stack([marks.x[:, i], y[:, i]], axis=1)) for i in (0, 1))
    corner = np.minimum(first, second)
    return np.concatenate([corner, np.abs(second - first)], axis=1)


def _place(
    figure: "Figure", points: Float[np.ndarray, "point 2"], *, at: int = 0
) -> Float[np.ndarray, "point 2"]:
    """Data coordinates of one of the axes, the first by default -> SVG units."""
    pixels = figure.axes[at].transData.transform(points.reshape(-1, 2))
    share = figure.transFigure.inverted().transform(pixels)
    share[:, 1] = 1 - share[:, 1]
    return share * figure.get_size_inches() * UNITS


def _columns(values: np.ndarray, names: str) -> dict[str, list[float]]:
    """One list per column, to a tenth of a unit."""
    return {
        name: np.round(column, 1).tolist() for name, column in zip(names, values.T, strict=True)
    }
