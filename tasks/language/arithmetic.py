"""Two-operand arithmetic: "The sum of 25 and 37 is" -> 62; and the same for differences.

The behaviour of the MIB benchmark (arXiv 2504.13151). Operands and results have two digits; the
wrong answer is the corrupted prompt's result and starts with another digit, so that tokenizers that
split numbers into digits can tell them apart. Roles: A, B (operands), END.
"""

from functools import partial

import numpy as np

from circuitvar.tasks.language.templates import Template, filled, language_task
from circuitvar.tasks.types import PromptPair


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
    return filled(
        template,
        {"A": str(a), "B": str(b)},
        {"A": str(c), "B": str(d)},
        (f" {right}",),
        (f" {wrong}",),
        a=str(a),
        b=str(b),
        result=str(right),
    )


ADDITION = language_task("addition", partial(_pair, sign=1))
SUBTRACTION = language_task("subtraction", partial(_pair, sign=-1))
