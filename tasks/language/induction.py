"""Induction: a list of unrelated nouns in which one returns; "... lamp road ... lamp" -> road.

Elhage et al. 2021; Olsson et al. 2022 (arXiv 2209.11895). Templates differ in introduction, length
and separator. Roles: A1 and B1 (the earlier pair), D1 (a distractor, the wrong answer), A2 (the
repeated word, also END). Lists have three or four nouns, which the pocket models learn in minutes.
Words are never the first of the text, where BPE tokens have no space.
"""

import numpy as np

from circuitvar.tasks.language.templates import Span, Template, half, language_task, pick
from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.types import PromptPair

LEXICON = NOUNS


def _groups(template: Template) -> list[int]:
    """Lengths of the runs of nouns, in order."""
    return [int(piece.split("}")[0]) for piece in template.text.split("{")[1:]]


def _fill(template: Template, words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """The filled text and the span of every word."""
    text, spans, rest = "", [], iter(words)
    head, *pieces = template.text.split("{")
    text += head
    for piece, size in zip(pieces, _groups(template), strict=True):
        for i in range(size):
            word = next(rest)
            text += " " * (i > 0)
            spans.append((len(text), len(text) + len(word)))
            text += word
        text += piece.split("}")[1]
    return text, spans


def _query(groups: list[int], rng: np.random.Generator) -> tuple[int, int]:
    """Places of A1 (not the last of its run, so that B1 follows at once) and of the distractor."""
    ends = set(np.cumsum(groups) - 1)
    starts = [i for i in range(sum(groups)) if i not in ends]
    a = starts[rng.integers(len(starts))]
    others = [i for i in range(sum(groups)) if i not in (a, a + 1)]
    return a, others[rng.integers(len(others))]


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    groups = _groups(template)
    *words, new = pick(rng, half(NOUNS, pool), sum(groups) + 1)
    a, d = _query(groups, rng)
    body, spans = _fill(template, words)
    clean = f"{body} {words[a]}"
    roles: tuple[Span, ...] = (
        ("A1", *spans[a]),
        ("B1", *spans[a + 1]),
        ("D1", *spans[d]),
        ("A2", len(body) + 1, len(clean)),
    )
    other = list(words)
    if corruption == "successor-swap":
        other[a + 1], other[d] = other[d], other[a + 1]
    else:
        other[a] = new
    corrupt = f"{_fill(template, other)[0]} {words[a]}"
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {words[a + 1]}",),
        wrong_answers=(f" {words[d]}",),
        template=template.id,
        roles=roles,
        attributes=(("a", words[a]), ("b", words[a + 1]), ("words", " ".join(words))),
    )


INDUCTION = language_task("induction", _pair)
"""Draw `n` prompts; all nouns of a prompt differ except the repeated one."""
