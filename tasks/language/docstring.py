"""Docstring completion: name the third argument of a function after its first two -> it.

Heimersheim and Janiak 2023 ("A circuit for Python docstrings in a 4-layer attention-only
transformer"). Roles: A_DEF, B_DEF, C_DEF (the answer), D_DEF in the definition, A_DOC, B_DOC in the
docstring, END. Wrong answers are the other arguments. Templates vary the documentation style.
"""

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, half, language_task, pick
from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.types import PromptPair

_STYLES = (
    (":param {A_DOC}: {w1} {w2}\n    :param {B_DOC}: {w3} {w4}\n    :param", '"""'),
    ("@param {A_DOC} {w1} {w2}\n    @param {B_DOC} {w3} {w4}\n    @param", '"""'),
    (":arg {A_DOC}: {w1} {w2}\n    :arg {B_DOC}: {w3} {w4}\n    :arg", '"""'),
    ("* {A_DOC}: {w1} {w2}\n    * {B_DOC}: {w3} {w4}\n    *", "'''"),
    ("- {A_DOC}: {w1} {w2}\n    - {B_DOC}: {w3} {w4}\n    -", '"""'),
)
_HEAD = " {name}(self, {A_DEF}, {B_DEF}, {C_DEF}, {D_DEF}):\n    "
TEMPLATES = tuple(
    f"{start}{_HEAD}{quote}{{w5}} {{w6}}\n\n    {style}"
    for start in ("def", "async def")
    for style, quote in _STYLES
)
_DEFINED, _DOCUMENTED = ("A_DEF", "B_DEF", "C_DEF", "D_DEF"), ("A_DOC", "B_DOC")


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    names = pick(rng, half(NOUNS, pool), 17)
    a, b, c, d = names[:4]
    slots = {"A_DEF": a, "B_DEF": b, "C_DEF": c, "D_DEF": d, "A_DOC": a, "B_DOC": b}
    slots |= {f"w{i}": word for i, word in enumerate(names[4:10], start=1)} | {"name": names[10]}
    changed = _DEFINED * (corruption != "random-doc") + _DOCUMENTED * (corruption != "random-def")
    other = dict(zip(changed, names[11:], strict=False))
    wrong = (f" {a}", f" {b}", f" {d}")
    return filled(template, slots, other, (f" {c}",), wrong, answer=c, first=a, second=b)


DOCSTRING = language_task("docstring", _pair, TEMPLATES)
"""Draw `n` function heads with half-written docstrings; all words of a prompt differ."""
