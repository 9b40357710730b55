"""Country-capital recall: "The capital of France is" -> Paris.

Factual recall as in Meng et al. 2022 (arXiv 2202.05262) and Hernandez et al. 2023
(arXiv 2308.09124). The wrong answer is another country's capital: the corrupted one's where there
is one. Roles: COUNTRY, END.
"""

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.language.words import NAMES, PLACES
from circuitvar.tasks.types import PromptPair

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
LEXICON = (*COUNTRIES, *CAPITALS.values(), *NAMES, *PLACES)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    country, other = pick(rng, half(COUNTRIES, pool), 2)
    slots = {"name": pick(rng, half(NAMES, pool))[0], "place": pick(rng, half(PLACES, pool))[0]}
    right, wrong = ((f" {CAPITALS[name]}",) for name in (country, other))
    asked, instead = slots | {"COUNTRY": country}, {"COUNTRY": other}
    return filled(template, asked, instead, right, wrong, country=country, other=other, **slots)


CAPITAL = language_task("capital", _pair)
"""Draw `n` prompts; pools differ in countries."""
