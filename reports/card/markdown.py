"""A stability card as Markdown, for a README or a model card."""

import math
from collections.abc import Mapping
from typing import Any

from circuitvar.reports.card.cautions import caution_sentences
from circuitvar.reports.tables import MISSING, markdown_escape, pipe_table, show


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
