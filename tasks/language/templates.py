"""Filling templates and drawing prompt pairs: the part that every language task shares.

A template is text with `{NAME}` slots. A slot in capitals is also a role: its character span
travels with the prompt. Families are drawn in balanced random order, slot values independently.
"""

import copy
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from circuitvar.tasks.language.corruptions import RANDOM_TOKEN, random_token
from circuitvar.tasks.lookup import near
from circuitvar.tasks.types import Corruption, PromptPair, Task

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


def filled(
    template: Template,
    slots: Mapping[str, str],
    change: Mapping[str, str],
    answers: tuple[str, ...],
    wrong_answers: tuple[str, ...],
    **attributes: str,
) -> PromptPair:
    """The template filled with `slots`, and its twin, with `change` in their place."""
    clean, roles = render(template.text, slots)
    corrupt, _ = render(template.text, {**slots, **change})
    labels = tuple(attributes.items())
    return PromptPair(clean, corrupt, answers, wrong_answers, template.id, roles, labels)


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
    random_roles: Sequence[str] | None = None
    """What `random-token` rewrites; None stands for every role."""

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
                if key == RANDOM_TOKEN.key:
                    pair = self._with_random_tokens(pair, copy.deepcopy(rng))
                elif key != keys[0]:
                    pair = self.make(by_id[wanted[i]], key, pool, before)
                pairs.append(pair)
        return tuple(pairs)

    def _with_random_tokens(self, pair: PromptPair, rng: np.random.Generator) -> PromptPair:
        wanted = self.random_roles
        spans = [(a, b) for role, a, b in pair.roles if wanted is None or role in wanted]
        return replace(pair, corrupt=random_token(pair.clean, spans, rng=rng))

    def as_task(self, title: str, *, source: str, **fields: Any) -> Task:
        """The task that draws with this; `fields` are those of `Task` that it does not know."""
        return Task(
            key=self.task,
            title=title,
            sample=self,
            templates=tuple(template.id for template in self.all_templates),
            corruptions=tuple(self.corruptions),
            pools=tuple(self.pools),
            source=source,
            **{"licence": "Apache-2.0", **fields},
        )


@cache
def task_records() -> dict[str, dict[str, Any]]:
    """What `tasks.toml` says, by key of the task."""
    return tomllib.loads(Path(__file__).with_name("tasks.toml").read_text(encoding="utf-8"))


def language_task(key: str, make: MakePair, texts: Sequence[str] = ()) -> Task:
    """The task that `tasks.toml` describes under this key; `texts`: templates made in code."""
    record = dict(task_records()[key])
    templates = families(record.pop("prefix"), *record.pop("templates", texts))
    named = (Corruption(name, why) for name, why in record.pop("corruptions").items())
    random_roles = record.pop("random_token", None)
    corruptions = (*named, RANDOM_TOKEN)
    return Sampler(key, make, templates, corruptions, random_roles=random_roles).as_task(**record)
