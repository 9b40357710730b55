"""Figures of an audit."""

from circuitvar.reports.figures.inline_svg import inline_svg
from circuitvar.reports.figures.numbers import Boxes, EdgePoints, Grid, Marks, Panels
from circuitvar.reports.figures.records import FigureRecord, make_figures
from circuitvar.reports.figures.style import (
    BLUE, GREEN, GREY, INK, ORANGE, VERMILION, literal, new_figure, paper_style, save_figure,
)

__all__ = [
    "BLUE", "Boxes", "EdgePoints", "FigureRecord", "GREEN", "GREY", "Grid", "INK", "Marks",
    "ORANGE", "Panels", "VERMILION", "inline_svg", "literal", "make_figures", "new_figure",
    "paper_style", "save_figure",
]
