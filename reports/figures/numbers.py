"""The numbers behind each figure, at the place where they are drawn: what pointing at them shows.

One function per figure; the frame of the figure in, marks in data coordinates out. `page_marks`
puts them on the page, so that a static figure answers to mouse, touch and keyboard.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from circuitvar.audit.types import Estimate
from circuitvar.reports.figures.edges import exact_points, influential_prompts, snr_points
from circuitvar.reports.figures.matrices import cross_square, square_of
from circuitvar.reports.figures.variance import NOT_CHOICES, stacked_bars
from circuitvar.reports.tables import show, show_estimate

Row = Mapping[Hashable, object]


@dataclass(frozen=True, eq=False)
class Boxes:
    """Rectangles (points where both ends are equal) and what each says."""

    x: Float[np.ndarray, "mark 2"]
    """Left and right, in data coordinates."""
    y: Float[np.ndarray, "mark 2"]
    """Lower and upper; NaN reaches to the edge of the axes."""
    texts: list[str]


@dataclass(frozen=True, eq=False)
class EdgePoints:
    """Points that are rows of the edge table; the page has their numbers already."""

    x: Float[np.ndarray, " mark"]
    y: Float[np.ndarray, " mark"]
    edge: Int[np.ndarray, " mark"]
    """Rows of the edge table, in the order in which the keyboard visits them."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A matrix drawn with `imshow`."""

    rows: list[str]
    columns: list[str]
    values: Float[np.ndarray, "row column"]
    between: str
    """What stands between the two names, e.g. `and` or `run on`."""
    label: str
    """What a value is."""


@dataclass(frozen=True, eq=False)
class Panels:
    """Matrices drawn side by side, one per axes."""

    titles: list[str]
    grids: list[Grid]


Marks = Boxes | EdgePoints | Grid | Panels


def _points(found: Sequence[tuple[float, float, str]]) -> Boxes:
    """Single points, those without a place left out."""
    kept = [(x, y, text) for x, y, text in found if math.isfinite(x) and math.isfinite(y)]
    place = np.array([(x, y) for x, y, _ in kept], dtype=np.float64).reshape(-1, 2)
    return Boxes(place[:, [0, 0]], place[:, [1, 1]], [text for _, _, text in kept])


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, (int, float, np.number)) else math.nan


def _with_interval(row: Row, key: str, low: str, high: str) -> str:
    """`value [low, high]`, rounded by the standard error that the interval implies."""
    value, ends = _number(row, key), (_number(row, low), _number(row, high))
    se = _number(row, f"{key}_se")
    se = se if math.isfinite(se) else (ends[1] - ends[0]) / 4
    return show_estimate(Estimate(key, value, se, *ends))


def forest_numbers(frame: pd.DataFrame) -> Marks:
    """phi, Jaccard and chance of every perturbation."""
    found = []
    for at, row in enumerate(frame.to_dict("records")):
        y, title = float(len(frame) - 1 - at), f"{row['perturbation']}\n{row['runs']} runs"
        phi = _with_interval(row, "phi", "phi_low", "phi_high")
        jaccard, chance = _number(row, "jaccard"), _number(row, "chance")
        found.append((_number(row, "phi"), y + 0.1, f"{title}\nφ {phi}"))
        found.append((jaccard, y - 0.14, f"{title}\nmean Jaccard {show(jaccard)}"))
        found.append((chance, y - 0.14, f"{title}\nchance Jaccard {show(chance)}"))
    return _points(found)


def inclusion_numbers(frame: pd.DataFrame) -> Marks:
    """One step of each curve per mark: the ranks that are kept equally often."""
    names = "axis" if "axis" in frame else "perturbation"
    steps = frame[frame["inclusion"] > 0].groupby([names, "inclusion"], sort=False)["rank"]
    ends = steps.agg(["min", "max", "size"]).reset_index()
    texts = [
        f"{row[names]}\n{row['size']} {'edge' if row['size'] == 1 else 'edges'} "
        f"(rank {row['min']} to {row['max']})\nkept in {row['inclusion']:.1%} of runs"
        for row in ends.to_dict("records")
    ]
    x = ends[["min", "max"]].to_numpy(dtype=float) + np.array([-0.5, 0.5])
    y = ends["inclusion"].to_numpy(dtype=float)
    return Boxes(x, np.stack([y, y], axis=1), texts)


def size_numbers(frame: pd.DataFrame) -> Marks:
    """phi, Jaccard and chance at every circuit size."""
    rows = frame.sort_values("k").to_dict("records")
    texts = []
    for row in rows:
        phi = _with_interval(row, "phi", "phi_low", "phi_high")
        jaccard, chance = show(_number(row, "jaccard")), show(_number(row, "chance"))
        text = f"k = {row['k']:.0f} edges\nφ {phi}\nmean Jaccard {jaccard}\nchance {chance}"
        texts.append(text)
    return _points(
        [
            (_number(row, "k"), _number(row, curve), text)
            for curve in ("phi", "jaccard", "chance")
            for row, text in zip(rows, texts, strict=True)
        ]
    )


def sample_size_numbers(frame: pd.DataFrame) -> Marks:
    """phi at every number of prompts, forecast and observed."""
    return _points(
        [
            (
                _number(row, "n"),
                _number(row, "phi"),
                f"{row['kind']}, n = {_number(row, 'n'):.0f} prompts\n"
                f"φ {_with_interval(row, 'phi', 'low', 'high')}",
            )
            for row in frame.to_dict("records")
        ]
    )


def similarity_numbers(frame: pd.DataFrame) -> Grid:
    """Jaccard of every two runs."""
    return _grid(square_of(frame, "run_a", "run_b", "jaccard"), "and", "Jaccard")


def cross_numbers(frame: pd.DataFrame) -> Grid:
    """Faithfulness of every circuit on every set of prompts."""
    return _grid(cross_square(frame), "run on", "faithfulness")


def _grid(square: pd.DataFrame, between: str, label: str) -> Grid:
    rows, columns = ([str(name) for name in names] for names in (square.index, square.columns))
    return Grid(rows, columns, square.to_numpy(dtype=float), between, label)


def cross_axes_numbers(frame: pd.DataFrame) -> Marks:
    """Every cell of every perturbation's matrix."""
    parts = {str(axis): part for axis, part in frame.groupby("axis", sort=False)}
    return Panels([*parts], [cross_numbers(part) for part in parts.values()])


def ledger_numbers(frame: pd.DataFrame) -> Marks:
    """Every piece of every bar."""
    bars = stacked_bars(frame)
    texts = []
    for bar in bars:
        share = _with_interval({**bar.row}, "share", "share_low", "share_high")
        variance = _number(bar.row, "variance")
        last = f"\nvariance {variance:.4g}" if math.isfinite(variance) else ""
        texts.append(f"{bar.group}\n{bar.label}\nshare {share}{last}")
    x = np.array([sorted((bar.start, bar.start + bar.share)) for bar in bars]).reshape(-1, 2)
    y = np.array([(bar.at - 0.3, bar.at + 0.3) for bar in bars]).reshape(-1, 2)
    return Boxes(x, y, texts)


def specification_numbers(frame: pd.DataFrame) -> Marks:
    """Every specification: its outcome and its choices."""
    choices = [str(name) for name in frame.columns if name not in NOT_CHOICES]
    texts = []
    for row in frame.sort_values("value", kind="stable").to_dict("records"):
        chosen = "\n".join(f"{name}: {row[name]}" for name in choices)
        texts.append(f"{_with_interval(row, 'value', 'low', 'high')}\n{chosen}")
    at = np.arange(1, len(frame) + 1)[:, None]
    return Boxes(at + np.array([-0.5, 0.5]), np.full((len(frame), 2), np.nan), texts)


def influence_numbers(frame: pd.DataFrame) -> Marks:
    """Every bar of the most influential prompts."""
    part = influential_prompts(frame)
    rows = np.arange(len(part), dtype=float)[::-1]
    values = part["influence"].to_numpy(dtype=float)
    templates = part["template"].map("\n{}".format) if "template" in part else [""] * len(part)
    texts = [
        f"prompt {example}{template}\ninfluence {value:+.3g}"
        for example, template, value in zip(part["example"], templates, values, strict=True)
    ]
    x = np.sort(np.stack([np.zeros(len(part)), values], axis=1), axis=1)
    return Boxes(x, rows[:, None] + np.array([-0.36, 0.36]), texts)


def exact_numbers(frame: pd.DataFrame) -> Marks:
    """Every edge with an exact effect, largest effect first."""
    return _largest_first(*exact_points(frame))


def snr_numbers(frame: pd.DataFrame) -> Marks:
    """Every edge, largest score first."""
    return _largest_first(*snr_points(frame))


def _largest_first(rows: np.ndarray, x: np.ndarray, y: np.ndarray) -> EdgePoints:
    order = np.argsort(-np.abs(x), kind="stable")
    return EdgePoints(x[order], y[order], rows[order])
