"""Subject-verb agreement across an attractor: "The key near the cabinets" -> is, was, has.

After Linzen et al. 2016 (arXiv 1611.01368) and Finlayson et al. 2021 (arXiv 2106.06087). The
attractor's number is drawn independently of the subject's, so the nearest noun does not give the
answer away. Roles: SUBJECT, ATTRACTOR, END. Attribute `match`: same number or not.
"""

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.types import PromptPair

LEMMAS = (
    "key", "car", "boy", "girl", "dog", "cat", "teacher", "student",
    "doctor", "player", "friend", "parent", "writer", "driver", "officer", "brother",
    "sister", "king", "singer", "horse", "bird", "tree", "picture", "door",
)  # fmt: skip
"""Nouns with a plural in -s; both forms are single tokens with a leading space in GPT-2."""
SINGULAR, PLURAL = (" is", " was", " has"), (" are", " were", " have")
LEXICON = (*LEMMAS, *(f"{lemma}s" for lemma in LEMMAS), *(v.strip() for v in SINGULAR + PLURAL))


def _nouns(subject: str, attractor: str, plural: bool, attractor_plural: bool) -> dict[str, str]:
    return {"SUBJECT": subject + "s" * plural, "ATTRACTOR": attractor + "s" * attractor_plural}


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    subject, attractor = pick(rng, half(LEMMAS, pool), 2)
    plural, attractor_plural = (bool(bit) for bit in rng.integers(2, size=2))
    swapped = attractor_plural != (corruption == "both-swap")
    return filled(
        template,
        _nouns(subject, attractor, plural, attractor_plural),
        _nouns(subject, attractor, not plural, swapped),
        PLURAL if plural else SINGULAR,
        SINGULAR if plural else PLURAL,
        subject=subject,
        attractor=attractor,
        number="plural" if plural else "singular",
        match="same" if plural == attractor_plural else "different",
    )


AGREEMENT = language_task("agreement", _pair)
"""Draw `n` prompts; subject and attractor are different nouns of independent number."""
