"""A small SVG badge with the overall verdict of a card, for a README."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

COLOURS = {
    "pass": "#00795a",
    "fail": "#b34a00",
    "undecided": "#6b6b6b",
    "no compression": "#6b6b6b",
}
"""Dark enough for white text (contrast above 4.5)."""


def overall_outcome(outcomes: list[str]) -> str:
    """One word for several verdicts: `fail` if any fails, then the first that is not a pass.

    >>> overall_outcome(["pass", "undecided"]), overall_outcome(["undecided", "fail"])
    ('undecided', 'fail')
    """
    for outcome in ("fail", "no compression", "undecided"):
        if outcome in outcomes:
            return outcome
    return "pass" if outcomes else "undecided"


def badge_svg(card: Mapping[str, Any]) -> str:
    """`circuit stability | pass`, with the tally of verdicts as the hover text."""
    outcomes = [verdict["outcome"] for verdict in card["verdicts"]]
    outcome = overall_outcome(outcomes)
    left, right = "circuit stability", outcome
    # 6.2 px per character is the mean advance of the 11 px face below.
    wide, total = round(6.2 * len(left)) + 12, round(6.2 * (len(left) + len(right))) + 26
    tally = ", ".join(f"{outcomes.count(name)} {name}" for name in dict.fromkeys(outcomes))
    hover = escape(f"{card['title']}: {tally or 'no verdicts'}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img">\n'
        f"<title>{hover}</title>\n"
        f'<rect width="{total}" height="20" rx="3" fill="#3b3b3b"/>\n'
        f'<rect x="{wide}" width="{total - wide}" height="20" rx="3" fill="{COLOURS[outcome]}"/>\n'
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">\n'
        f'<text x="6" y="14">{left}</text>\n'
        f'<text x="{wide + 6}" y="14">{escape(right)}</text>\n'
        "</g>\n</svg>\n"
    )
