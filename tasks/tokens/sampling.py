"""Draw from a task until enough prompts are usable with a model's tokenizer."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from circuitvar.tasks.tokens.batching import take
from circuitvar.tasks.tokens.tokens import Tokenized, TooFewUsable, tokenize
from circuitvar.tasks.types import PromptPair, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOG = logging.getLogger("circuitvar")
ROUNDS = 20
"""Draws of `n` pairs before too few are called an error."""


class Reads(Protocol):
    """What reads prompts: a model, or a `Reader` where there is none."""

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase | None":
        """None where only pre-tokenized prompts can be read."""
        ...

    @property
    def context(self) -> int | None:
        """Longest prompt in tokens."""
        ...

    @property
    def vocab_size(self) -> int | None:
        """Number of token ids."""
        ...


@dataclass(frozen=True)
class Reader:
    """A tokenizer without a model."""

    tokenizer: "PreTrainedTokenizerBase | None"
    context: int | None = None
    vocab_size: int | None = None


def sample_batch(
    task: Task,
    n: int,
    reader: Reads,
    *,
    rng: np.random.Generator | int,
    templates: tuple[str, ...] | None = None,
    corruption: str | None = None,
    pool: str = "all",
    unlike: Collection[str] | None = None,
) -> tuple[Tokenized, tuple[PromptPair, ...]]:
    """Exactly `n` usable examples of a task, and their pairs in the order of the batch.

    Draws `n` pairs; while the tokenizer drops some, draws `n` more, `ROUNDS` times at most. The
    table of dropped pairs covers every draw. `rng`: a generator, or the seed of one. `unlike`:
    clean prompts that must not come up; then none comes up twice either.

    What was left out or read otherwise than it was given is logged (logger `circuitvar`).

    Raises
    ------
    ValueError
        Fewer than `n` pairs are usable; says how many, and why the others are not. Or the task is
        `strict` and one is not usable.
    """
    rng = np.random.default_rng(rng)
    options: dict[str, Any] = {"templates": templates, "corruption": corruption, "pool": pool}
    if n == 0:
        task.sample(0, rng=rng, **options)
        raise ValueError("no prompt pairs to tokenize: ask for at least one")
    pairs: list[PromptPair] = []
    known: set[object] = set(unlike or ())
    enough = n
    for turn in range(1, ROUNDS + 1):
        for pair in task.sample(n, rng=rng, **options):
            mark = pair if unlike is None else pair.clean
            if mark not in known or not (task.distinct or unlike is not None):
                known.add(mark)
                pairs.append(pair)
        if len(pairs) < enough and turn < ROUNDS:
            continue
        try:
            if not pairs:
                raise TooFewUsable(f"none is left, {n} are needed", 0)
            done = tokenize(
                pairs,
                reader.tokenizer,
                minimum=n,
                max_length=reader.context,
                vocab_size=reader.vocab_size,
            )
        except TooFewUsable as few:
            if turn == ROUNDS:
                raise TooFewUsable(_why(task, few, unlike), few.usable) from None
            enough = len(pairs) * n // max(few.usable, 1)
            continue
        _tell(task, done)
        rows = done.kept[:n]
        cut = replace(done, batch=take(done.batch, slice(0, n)), kept=rows)
        return cut, tuple(pairs[i] for i in rows)
    raise AssertionError("unreachable: the last round returns or raises")


def _tell(task: Task, done: Tokenized) -> None:
    """Log what was left out; refuse it where the task is strict."""
    if task.strict and len(done.dropped):
        raise ValueError(
            f"{task.source or task.key}: {done.notes[0]}; mend them or leave out strict"
        )
    for note in done.notes:
        LOG.info("%s: %s", task.key, note)


def _why(task: Task, few: TooFewUsable, unlike: Collection[str] | None) -> str:
    note = "" if unlike is None else f" that differ from the {len(unlike)} already used"
    if task.distinct:  # The rows of a file: its name helps, the number of draws does not.
        rows = f", rows{note}" if note else ""
        return f"{task.source or task.key}{rows}: {few}"
    return f"task {task.key!r}, {ROUNDS} draws{note}: {few}"
