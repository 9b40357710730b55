"""Coloured objects, asked in words and as multiple choice by letter.

Words: "I see a red cup and a blue hat. The colour of the hat is" -> blue (after BIG-bench).
Letters: a lettered list of colours, of which one is the object's -> its letter (after MIB's
copy-colour questions, arXiv 2504.13151). Roles: the object and colour asked about (OBJECT, COLOUR,
QUERY), letters L1 to L3 where there are any, END.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.types import Corruption, PromptPair, Task

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "pink", "purple", "grey")
THINGS = (
    "cup",
    "hat",
    "book",
    "ball",
    "box",
    "car",
    "bag",
    "chair",
    "key",
    "shirt",
    "pen",
    "plate",
)
LETTERS = tuple("ABCDEFGHJKLMNOPQRSTUVWXYZ")
_IN_WORDS = families(
    "colour",
    "I see a {c1} {t1}, a {c2} {t2} and a {c3} {t3}. The colour of the {QUERY} is",
    "On the table are a {c1} {t1}, a {c2} {t2} and a {c3} {t3}. The {QUERY} is",
    "There is a {c1} {t1}, a {c2} {t2} and a {c3} {t3}. What colour is the {QUERY}? It is",
    "She bought a {c1} {t1}, a {c2} {t2} and a {c3} {t3}. Her {QUERY} is",
    "Q: I own a {c1} {t1}, a {c2} {t2} and a {c3} {t3}. What colour is the {QUERY}? A:",
    "The {t1} is {c1}, the {t2} is {c2}, and the {t3} is {c3}. So the {QUERY} is",
    "He painted the {t1} {c1}, the {t2} {c2} and the {t3} {c3}. Now the {QUERY} is",
    "A {c1} {t1}, a {c2} {t2} and a {c3} {t3} are in the room. The colour of the {QUERY} is",
    "My {t1} is {c1}. My {t2} is {c2}. My {t3} is {c3}. My {QUERY} is",
    "They found a {c1} {t1}, then a {c2} {t2}, then a {c3} {t3}. The {QUERY} was",
)
_BY_LETTER = families(
    "choice",
    *(
        f"{question}\n{{L1}}{mark} {{c1}}\n{{L2}}{mark} {{c2}}\n{{L3}}{mark} {{c3}}\nAnswer:"
        for question in (
            "The {t} is {COLOUR}. What colour is the {QUERY}?",
            "Question: A {t} is {COLOUR}. Which colour is the {QUERY}?",
            "I own a {COLOUR} {t}. The colour of the {QUERY} is",
            "He painted the {t} {COLOUR}. What is the colour of the {QUERY}?",
            "On the table is a {COLOUR} {t}. Choose the colour of the {QUERY}.",
        )
        for mark in (".", ")")
    ),
)
WORD_CORRUPTIONS = (
    Corruption(
        "swap-colours", "The asked object trades its colour with another: flips the answer."
    ),
    Corruption("other-query", "Another object is asked about: keeps the scene, flips the answer."),
    RANDOM_TOKEN,
)
LETTER_CORRUPTIONS = (
    Corruption("answer-position", "The right colour trades places in the list: another letter."),
    Corruption(
        "random-letter", "Other letters in the list: removes the answer token, keeps place."
    ),
    RANDOM_TOKEN,
)


def _colour_pair(
    template: Template, corruption: str, pool: str, rng: np.random.Generator
) -> PromptPair:
    colours, things = pick(rng, half(COLOURS, pool), 3), pick(rng, half(THINGS, pool), 3)
    asked, other = (int(i) for i in rng.permutation(3)[:2])
    slots = {f"c{i}": colour for i, colour in enumerate(colours, start=1)}
    slots |= {f"t{i}": thing for i, thing in enumerate(things, start=1)}
    clean, roles = render(template.text, slots | {"QUERY": things[asked]})
    change = {"QUERY": things[other if corruption == "other-query" else asked]}
    if corruption == "swap-colours":
        change |= {f"c{asked + 1}": colours[other], f"c{other + 1}": colours[asked]}
    corrupt, _ = render(template.text, slots | change)
    spans = [
        (role, clean.index(f" {word}") + 1)
        for role, word in (("OBJECT", things[asked]), ("COLOUR", colours[asked]))
    ]
    lengths = {"OBJECT": len(things[asked]), "COLOUR": len(colours[asked])}
    roles = (*((role, at, at + lengths[role]) for role, at in spans), *roles)
    if corruption == RANDOM_TOKEN.key:
        corrupt = random_token(clean, [(low, high) for _, low, high in roles], rng=rng)
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {colours[asked]}",),
        wrong_answers=(f" {colours[other]}",),
        template=template.id,
        roles=roles,
        attributes=(("object", things[asked]), ("place", str(asked))),
    )


def _letter_pair(
    template: Template, corruption: str, pool: str, rng: np.random.Generator
) -> PromptPair:
    colours, thing = pick(rng, half(COLOURS, pool), 3), pick(rng, half(THINGS, pool))[0]
    letters, fresh = LETTERS[:3], pick(rng, LETTERS[3:], 3)
    asked, other = (int(i) for i in rng.permutation(3)[:2])
    fixed = {"t": thing, "QUERY": thing, "COLOUR": colours[asked]}

    def fill(shown: list[str], names: tuple[str, ...] | list[str]) -> dict[str, str]:
        listed = {f"c{i}": colour for i, colour in enumerate(shown, start=1)}
        return fixed | listed | {f"L{i}": name for i, name in enumerate(names, start=1)}

    clean, roles = render(template.text, fill(colours, letters))
    swapped = list(colours)
    swapped[asked], swapped[other] = colours[other], colours[asked]
    moved = corruption == "answer-position"
    change = fill(swapped, letters) if moved else fill(colours, fresh)
    corrupt, _ = render(template.text, change)
    if corruption == RANDOM_TOKEN.key:
        words = [(low, high) for role, low, high in roles if role in ("QUERY", "COLOUR")]
        corrupt = random_token(clean, words, rng=rng)
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {letters[asked]}",),
        wrong_answers=tuple(f" {letter}" for i, letter in enumerate(letters) if i != asked),
        template=template.id,
        roles=roles,
        attributes=(("object", thing), ("colour", colours[asked]), ("place", str(asked))),
    )


sample_colours = Sampler("coloured-objects", _colour_pair, _IN_WORDS, WORD_CORRUPTIONS)
"""Draw `n` scenes of three coloured objects, one of which is asked about."""


sample_choices = Sampler("multiple-choice", _letter_pair, _BY_LETTER, LETTER_CORRUPTIONS)
"""Draw `n` questions with three lettered colours."""


COLOURED_OBJECTS = Task(
    key="coloured-objects",
    title="Coloured objects",
    sample=sample_colours,
    templates=tuple(template.id for template in _IN_WORDS),
    corruptions=WORD_CORRUPTIONS,
    source="after BIG-bench reasoning about coloured objects; scenes made for this project",
    licence="Apache-2.0",
)
MULTIPLE_CHOICE = Task(
    key="multiple-choice",
    title="Multiple choice by letter",
    sample=sample_choices,
    templates=tuple(template.id for template in _BY_LETTER),
    corruptions=LETTER_CORRUPTIONS,
    source="after MIB copy-colour questions, arXiv 2504.13151; questions made for this project",
    licence="Apache-2.0",
)
