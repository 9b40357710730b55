"""Two-operand arithmetic: "The sum of 25 and 37 is" -> 62; and the same for differences.

The behaviour of the MIB benchmark (arXiv 2504.13151). Operands and results have two digits; the
wrong answer is the corrupted prompt's result and starts with another digit, so that tokenizers that
split numbers into digits can tell them apart. Roles: A, B (operands), END.
"""

from functools import partial

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.language.templates import Sampler, Template, families, render
from circuitvar.tasks.types import Corruption, PromptPair, Task

_ADDITION = families(
    "addition",
    "The sum of {A} and {B} is",
    "{A} plus {B} equals",
    "{A} + {B} =",
    "Q: What is {A} plus {B}? A:",
    "If you add {A} and {B}, you get",
    "Question: {A} + {B}? Answer:",
    "Adding {A} to {B} gives",
    "{A} and {B} together make",
    "The total of {A} and {B} is",
    "Compute {A} + {B}. The result is",
)
_SUBTRACTION = families(
    "subtraction",
    "The difference between {A} and {B} is",
    "{A} minus {B} equals",
    "{A} - {B} =",
    "Q: What is {A} minus {B}? A:",
    "If you take {B} away from {A}, you get",
    "Question: {A} - {B}? Answer:",
    "Subtracting {B} from {A} gives",
    "{A} less {B} makes",
    "Of {A}, {B} are gone, which leaves",
    "Compute {A} - {B}. The result is",
)
CORRUPTIONS = (
    Corruption("random-operands", "Both numbers change: removes the operands, keeps the wording."),
    Corruption("other-second", "Only the second number changes: keeps the first operand."),
    RANDOM_TOKEN,
)


def _operands(
    sign: int, pool: str, rng: np.random.Generator, a: int | None = None
) -> tuple[int, int]:
    """Two-digit numbers with a two-digit result; pools differ in the parity of the first."""
    while True:
        first = int(rng.integers(10, 100)) if a is None else a
        second = int(rng.integers(10, 90))
        if 10 <= first + sign * second <= 99 and (pool == "all" or first % 2 == (pool == "b")):
            return first, second


def _pair(
    template: Template, corruption: str, pool: str, rng: np.random.Generator, *, sign: int
) -> PromptPair:
    while True:
        a, b = _operands(sign, pool, rng)
        # With a first operand near the edge, no second one changes the result's first digit.
        if (a <= 79) if sign > 0 else (a >= 30):
            break
    right = wrong = a + sign * b
    c, d = a, b
    while right // 10 == wrong // 10:
        c, d = _operands(sign, pool, rng, a if corruption == "other-second" else None)
        wrong = c + sign * d
    clean, roles = render(template.text, {"A": str(a), "B": str(b)})
    corrupt, _ = render(template.text, {"A": str(c), "B": str(d)})
    if corruption == RANDOM_TOKEN.key:
        corrupt = random_token(clean, [(low, high) for _, low, high in roles], rng=rng)
    return PromptPair(
        clean,
        corrupt,
        answers=(f" {right}",),
        wrong_answers=(f" {wrong}",),
        template=template.id,
        roles=roles,
        attributes=(("a", str(a)), ("b", str(b)), ("result", str(right))),
    )


def _task(key: str, title: str, sign: int, templates: tuple[Template, ...]) -> Task:
    return Task(
        key=key,
        title=title,
        sample=Sampler(key, partial(_pair, sign=sign), templates, CORRUPTIONS),
        templates=tuple(template.id for template in templates),
        corruptions=CORRUPTIONS,
        source="after MIB, arXiv 2504.13151; prompts made for this project",
        licence="Apache-2.0",
    )


ADDITION = _task("addition", "Two-digit addition", 1, _ADDITION)
SUBTRACTION = _task("subtraction", "Two-digit subtraction", -1, _SUBTRACTION)
