"""Repeated word lists: dense practice for induction, whose prompts each ask for one word only.

A text is several short lists of nouns, each written twice, the second time from a random place on.
Held-out pairs of neighbours (`pocket.held_out`) never occur within a list.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.tasks.language import NOUNS
from circuitvar.tasks.pocket.held_out import may_follow

LONGEST = 5
"""Words per list at first; with longer lists induction takes far longer to appear."""


@cache
def _allowed() -> Bool[np.ndarray, "noun noun"]:
    return np.array([[may_follow(one, two) for two in NOUNS] for one in NOUNS])


def _list(order: list[int], size: int) -> list[int]:
    """Up to `size` nouns from the end of `order`, no held-out neighbours."""
    words: list[int] = []
    while len(words) < size and order:
        word = order.pop()
        if not words or _allowed()[words[-1], word]:
            words.append(word)
    return words


def repeated_lists(
    n: int,
    vocabulary: Mapping[str, int],
    *,
    length: int,
    rng: np.random.Generator,
    longest: int = LONGEST,
) -> tuple[Int[np.ndarray, "batch pos"], Bool[np.ndarray, "batch pos"]]:
    """`n` texts of `length` tokens, and where a token follows from an earlier copy."""
    nouns = np.array([vocabulary[word] for word in NOUNS])
    ids = np.full((n, length), vocabulary["<bos>"])
    second = np.zeros((n, length), dtype=bool)
    for row in range(n):
        order, at = rng.permutation(len(NOUNS)).tolist(), 1
        while at < length:
            size = int(rng.integers(2, longest + 1))
            words = _list(order, size)
            restart = int(rng.integers(len(words) - 1)) if len(words) > 1 else 0
            text = (words + words[restart:])[: length - at]
            ids[row, at : at + len(text)] = nouns[text]
            second[row, at + len(words) + 1 : at + len(text)] = True
            at += len(text)
    return ids, second
