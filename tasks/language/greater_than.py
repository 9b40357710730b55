"""Greater-than: "The war lasted from the year 1732 to the year 17" -> 33, 34, ..., 99.

Hanna et al. 2023 (arXiv 2305.00586). Answers are all two-digit suffixes above the start year's,
wrong answers all others. Roles: EVENT, XX1 and XX2 (century), YY (start suffix), END.
Works with tokenizers that read a year as two pairs of digits (GPT-2 for most years, the pocket
tokenizer for all); with others the pairs are dropped and the table of reasons says so.
"""

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.types import PromptPair

EVENTS = (
    "war", "plan", "project", "strike", "contract", "campaign", "program", "study",
    "trip", "tour", "conflict", "festival", "debate", "siege", "mission", "trial",
)  # fmt: skip
CENTURIES = ("11", "12", "13", "14", "15", "16", "17", "18")
SUFFIXES = tuple(f"{year:02d}" for year in range(100))
LEXICON = (*EVENTS, *CENTURIES, *SUFFIXES)


def years_after(start: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two-digit suffixes above the start year's, and all others."""
    above = SUFFIXES.index(start) + 1
    return SUFFIXES[above:], SUFFIXES[:above]


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    century = pick(rng, half(CENTURIES, pool))[0]
    start = SUFFIXES[rng.integers(2, 99)]
    event = pick(rng, half(EVENTS, pool))[0]
    slots = {"EVENT": event, "XX1": century, "YY": start, "XX2": century}
    above, rest = years_after(start)
    labels = {"century": century, "year": start, "event": event}
    return filled(template, slots, {"YY": "01"}, above, rest, **labels)


GREATER_THAN = language_task("greater-than", _pair)
"""Draw `n` prompts with start years XX02 to XX98; pools differ in events and centuries."""
