"""Indirect object identification: "When Mary and John met, John gave a ring to" -> Mary.

Wang et al. 2022 (arXiv 2211.00593). Roles: IO (the answer), S1 and S2 (the repeated name), S1+1
(the token after S1), END (read-out). Attribute `order`: ABBA names the IO first, BABA the subject.
Sentences written for this project.
"""

from dataclasses import replace

import numpy as np

from circuitvar.tasks.language.templates import (
    Template,
    filled,
    half,
    language_task,
    next_word,
    pick,
)
from circuitvar.tasks.language.words import NAMES, OBJECTS, PLACES
from circuitvar.tasks.types import PromptPair

LEXICON = (*NAMES, *PLACES, *OBJECTS)


def _names(io: str, s1: str, s2: str, order: str) -> dict[str, str]:
    first, second = (io, s1) if order == "ABBA" else (s1, io)
    return {"A": first, "B": second, "S2": s2}


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    io, s, *others = pick(rng, half(NAMES, pool), 5)
    order = ("ABBA", "BABA")[rng.integers(2)]
    slots = {"place": pick(rng, half(PLACES, pool))[0], "object": pick(rng, half(OBJECTS, pool))[0]}
    instead = {
        "abc": (others[0], others[1], others[2]),
        "s2-io-swap": (io, s, io),
        "random-name-flip": (others[0], others[1], others[1]),
        "random-s2": (io, s, others[0]),
    }[corruption]
    clean, corrupt = slots | _names(io, s, s, order), _names(*instead, order)
    labels = {"order": order, "io": io, "s": s, **slots}
    pair = filled(template, clean, corrupt, (f" {io}",), (f" {s}",), **labels)
    name = {"A": "IO", "B": "S1"} if order == "ABBA" else {"A": "S1", "B": "IO"}
    roles = tuple((name.get(role, role), start, end) for role, start, end in pair.roles)
    after = next_word(pair.clean, next(end for role, _, end in roles if role == "S1"))
    return replace(pair, roles=(*roles, ("S1+1", *after)))


IOI = language_task("ioi", _pair)
"""Draw `n` prompts, half of them (in expectation) in each order of names."""
