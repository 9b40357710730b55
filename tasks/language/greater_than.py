"""Greater-than: "The war lasted from the year 1732 to the year 17" -> 33, 34, ..., 99.

Hanna et al. 2023 (arXiv 2305.00586). Answers are all two-digit suffixes above the start year's,
wrong answers all others. Roles: EVENT, XX1 and XX2 (century), YY (start suffix), END.
Works with tokenizers that read a year as two pairs of digits (GPT-2 for most years, the pocket
tokenizer for all); with others the pairs are dropped and the table of reasons says so.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.types import Corruption, PromptPair, Task

TEMPLATES = families(
    "gt",
    "The {EVENT} lasted from the year {XX1}{YY} to the year {XX2}",
    "The {EVENT} began in {XX1}{YY} and ended in {XX2}",
    "The {EVENT} started in {XX1}{YY} and did not stop until {XX2}",
    "From {XX1}{YY} the {EVENT} went on until {XX2}",
    "People remember the {EVENT} that ran from {XX1}{YY} to {XX2}",
    "In {XX1}{YY} the {EVENT} opened, and it closed in {XX2}",
    "The {EVENT} of {XX1}{YY} was only over in {XX2}",
    "They planned the {EVENT} in {XX1}{YY} and finished it in {XX2}",
    "The first {EVENT} was in {XX1}{YY} and the last one was in {XX2}",
    "After the {EVENT} of {XX1}{YY}, peace came in {XX2}",
    "Reports about the {EVENT} go from the year {XX1}{YY} to the year {XX2}",
    "The town held the {EVENT} from {XX1}{YY} through {XX2}",
)
EVENTS = (
    "war", "plan", "project", "strike", "contract", "campaign", "program", "study",
    "trip", "tour", "conflict", "festival", "debate", "siege", "mission", "trial",
)  # fmt: skip
CENTURIES = ("11", "12", "13", "14", "15", "16", "17", "18")
SUFFIXES = tuple(f"{year:02d}" for year in range(100))
CORRUPTIONS = (
    Corruption("01-year", "Start year ends in 01: removes the lower bound, keeps the century."),
    RANDOM_TOKEN,
)
LEXICON = (*EVENTS, *CENTURIES, *SUFFIXES)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    century = pick(rng, half(CENTURIES, pool))[0]
    start = SUFFIXES[rng.integers(2, 99)]
    slots = {"EVENT": pick(rng, half(EVENTS, pool))[0], "XX1": century, "YY": start, "XX2": century}
    clean, roles = render(template.text, slots)
    if corruption == RANDOM_TOKEN.key:
        spans = [(low, high) for role, low, high in roles if role == "YY"]
        corrupt = random_token(clean, spans, rng=rng)
    else:
        corrupt, _ = render(template.text, slots | {"YY": "01"})
    return PromptPair(
        clean,
        corrupt,
        answers=tuple(suffix for suffix in SUFFIXES if suffix > start),
        wrong_answers=tuple(suffix for suffix in SUFFIXES if suffix <= start),
        template=template.id,
        roles=roles,
        attributes=(("century", century), ("year", start), ("event", slots["EVENT"])),
    )


sample = Sampler("greater-than", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` prompts with start years XX02 to XX98; pools differ in events and centuries."""


GREATER_THAN = Task(
    key="greater-than",
    title="Greater-than on years",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    metric="prob_diff",
    pocket=True,
    source="Hanna et al. 2023, arXiv 2305.00586; sentences and events written for this project",
    licence="Apache-2.0",
)
