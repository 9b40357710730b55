"""Coloured objects, asked in words and as multiple choice by letter.

Words: "I see a red cup and a blue hat. The colour of the hat is" -> blue (after BIG-bench).
Letters: a lettered list of colours, of which one is the object's -> its letter (after MIB's
copy-colour questions, arXiv 2504.13151). Roles: the object and colour asked about (OBJECT, COLOUR,
QUERY), letters L1 to L3 where there are any, END.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.types import PromptPair

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "pink", "purple", "grey")
THINGS = tuple("cup hat book ball box car bag chair key shirt pen plate".split())
LETTERS = tuple("ABCDEFGHJKLMNOPQRSTUVWXYZ")
_BY_LETTER = tuple(
    f"{question}\n{{L1}}{mark} {{c1}}\n{{L2}}{mark} {{c2}}\n{{L3}}{mark} {{c3}}\nAnswer:"
    for question in (
        "The {t} is {COLOUR}. What colour is the {QUERY}?",
        "Question: A {t} is {COLOUR}. Which colour is the {QUERY}?",
        "I own a {COLOUR} {t}. The colour of the {QUERY} is",
        "He painted the {t} {COLOUR}. What is the colour of the {QUERY}?",
        "On the table is a {COLOUR} {t}. Choose the colour of the {QUERY}.",
    )
    for mark in (".", ")")
)


def _numbered(**words: Sequence[str]) -> dict[str, str]:
    """Slots `name1`, `name2`, ... of each list."""
    return {f"{key}{i}": word for key, of in words.items() for i, word in enumerate(of, start=1)}


def _colour_pair(
    template: Template, corruption: str, pool: str, rng: np.random.Generator
) -> PromptPair:
    colours, things = pick(rng, half(COLOURS, pool), 3), pick(rng, half(THINGS, pool), 3)
    asked, other = (int(i) for i in rng.permutation(3)[:2])
    thing, colour, instead = things[asked], colours[asked], colours[other]
    slots = _numbered(c=colours, t=things) | {"QUERY": thing}
    if corruption == "swap-colours":
        change = {f"c{asked + 1}": instead, f"c{other + 1}": colour}
    else:
        change = {"QUERY": things[other]}
    labels = {"object": thing, "place": str(asked)}
    pair = filled(template, slots, change, (f" {colour}",), (f" {instead}",), **labels)
    named = [
        (role, at := pair.clean.index(f" {word}") + 1, at + len(word))
        for role, word in (("OBJECT", thing), ("COLOUR", colour))
    ]
    return replace(pair, roles=(*named, *pair.roles))


def _letter_pair(
    template: Template, corruption: str, pool: str, rng: np.random.Generator
) -> PromptPair:
    colours, thing = pick(rng, half(COLOURS, pool), 3), pick(rng, half(THINGS, pool))[0]
    letters, fresh = LETTERS[:3], pick(rng, LETTERS[3:], 3)
    asked, other = (int(i) for i in rng.permutation(3)[:2])
    slots = {"t": thing, "QUERY": thing, "COLOUR": colours[asked]}
    slots |= _numbered(c=colours, L=letters)
    if corruption == "answer-position":
        change = {f"c{asked + 1}": colours[other], f"c{other + 1}": colours[asked]}
    else:
        change = _numbered(L=fresh)
    right, *wrong = (f" {letters[i]}" for i in sorted(range(3), key=lambda i: i != asked))
    labels = {"object": thing, "colour": colours[asked], "place": str(asked)}
    return filled(template, slots, change, (right,), tuple(wrong), **labels)


COLOURED_OBJECTS = language_task("coloured-objects", _colour_pair)
MULTIPLE_CHOICE = language_task("multiple-choice", _letter_pair, _BY_LETTER)
