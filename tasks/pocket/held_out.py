"""Which slot combinations the pocket models never see in training.

A combination is held out when the first byte of sha256("task|value|value") is below 26 (about one
in ten). The combinations, per task:
* ioi: the unordered pair of names;           * greater-than: century and suffix of the start year;
* agreement: subject noun and attractor noun; * pronoun: template and name;
* induction: a noun and its successor;        * capital: template and country.
Training drops every prompt with a held-out combination; for induction also those where a held-out
pair of nouns is merely adjacent. Evaluation asks about held-out combinations only.
"""

import hashlib
from itertools import pairwise

import numpy as np

from circuitvar.tasks.types import PromptPair, Task

THRESHOLD = 26


def _held(task: str, *values: str) -> bool:
    return hashlib.sha256("|".join((task, *values)).encode()).digest()[0] < THRESHOLD


def may_follow(noun: str, following: str) -> bool:
    """Whether training may show one noun right after the other."""
    return not _held("induction", noun, following)


def is_held_out(task: str, pair: PromptPair) -> bool:
    """Whether the combination that the prompt asks about is held out."""
    value = dict(pair.attributes)
    combination = {
        "ioi": lambda: sorted((value["io"], value["s"])),
        "greater-than": lambda: (value["century"], value["year"]),
        "agreement": lambda: (value["subject"], value["attractor"]),
        "pronoun": lambda: (pair.template, value["name"]),
        "induction": lambda: (value["a"], value["b"]),
        "capital": lambda: (pair.template, value["country"]),
    }
    return _held(task, *combination[task]())


def shows_held_out(task: str, pair: PromptPair) -> bool:
    """Whether training must not see the prompt: stricter than `is_held_out` for induction."""
    if task != "induction":
        return is_held_out(task, pair)
    value = dict(pair.attributes)
    words = [*value["words"].split(), value["a"]]
    return not all(may_follow(one, two) for one, two in pairwise(words))


def draw_split(
    task: Task, n: int, *, rng: np.random.Generator, held_out: bool
) -> tuple[PromptPair, ...]:
    """`n` prompts for training (`held_out=False`) or for evaluation (True)."""
    kept: list[PromptPair] = []
    while len(kept) < n:
        for pair in task.sample(max(64, n), rng=rng):
            if is_held_out(task.key, pair) if held_out else not shows_held_out(task.key, pair):
                kept.append(pair)
    return tuple(kept[:n])
