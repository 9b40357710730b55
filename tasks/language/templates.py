"""Filling templates and drawing prompt pairs: the part that every language task shares.

A template is text with `{NAME}` slots. A slot in capitals is also a role: its character span
travels with the prompt. Families are drawn in balanced random order, slot values independently.
"""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from circuitvar.tasks.lookup import near
from circuitvar.tasks.types import Corruption, PromptPair

Span = tuple[str, int, int]
_SLOT = re.compile(r"\{([^}]+)\}")
_WORD = re.compile(r"\s*(\w+|[^\w\s])")


@dataclass(frozen=True)
class Template:
    """One paraphrase family."""

    id: str
    text: str


MakePair = Callable[[Template, str, str, np.random.Generator], PromptPair]
"""(template, corruption key, pool, rng) -> one pair."""


def families(prefix: str, *texts: str) -> tuple[Template, ...]:
    """Templates numbered in the order given: `ioi-01`, `ioi-02`, ..."""
    return tuple(Template(f"{prefix}-{i:02d}", text) for i, text in enumerate(texts, start=1))


def render(text: str, values: Mapping[str, str]) -> tuple[str, tuple[Span, ...]]:
    """The filled template and the span of every slot named in capitals.

    >>> render("The {place} of {IO}", {"place": "house", "IO": "Mary"})
    ('The house of Mary', (('IO', 13, 17),))
    """
    out, spans, done, length = [], [], 0, 0
    for match in _SLOT.finditer(text):
        name, value = match[1], values[match[1]]
        before = text[done : match.start()]
        length += len(before)
        if name == name.upper():
            spans.append((name, length, length + len(value)))
        out += [before, value]
        length, done = length + len(value), match.end()
    return "".join((*out, text[done:])), tuple(spans)


def next_word(text: str, end: int) -> tuple[int, int]:
    """Span of the word or punctuation mark that follows character `end`."""
    match = _WORD.match(text, end)
    return match.span(1) if match else (end, end)


def pick(rng: np.random.Generator, items: Sequence[str], k: int = 1) -> list[str]:
    """`k` different items in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:k]]


def half(items: tuple[str, ...], pool: str) -> tuple[str, ...]:
    """Pool `a` is every other item from the first, `b` every other from the second, `all` both."""
    return {"all": items, "a": items[::2], "b": items[1::2]}[pool]


def check_choice(what: str, received: str, allowed: Sequence[str], task: str) -> None:
    """Raise a ValueError that names the allowed choices, unless `received` is one of them."""
    if received not in allowed:
        raise ValueError(
            f"task {task!r} has no {what} {received!r}: choose from {', '.join(allowed)}"
            f"{near(received, allowed)}"
        )


@dataclass(frozen=True)
class Sampler:
    """`Task.sample` of a task that makes its pairs one by one from templates."""

    task: str
    make: MakePair
    all_templates: Sequence[Template]
    corruptions: Sequence[Corruption]
    pools: Sequence[str] = ("all", "a", "b")

    def __call__(
        self,
        n: int,
        *,
        rng: np.random.Generator,
        templates: Sequence[str] | None = None,
        corruption: str | None = None,
        pool: str = "all",
    ) -> tuple[PromptPair, ...]:
        """`n` pairs whose template counts differ by at most one.

        Clean prompts depend on `rng` alone.

        Raises
        ------
        ValueError
            Negative `n`, or a template, corruption or pool that the task does not have.
        """
        if n < 0:
            raise ValueError(f"cannot draw {n} examples of task {self.task!r}: n must be 0 or more")
        by_id = {template.id: template for template in self.all_templates}
        wanted = tuple(by_id) if templates is None else tuple(templates)
        if not wanted:
            raise ValueError(
                f"no template of task {self.task!r} is selected: name at least one or pass None"
            )
        for name in wanted:
            check_choice("template", name, tuple(by_id), self.task)
        keys = tuple(c.key for c in self.corruptions)
        key = keys[0] if corruption is None else corruption
        check_choice("corruption", key, keys, self.task)
        check_choice("pool", pool, self.pools, self.task)
        pairs: list[PromptPair] = []
        while len(pairs) < n:
            for i in rng.permutation(len(wanted))[: n - len(pairs)]:
                # The stream moves on as under the default corruption, so that another corruption
                # changes the corrupted twins and never the clean prompts.
                before = copy.deepcopy(rng)
                pair = self.make(by_id[wanted[i]], keys[0], pool, rng)
                pairs.append(
                    pair if key == keys[0] else self.make(by_id[wanted[i]], key, pool, before)
                )
        return tuple(pairs)
