"""matplotlib figures as SVG that can live inside an HTML page, in light and in dark mode.

The fixed ink, grid and paper colours of the style become CSS variables of the page, ids get a
prefix so that several figures can share one document, and nothing but drawing survives.
"""

import io
import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from circuitvar.reports.figures.style import BLUE, GRID, INK, PAPER, SKY, paper_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VARIABLES = {
    INK: "var(--ink)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    # matplotlib writes hexadecimal colours in lower case.
    BLUE.lower(): "var(--core)",
    SKY.lower(): "var(--sky)",
}


def inline_svg(figure: "Figure", *, key: str, title: str) -> str:
    """The figure as one `<svg>` element; `key` prefixes its ids, `title` is its accessible name.

    Text stays text, so it can be searched and copied. matplotlib escapes it; the caller need not.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with paper_style(), rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None}, dpi=140)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{key}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return _label(text, title)


def _label(svg: str, title: str) -> str:
    """Give the element an accessible name and let the page decide its size."""
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label={quoteattr(title)}><title>{escape(title)}</title>{rest}'
