"""Subject-verb agreement across an attractor: "The key near the cabinets" -> is, was, has.

After Linzen et al. 2016 (arXiv 1611.01368) and Finlayson et al. 2021 (arXiv 2106.06087). The
attractor's number is drawn independently of the subject's, so the nearest noun does not give the
answer away. Roles: SUBJECT, ATTRACTOR, END. Attribute `match`: same number or not.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.types import Corruption, PromptPair, Task

TEMPLATES = families(
    "sva",
    "The {SUBJECT} near the {ATTRACTOR}",
    "I think that the {SUBJECT} behind the {ATTRACTOR}",
    "Today the {SUBJECT} next to the {ATTRACTOR}",
    "The {SUBJECT} that the {ATTRACTOR} liked",
    "Everyone says the {SUBJECT} with the {ATTRACTOR}",
    "Maybe the {SUBJECT} of the {ATTRACTOR}",
    "The {SUBJECT} that met the {ATTRACTOR}",
    "In the morning the {SUBJECT} by the {ATTRACTOR}",
    "They said that the {SUBJECT} beside the {ATTRACTOR}",
    "The old {SUBJECT} in front of the {ATTRACTOR}",
    "Without a doubt, the {SUBJECT} across from the {ATTRACTOR}",
    "The {SUBJECT} that followed the {ATTRACTOR}",
)
LEMMAS = (
    "key", "car", "boy", "girl", "dog", "cat", "teacher", "student",
    "doctor", "player", "friend", "parent", "writer", "driver", "officer", "brother",
    "sister", "king", "singer", "horse", "bird", "tree", "picture", "door",
)  # fmt: skip
"""Nouns with a plural in -s; both forms are single tokens with a leading space in GPT-2."""
SINGULAR, PLURAL = (" is", " was", " has"), (" are", " were", " have")
CORRUPTIONS = (
    Corruption("number-swap", "The subject changes number: flips the answer, keeps the attractor."),
    Corruption(
        "both-swap", "Subject and attractor change number: flips the answer, keeps their match."
    ),
    RANDOM_TOKEN,
)
LEXICON = (*LEMMAS, *(f"{lemma}s" for lemma in LEMMAS), *(v.strip() for v in SINGULAR + PLURAL))


def _nouns(subject: str, attractor: str, plural: bool, attractor_plural: bool) -> dict[str, str]:
    return {"SUBJECT": subject + "s" * plural, "ATTRACTOR": attractor + "s" * attractor_plural}


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    subject, attractor = pick(rng, half(LEMMAS, pool), 2)
    plural, attractor_plural = (bool(bit) for bit in rng.integers(2, size=2))
    clean, roles = render(template.text, _nouns(subject, attractor, plural, attractor_plural))
    if corruption == RANDOM_TOKEN.key:
        spans = [(low, high) for role, low, high in roles if role == "SUBJECT"]
        corrupt = random_token(clean, spans, rng=rng)
    else:
        swapped = attractor_plural != (corruption == "both-swap")
        corrupt, _ = render(template.text, _nouns(subject, attractor, not plural, swapped))
    return PromptPair(
        clean,
        corrupt,
        answers=PLURAL if plural else SINGULAR,
        wrong_answers=SINGULAR if plural else PLURAL,
        template=template.id,
        roles=roles,
        attributes=(
            ("subject", subject),
            ("attractor", attractor),
            ("number", "plural" if plural else "singular"),
            ("match", "same" if plural == attractor_plural else "different"),
        ),
    )


sample = Sampler("agreement", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` prompts; subject and attractor are different nouns of independent number."""


AGREEMENT = Task(
    key="agreement",
    title="Subject-verb agreement",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    pocket=True,
    source="after Linzen et al. 2016, arXiv 1611.01368; sentences written for this project",
    licence="Apache-2.0",
)
