"""Concept columns for the neuron audit, from labelled task data alone.

One row per real token of a batch (BOS and padding left out by default), one binary or numeric
column per concept: roles, positions, token classes, token identity, duplication history. Names are
`family:value`, so that a report can restrict or stratify by family. A role that is fixed given
(template, position) can only be told from that position across templates.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.tasks.language.words import NAMES, NOUNS, OBJECTS, PLACES
from circuitvar.tasks.types import Batch

Column = tuple[str, np.ndarray]

_LEXICON = {
    "name": frozenset(NAMES),
    "place": frozenset(PLACES),
    "object": frozenset(OBJECTS),
    "noun": frozenset(NOUNS),
}
_FUNCTION_TEXT = """
a an and as at because before after but by for from he her him his if in is it its my not of on or
she so that the their them then they this to until was we were what when while with
"""
_FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())


@dataclass(frozen=True, eq=False)
class ConceptTable:
    """Concept values per token, and which example and position each row is."""

    values: Float[np.ndarray, "sample concept"]
    names: tuple[str, ...]
    example: Int[np.ndarray, " sample"]
    """Row of the batch: the independent draw that samples cluster in."""
    position: Int[np.ndarray, " sample"]
    """Column of the batch."""
    templates: tuple[str, ...]
    """Template per sample."""


def _roles(batch: Batch, rows: np.ndarray, cols: np.ndarray) -> list[Column]:
    return [
        (f"role:{name}", where.cpu().numpy()[rows, cols]) for name, where in batch.roles.items()
    ]


def _positions(
    place: Int[np.ndarray, " sample"], to_end: Int[np.ndarray, " sample"]
) -> list[Column]:
    """`place` counts real tokens from 0, `to_end` the tokens left until the read-out."""
    one_hot = [(f"position:{p}", place == p) for p in np.unique(place)]
    return [*one_hot, ("position:from_end", to_end.astype(float))]


def _classes(words: list[str]) -> list[Column]:
    bare = [word.strip() for word in words]
    tests: dict[str, Callable[[str], bool]] = {
        **{key: lexicon.__contains__ for key, lexicon in _LEXICON.items()},
        "function_word": lambda word: word.lower() in _FUNCTION_WORDS,
        "punctuation": lambda word: bool(word) and not any(c.isalnum() for c in word),
        "capitalised": lambda word: word[:1].isupper(),
        "digit": lambda word: word.isdigit(),
    }
    columns = [(f"class:{k}", np.array([test(w) for w in bare])) for k, test in tests.items()]
    return [*columns, ("class:leading_space", np.array([word[:1] == " " for word in words]))]


def _identity(words: list[str], most: int) -> list[Column]:
    ranked = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    array = np.array(words)
    return [(f"token:{word}", array == word) for word, _ in ranked[:most]]


def _history(
    tokens: Int[np.ndarray, "batch pos"], mask: Bool[np.ndarray, "batch pos"]
) -> dict[str, Float[np.ndarray, "batch pos"]]:
    """Occurrence number, duplicate so far, and induction match of every token."""
    count = np.zeros(tokens.shape)
    induction = np.zeros(tokens.shape)
    for row in range(len(tokens)):
        seen: Counter[int] = Counter()
        pairs: set[tuple[int, int]] = set()
        before = None
        for pos in np.flatnonzero(mask[row]):
            token = int(tokens[row, pos])
            seen[token] += 1
            count[row, pos] = seen[token]
            if before is not None:
                induction[row, pos] = (before, token) in pairs
                pairs.add((before, token))
            before = token
    return {
        "history:duplicate": (count > 1).astype(float),
        "history:occurrence": count,
        "history:induction_match": induction,
    }


def _previous_role(batch: Batch, rows: np.ndarray, cols: np.ndarray) -> list[Column]:
    columns = []
    for name, where in batch.roles.items():
        marked = where.cpu().numpy()
        shifted = np.zeros_like(marked)
        shifted[:, 1:] = marked[:, :-1]
        if name != "END":
            columns.append((f"history:after_{name}", shifted[rows, cols]))
    return columns


def concept_columns(
    batch: Batch, token_text: Callable[[int], str], *, identities: int = 20, skip_first: bool = True
) -> ConceptTable:
    """Every concept column of the clean prompts, constant and repeated columns left out.

    `token_text` turns a token id into its text, e.g. `lambda i: tokenizer.decode([i])`.
    `identities`: how many of the most frequent tokens get a column of their own. `skip_first`
    leaves out the first real token (BOS, where attention sinks dominate).

    Raises
    ------
    ValueError
        Nothing is left to describe, or every column is constant.
    """
    tokens, mask = batch.clean.cpu().numpy(), batch.mask.cpu().numpy()
    place = mask.cumsum(axis=1) - 1
    rows, cols = np.nonzero(mask & (place >= int(skip_first)))
    if not len(rows):
        raise ValueError("no tokens to describe: every prompt is empty after its first token")
    known = {int(i): token_text(int(i)) for i in np.unique(tokens[rows, cols])}
    words = [known[int(i)] for i in tokens[rows, cols]]
    columns = [
        *_roles(batch, rows, cols),
        *_positions(place[rows, cols], batch.last.cpu().numpy()[rows] - cols),
        *_classes(words),
        *_identity(words, identities),
        *((name, value[rows, cols]) for name, value in _history(tokens, mask).items()),
        *_previous_role(batch, rows, cols),
    ]
    kept: dict[bytes, Column] = {}
    for name, value in columns:
        value = np.asarray(value, dtype=np.float64)
        if value.min() != value.max():
            kept.setdefault(value.tobytes(), (name, value))
    if not kept:
        raise ValueError("every concept is constant on these prompts; use more varied prompts")
    return ConceptTable(
        values=np.stack([value for _, value in kept.values()], axis=1),
        names=tuple(name for name, _ in kept.values()),
        example=rows,
        position=cols,
        templates=tuple(batch.templates[row] for row in rows),
    )
