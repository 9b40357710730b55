"""Training batches of the pocket models: prompts of all pocket tasks, mixed in fixed shares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.pocket.held_out import draw_split
from circuitvar.tasks.types import PromptPair, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

KEYS: tuple[str, ...] = ("ioi", "greater-than", "agreement", "pronoun", "induction", "capital")
SHARES: dict[str, float] = dict(zip(KEYS, (0.14, 0.14, 0.1, 0.11, 0.4, 0.11), strict=True))
"""Part of each batch; induction is the slowest to learn."""
POLISH_SHARES: dict[str, float] = dict(zip(KEYS, (0.07, 0.18, 0.05, 0.12, 0.42, 0.16), strict=True))
"""Part of each batch in the last phase: what is not yet right gets the most."""


@dataclass(frozen=True)
class Example:
    """One training prompt and the tokens that may follow it."""

    ids: list[int]
    answers: list[int]


def examples(
    task: Task, n: int, tokenizer: "PreTrainedTokenizerFast", rng: np.random.Generator
) -> list[Example]:
    """`n` training examples of a task."""
    pairs: tuple[PromptPair, ...] = draw_split(task, n, rng=rng, held_out=False)
    encoded: Any = tokenizer([pair.clean for pair in pairs])["input_ids"]
    vocabulary = tokenizer.get_vocab()
    bos = vocabulary["<bos>"]
    return [
        Example([bos, *ids], [vocabulary[answer.strip()] for answer in pair.answers])
        for ids, pair in zip(encoded, pairs, strict=True)
    ]


def batches(
    tokenizer: "PreTrainedTokenizerFast",
    *,
    seed: int,
    size: int,
    steps: int,
    shares: Mapping[str, float] = SHARES,
    phase: tuple[int, ...] = (),
    rounds: int = 50,
) -> Iterator[list[Example]]:
    """`steps` mixed batches; examples are drawn for `rounds` steps at a time."""
    counts = [round(size * share) for share in shares.values()]
    counts[0] += size - sum(counts)
    for start in range(0, steps, rounds):
        drawn = [
            examples(
                task, count * rounds, tokenizer, np.random.default_rng([seed, start, i, *phase])
            )
            for i, (task, count) in enumerate(zip(pocket_tasks(), counts, strict=True))
        ]
        for step in range(min(rounds, steps - start)):
            parts = (
                examples[step * count : (step + 1) * count]
                for examples, count in zip(drawn, counts, strict=True)
            )
            yield [example for part in parts for example in part]


def pocket_tasks() -> tuple[Task, ...]:
    """The tasks that pocket models are trained on."""
    return tuple(get_task(key) for key in KEYS)
