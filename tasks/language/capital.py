"""Country-capital recall: "The capital of France is" -> Paris.

Factual recall as in Meng et al. 2022 (arXiv 2202.05262) and Hernandez et al. 2023
(arXiv 2308.09124). The wrong answer is another country's capital: the corrupted one's where there
is one. Roles: COUNTRY, END.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.language.words import NAMES, PLACES
from circuitvar.tasks.types import Corruption, PromptPair, Task

TEMPLATES = families(
    "capital",
    "The capital of {COUNTRY} is",
    "{name} says that the capital city of {COUNTRY} is called",
    "If you fly to {COUNTRY}, the capital you land in is",
    "At the {place}, we heard that {COUNTRY} has a capital city named",
    "Today {COUNTRY} is governed from the city of",
    "{name} visited {COUNTRY} and liked its capital,",
    "Q: What is the capital of {COUNTRY}? A:",
    "The government of {COUNTRY} sits in",
    "On a map of {COUNTRY}, the star marks",
    "The embassy for {COUNTRY} has a {place} in its capital,",
    "The main {place} of the state of {COUNTRY} is in",
    "{name} left {COUNTRY} from its capital city,",
)
CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid",
    "England": "London", "Russia": "Moscow", "China": "Beijing", "Japan": "Tokyo",
    "Egypt": "Cairo", "Greece": "Athens", "Ireland": "Dublin", "Iraq": "Baghdad",
    "Iran": "Tehran", "Syria": "Damascus", "Turkey": "Ankara", "Poland": "Warsaw",
    "Austria": "Vienna", "Hungary": "Budapest", "Portugal": "Lisbon", "Sweden": "Stockholm",
    "Norway": "Oslo", "Finland": "Helsinki", "Denmark": "Copenhagen", "Belgium": "Brussels",
    "Canada": "Ottawa", "Cuba": "Havana", "Kenya": "Nairobi", "Lebanon": "Beirut",
    "Ukraine": "Kyiv", "Afghanistan": "Kabul", "Thailand": "Bangkok", "Vietnam": "Hanoi",
    "Peru": "Lima", "Chile": "Santiago", "Qatar": "Doha", "Jordan": "Amman",
    "Libya": "Tripoli", "Serbia": "Belgrade", "Taiwan": "Taipei", "Venezuela": "Caracas",
}  # fmt: skip
"""Facts, compiled for this project."""
COUNTRIES = tuple(CAPITALS)
CORRUPTIONS = (
    Corruption("other-country", "Another country: the answer becomes its capital."),
    RANDOM_TOKEN,
)
LEXICON = (*COUNTRIES, *CAPITALS.values(), *NAMES, *PLACES)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    country, other = pick(rng, half(COUNTRIES, pool), 2)
    slots = {"name": pick(rng, half(NAMES, pool))[0], "place": pick(rng, half(PLACES, pool))[0]}
    clean, roles = render(template.text, slots | {"COUNTRY": country})
    if corruption == RANDOM_TOKEN.key:
        corrupt = random_token(clean, [(low, high) for _, low, high in roles], rng=rng)
    else:
        corrupt, _ = render(template.text, slots | {"COUNTRY": other})
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {CAPITALS[country]}",),
        wrong_answers=(f" {CAPITALS[other]}",),
        template=template.id,
        roles=roles,
        attributes=(("country", country), ("other", other), *slots.items()),
    )


sample = Sampler("capital", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` prompts; pools differ in countries."""


CAPITAL = Task(
    key="capital",
    title="Country-capital recall",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    pocket=True,
    source="after Meng et al. 2022, arXiv 2202.05262; facts and sentences compiled here",
    licence="Apache-2.0; facts are in the public domain",
)
