"""Indirect object identification: "When Mary and John met, John gave a ring to" -> Mary.

Wang et al. 2022 (arXiv 2211.00593). Roles: IO (the answer), S1 and S2 (the repeated name), S1+1
(the token after S1), END (read-out). Attribute `order`: ABBA names the IO first, BABA the subject.
Sentences written for this project; word lists in `tasks.words`.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import (
    Sampler,
    Template,
    families,
    half,
    next_word,
    pick,
    render,
)
from circuitvar.tasks.language.words import NAMES, OBJECTS, PLACES
from circuitvar.tasks.types import Corruption, PromptPair, Task

TEMPLATES = families(
    "ioi",
    "When {A} and {B} went to the {place}, {S2} gave a {object} to",
    "This morning, {A} and {B} walked to the {place}. {S2} gave the {object} to",
    "After {A} and {B} arrived at the {place}, {S2} handed a {object} to",
    "While {A} and {B} were working at the {place}, {S2} passed the {object} to",
    "Yesterday, {A} and {B} had lunch at the {place}. Later, {S2} brought a {object} to",
    "Our friends {A} and {B} found a {object} at the {place}. {S2} offered it to",
    "Once {A} and {B} got to the {place}, {S2} decided to give the {object} to",
    "In the end {A} and {B} spent the day at the {place}, and {S2} sent a {object} to",
    "The {place} was quiet when {A} met {B}, so {S2} showed the {object} to",
    "As soon as {A} saw {B} near the {place}, {S2} threw a {object} to",
    "Because {A} and {B} both liked the {place}, {S2} bought a {object} for",
    "Last week, {A} had a talk with {B} about the {object}, and {S2} lent it to",
)
CORRUPTIONS = (
    Corruption(
        "abc", "Three unrelated names: removes who is repeated and who is named, keeps the wording."
    ),
    Corruption(
        "s2-io-swap",
        "The second clause repeats the other name: flips the answer, keeps which names appear.",
    ),
    Corruption(
        "random-name-flip",
        "Both names replaced, repetition kept: removes identity, keeps position information.",
    ),
    Corruption(
        "random-s2",
        "Only the repeated name is replaced by a third one: removes repetition, keeps the IO.",
    ),
    RANDOM_TOKEN,
)
LEXICON = (*NAMES, *PLACES, *OBJECTS)


def _names(io: str, s1: str, s2: str, order: str) -> dict[str, str]:
    first, second = (io, s1) if order == "ABBA" else (s1, io)
    return {"A": first, "B": second, "S2": s2}


def _corrupt_names(
    corruption: str, io: str, s: str, others: list[str], order: str
) -> dict[str, str]:
    three = {
        "abc": (others[0], others[1], others[2]),
        "s2-io-swap": (io, s, io),
        "random-name-flip": (others[0], others[1], others[1]),
        "random-s2": (io, s, others[0]),
    }[corruption]
    return _names(*three, order)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    io, s, *others = pick(rng, half(NAMES, pool), 5)
    order = ("ABBA", "BABA")[rng.integers(2)]
    slots = {"place": pick(rng, half(PLACES, pool))[0], "object": pick(rng, half(OBJECTS, pool))[0]}
    clean, spans = render(template.text, slots | _names(io, s, s, order))
    name = {"A": "IO", "B": "S1"} if order == "ABBA" else {"A": "S1", "B": "IO"}
    roles = tuple((name.get(role, role), start, end) for role, start, end in spans)
    after = next_word(clean, next(end for role, _, end in roles if role == "S1"))
    if corruption == RANDOM_TOKEN.key:
        corrupt = random_token(clean, [(start, end) for _, start, end in roles], rng=rng)
    else:
        names = _corrupt_names(corruption, io, s, others, order)
        corrupt, _ = render(template.text, slots | names)
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {io}",),
        wrong_answers=(f" {s}",),
        template=template.id,
        roles=(*roles, ("S1+1", *after)),
        attributes=(("order", order), ("io", io), ("s", s), *slots.items()),
    )


sample = Sampler("ioi", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` prompts, half of them (in expectation) in each order of names."""


IOI = Task(
    key="ioi",
    title="Indirect object identification",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    pocket=True,
    source="Wang et al. 2022, arXiv 2211.00593; sentences written for this project",
    licence="Apache-2.0; names: US Social Security Administration, public domain",
)
