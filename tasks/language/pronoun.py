"""Gendered pronoun: "Mary was tired, so" -> she.

After Mathwin et al. 2023 ("Identifying a preliminary circuit for predicting gendered pronouns in
GPT-2 small"). The gender of a name is the majority usage in US counts. Roles: NAME, END.
"""

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.language.words import FEMALE_NAMES, MALE_NAMES, NAMES, PLACES
from circuitvar.tasks.types import PromptPair

LEXICON = (*NAMES, *PLACES, "he", "she")


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    same, other = (half(names, pool) for names in (MALE_NAMES, FEMALE_NAMES))
    right, wrong, gender = " he", " she", "male"
    if rng.integers(2):
        same, other, right, wrong, gender = other, same, wrong, right, "female"
    name, third = pick(rng, same, 2)
    place = pick(rng, half(PLACES, pool))[0]
    swapped = pick(rng, other)[0]
    swap = corruption == "gender-swap" or rng.integers(2)
    slots, instead = {"NAME": name, "place": place}, {"NAME": swapped if swap else third}
    labels = {"name": name, "gender": gender, "place": place}
    return filled(template, slots, instead, (right,), (wrong,), **labels)


PRONOUN = language_task("pronoun", _pair)
"""Draw `n` prompts, each gender with probability one half."""
