"""One look for every figure: colours safe for colour-blind readers, thin axes, no global state.

Figures are built on `matplotlib.figure.Figure`, never on pyplot, so that importing or calling this
package neither opens windows nor changes a user's own settings.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import pandas as pd

from circuitvar.reports.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawing = TypeVar("Drawing", bound="Callable[..., Figure]")
STYLE_FILE = Path(__file__).with_name("circuitvar.mplstyle")

BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, GREY = (
    "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #7F7F7F".split()
)
"""Okabe and Ito, Color Universal Design (2008), black replaced by a grey."""

CLASS_COLOURS = {"core": BLUE, "contingent": ORANGE, "noise": GREY}
LAYER_COLOURS = {"L0": BLUE, "L1": SKY, "L2": GREEN, "L3": ORANGE, "L4": VERMILION, "L5": PINK}
INK = "#2b2b2b"
"""Text and axes; the page recolours it in dark mode."""
GRID = "#d9d9d9"
PAPER = "#ffffff"
"""Gaps between bars: the colour of the page behind the figure."""
ON_DARK, ON_BRIGHT = "#fdfdfd", "#111111"
"""Text on coloured cells; the same in light and dark mode."""


@contextmanager
def paper_style() -> Iterator[None]:
    """The style of the package, for figures made or saved inside the block."""
    from matplotlib import rc_context

    with rc_context(fname=STYLE_FILE):
        yield


def figure_of(what: str, columns: str) -> "Callable[[Drawing], Drawing]":
    """Decorator of a figure: it needs these columns (words) and is drawn in the package's style."""

    def decorated(draw: "Drawing") -> "Drawing":
        @wraps(draw)
        def drawn(frame: pd.DataFrame, **options) -> "Figure":
            require_columns(frame, columns.split(), what)
            with paper_style():
                return draw(frame, **options)

        return cast(Drawing, drawn)

    return decorated


def new_figure(width: float = 5.2, height: float = 3.2) -> "tuple[Figure, Axes]":
    """An empty figure with one axes; sizes in inches. Call inside `paper_style`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def literal(text: object, *, width: int = 32) -> str:
    r"""A label that matplotlib must not read as mathematics, cut to `width` characters.

    >>> literal("a very long template name that says it all"), literal("$x$")
    ('a very long template name that …', '\\$x\\$')
    """
    line = " ".join(str(text).split())
    line = line if len(line) <= width else line[: width - 1] + "…"
    return line.replace("$", r"\$")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write PNG, PDF or SVG by suffix, with no date inside: same figure, same bytes."""
    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    with paper_style():
        figure.savefig(path, metadata=dates.get(path.suffix, {}))
