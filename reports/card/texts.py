"""A stability card for people: as Markdown, and as a small SVG badge for a README."""

import math
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from circuitvar.reports.card.cautions import caution_sentences
from circuitvar.reports.tables import MISSING, markdown_escape, pipe_table, show

COLOURS = {
    "pass": "#00795a",
    "fail": "#b34a00",
    "undecided": "#6b6b6b",
    "no compression": "#6b6b6b",
}
"""Dark enough for white text (contrast above 4.5)."""


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def estimate_text(entry: Mapping[str, Any]) -> str:
    """A card's estimate as `value [low, high]`, rounded by its standard error."""
    se = _number(entry["se"])
    value = show(_number(entry["value"]), se)
    if entry["low"] is None and entry["high"] is None:
        return value
    return f"{value} [{show(_number(entry['low']), se)}, {show(_number(entry['high']), se)}]"


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown: verdicts, stability, headline numbers, provenance, checksum."""
    verdicts = [
        [v["outcome"], v["claim"], v["bar"], v["reason"], v["needed"] or MISSING]
        for v in card["verdicts"]
    ]
    axes = [
        [
            f"{axis['title']} ({axis['unit']})",
            str(axis["runs"]),
            estimate_text(axis["phi"]),
            show(_number(axis["jaccard"]["value"]), _number(axis["jaccard"]["se"])),
            show(_number(axis["chance"])),
        ]
        for axis in card["axes"]
    ]
    numbers = [[entry["name"], estimate_text(entry)] for entry in card["estimates"]]
    facts = [
        [key, str(value)]
        for key, value in sorted(card["provenance"].items())
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    ]
    tied = [(axis["title"], axis.get("tied", 0)) for axis in card["axes"]]
    lines = [f"# Stability card: {markdown_escape(card['title'])}", ""]
    for text in caution_sentences(tied, card["edges"].get("in_circuit")):
        lines += [f"**Caution.** {markdown_escape(text)}", ""]
    lines += pipe_table(["Verdict", "Claim", "Bar", "Numbers", "Needed to decide"], verdicts)
    lines += ["", "## Stability", ""]
    lines += pipe_table(["Perturbation", "Runs", "φ [interval]", "Jaccard", "Chance"], axes)
    if numbers:
        lines += ["", "## Other numbers", "", *pipe_table(["Number", "Value"], numbers)]
    lines += ["", "## Provenance", "", *pipe_table(["Field", "Value"], facts)]
    return "\n".join([*lines, "", f"Card format {card['format']}, {card['checksum']}", ""])


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
