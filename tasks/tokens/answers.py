"""Which token of an answer is read, given how prompt + answer tokenize together.

The first token that tells right from wrong: where all candidates of a pair start with the same
tokens (a lone space before digits, say), these join the prompt and the next token is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class Unusable(Exception):
    """Why one pair cannot be used: (reason, detail)."""


@dataclass(frozen=True)
class AnswerTokens:
    """Read tokens of one pair."""

    right: tuple[int, ...]
    wrong: tuple[int, ...]
    prefix: tuple[int, ...]
    """Tokens that every candidate shares, to be appended to both prompts."""
    longer: int
    """Candidates that go on after the token that is read."""
    removed: int
    """Candidates that are not read: they merge with the prompt, are unknown, repeat another's
    token, or stand on both sides."""


def _continuations(
    prompt: Sequence[int], joint: Sequence[Sequence[int]], unknown: int | None
) -> list[tuple[int, ...]]:
    """What each candidate adds to the prompt's tokens; those that change them are left out."""
    size = len(prompt)
    added = [tuple(ids[size:]) for ids in joint if list(ids[:size]) == list(prompt)]
    return [ids for ids in dict.fromkeys(added) if ids and unknown not in ids]


def _shared_prefix(candidates: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    shared = candidates[0]
    for ids in candidates[1:]:
        same = (i for i, (x, y) in enumerate(zip(shared, ids, strict=False)) if x != y)
        shared = shared[: next(same, min(len(shared), len(ids)))]
    return shared


def answer_tokens(
    prompt: Sequence[int],
    answers: Sequence[Sequence[int]],
    wrong_answers: Sequence[Sequence[int]],
    *,
    unknown: int | None = None,
) -> AnswerTokens:
    """The tokens to read, from the ids of prompt + answer tokenized jointly.

    >>> answer_tokens([5], [[5, 1, 2]], [[5, 1, 3]])
    AnswerTokens(right=(2,), wrong=(3,), prefix=(1,), longer=0, removed=0)

    Raises
    ------
    Unusable
        One side has no candidate left, or the sides cannot be told apart.
    """
    right = _continuations(prompt, answers, unknown)
    wrong = _continuations(prompt, wrong_answers, unknown)
    for found, given, side in ((right, answers, "answer"), (wrong, wrong_answers, "wrong answer")):
        if given and not found:
            raise Unusable(
                f"{side} merges with the end of the prompt or is unknown",
                "none of its tokenizations starts with the prompt's tokens and is known",
            )
    prefix = _shared_prefix([*right, *wrong]) if wrong else ()
    size = len(prefix)
    if any(len(ids) == size for ids in (*right, *wrong)):
        raise Unusable("answer equals wrong answer", "one is the start of the other, in tokens")
    first = [list(dict.fromkeys(ids[size] for ids in side)) for side in (right, wrong)]
    both = set(first[0]) & set(first[1])
    kept = [tuple(token for token in side if token not in both) for side in first]
    if both and not all(kept):
        raise Unusable("answer equals wrong answer", "in the first token that differs from others")
    longer = sum(len(ids) > size + 1 for ids in (*right, *wrong))
    removed = len(answers) + len(wrong_answers) - len(kept[0]) - len(kept[1])
    return AnswerTokens(kept[0], kept[1], prefix, longer, removed)
