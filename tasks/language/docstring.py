"""Docstring completion: name the third argument of a function after its first two -> it.

Heimersheim and Janiak 2023 ("A circuit for Python docstrings in a 4-layer attention-only
transformer"). Roles: A_DEF, B_DEF, C_DEF (the answer), D_DEF in the definition, A_DOC, B_DOC in the
docstring, END. Wrong answers are the other arguments. Templates vary the documentation style.
"""

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, half, pick, render
from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.types import Corruption, PromptPair, Task

_HEAD = "{start} {name}(self, {A_DEF}, {B_DEF}, {C_DEF}, {D_DEF}):\n    "
_STYLES = (
    (":param {A_DOC}: {w1} {w2}\n    :param {B_DOC}: {w3} {w4}\n    :param", '"""'),
    ("@param {A_DOC} {w1} {w2}\n    @param {B_DOC} {w3} {w4}\n    @param", '"""'),
    (":arg {A_DOC}: {w1} {w2}\n    :arg {B_DOC}: {w3} {w4}\n    :arg", '"""'),
    ("* {A_DOC}: {w1} {w2}\n    * {B_DOC}: {w3} {w4}\n    *", "'''"),
    ("- {A_DOC}: {w1} {w2}\n    - {B_DOC}: {w3} {w4}\n    -", '"""'),
)
TEMPLATES = families(
    "docstring",
    *(
        f"{start} " + _HEAD.removeprefix("{start} ") + f"{quote}{{w5}} {{w6}}\n\n    {style}"
        for start in ("def", "async def")
        for style, quote in _STYLES
    ),
)
CORRUPTIONS = (
    Corruption("random-random", "All arguments differ between definition and docstring."),
    Corruption("random-def", "Other arguments in the definition: removes the answer itself."),
    Corruption(
        "random-doc", "Other names in the docstring: removes which come first, not the answer."
    ),
    RANDOM_TOKEN,
)
_DEFINED, _DOCUMENTED = ("A_DEF", "B_DEF", "C_DEF", "D_DEF"), ("A_DOC", "B_DOC")


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    names = pick(rng, half(NOUNS, pool), 17)
    a, b, c, d = names[:4]
    slots = {"A_DEF": a, "B_DEF": b, "C_DEF": c, "D_DEF": d, "A_DOC": a, "B_DOC": b}
    slots |= {f"w{i}": word for i, word in enumerate(names[4:10], start=1)} | {"name": names[10]}
    clean, roles = render(template.text, slots)
    if corruption == RANDOM_TOKEN.key:
        spans = [(low, high) for _, low, high in roles]
        corrupt = random_token(clean, spans, rng=rng)
    else:
        changed = _DEFINED * (corruption != "random-doc") + _DOCUMENTED * (
            corruption != "random-def"
        )
        other = dict(zip(changed, names[11:], strict=False))
        corrupt, _ = render(template.text, slots | other)
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {c}",),
        wrong_answers=(f" {a}", f" {b}", f" {d}"),
        template=template.id,
        roles=roles,
        attributes=(("answer", c), ("first", a), ("second", b)),
    )


sample = Sampler("docstring", _pair, TEMPLATES, CORRUPTIONS)
"""Draw `n` function heads with half-written docstrings; all words of a prompt differ."""


DOCSTRING = Task(
    key="docstring",
    title="Docstring completion",
    sample=sample,
    templates=tuple(template.id for template in TEMPLATES),
    corruptions=CORRUPTIONS,
    source="after Heimersheim and Janiak 2023; prompts made for this project",
    licence="Apache-2.0",
)
