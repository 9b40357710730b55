"""Gendered pronoun: "Mary was tired, so" -> she.

After Mathwin et al. 2023 ("Identifying a preliminary circuit for predicting gendered pronouns in
GPT-2 small"). The gender of a name is the majority usage in US counts. Roles: NAME, END.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.language.words import FEMALE_NAMES, MALE_NAMES, NAMES, PLACES
from circuitvar.tasks.types import Corruption, PromptPair, Task

TEMPLATES = families(
    "pronoun",
    "{NAME} is a really great friend, isn't",
    "{NAME} went home early from the {place} because",
    "{NAME} was tired, so",
    "At the {place}, {NAME} said that",
    "Everyone at the {place} likes {NAME} because",
    "When {NAME} was young,",
    "My neighbor {NAME} told me that",
    "{NAME} lost the letter that",
    "If {NAME} wins the game,",
    "After {NAME} left the {place},",
    "Before {NAME} could speak,",
    "People trust {NAME}, since",
)
CORRUPTIONS = (
    Corruption("gender-swap", "A name of the other gender: flips the answer, keeps the wording."),
    Corruption("random-name", "Any other name: removes identity; gender changes half the time."),
    RANDOM_TOKEN,
)
LEXICON = (*NAMES, *PLACES, "he", "she")


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    same, other = (half(names, pool) for names in (MALE_NAMES, FEMALE_NAMES))
    right, wrong, gender = " he", " she", "male"
    if rng.integers(2):
        same, other, right, wrong, gender = other, same, wrong, right, "female"
    name, third = pick(rng, same, 2)
    place = pick(rng, half(PLACES, pool))[0]
    clean, roles = render(template.text, {"NAME": name, "place": place})
    swapped = pick(rng, other)[0]
    if corruption == RANDOM_TOKEN.key:
        corrupt = random_token(clean, [(low, high) for _, low, high in roles], rng=rng)
    else:
        swap = corruption == "gender-swap" or rng.integers(2)
        corrupt, _ = render(template.text, {"NAME": swapped if swap else third, "place": place})
    return PromptPair(
        clean,
        corrupt,
        answers=(right,),
        wrong_answers=(wrong,),
        template=template.id,
        roles=roles,
        attributes=(("name", name), ("gender", gender), ("place", place)),
    )


sample = Sampler("pronoun", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` prompts, each gender with probability one half."""


PRONOUN = Task(
    key="pronoun",
    title="Gendered pronoun",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    pocket=True,
    source="after Mathwin et al. 2023; sentences written for this project",
    licence="Apache-2.0; names: US Social Security Administration, public domain",
)
