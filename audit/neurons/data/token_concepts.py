"""Concept columns of a token batch: roles, positions, token classes, identity, history.

No external model labels anything: columns follow from the task's role spans and the tokens. BOS
and padding are left out, because attention sinks dominate every moment there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.tasks.types import Batch, PromptPair


@dataclass(frozen=True, eq=False)
class TokenConcepts:
    """One row per real token (no BOS, no padding) of a batch, example by example."""

    values: Bool[np.ndarray, "sample concept"]
    names: tuple[str, ...]
    families: tuple[str, ...]
    """role, position, class, token, history or prompt, per concept."""
    example: Int[np.ndarray, " sample"]
    """Row of the batch."""
    position: Int[np.ndarray, " sample"]


def token_concepts(
    batch: Batch,
    tokenizer: Any,
    *,
    pairs: Sequence[PromptPair] | None = None,
    n_tokens: int = 20,
    min_prompts: int = 10,
) -> TokenConcepts:
    """Build the columns; those seen in fewer than `min_prompts` prompts are left out.

    Columns that hold at every token are left out too, unless `min_prompts` is 0. The attributes of
    the `pairs` of the batch, in its order (as `sample_batch` gives them, without those that a
    tokenizer dropped), become concepts at the read-out position, where all of the prompt is known;
    the `n_tokens` most frequent tokens get an identity column.

    Raises
    ------
    ValueError
        There is another number of `pairs` than of examples, or no column is left.
    """
    tokens = batch.clean.cpu().numpy()
    real = batch.mask.cpu().numpy().copy()
    last = batch.last.cpu().numpy()
    bos = getattr(tokenizer, "bos_token_id", None)
    if bos is not None:
        first = real.argmax(axis=1)
        rows = np.arange(len(tokens))
        real[rows, first] &= tokens[rows, first] != bos
    columns = [
        *_roles(batch),
        *_positions(real, last),
        *_classes(tokens, tokenizer),
        *_identities(tokens, real, tokenizer, n_tokens),
        *_history(tokens, real, last),
    ]
    if pairs is not None:
        columns += _prompt(batch, pairs, tokens.shape[1], last, min_prompts)
    example, position = np.nonzero(real)
    kept = []
    for family, name, column in columns:
        there = (column & real).any(axis=1).sum()
        if there >= min_prompts and (min_prompts == 0 or not column[real].all()):
            kept.append((family, name, column[real]))
    if not kept:
        raise ValueError(f"no concept occurs in {min_prompts} prompts; pass more prompts.")
    families, names, values = zip(*kept, strict=True)
    return TokenConcepts(np.stack(values, axis=1), names, families, example, position)


Column = tuple[str, str, np.ndarray]


def _roles(batch: Batch) -> list[Column]:
    found = {name: mask.cpu().numpy() for name, mask in batch.roles.items()}
    columns = [("role", f"role {name}", mask) for name, mask in found.items()]
    return columns + [
        ("history", f"after {name}", _next(mask) & ~mask) for name, mask in found.items()
    ]


def _next(mask: np.ndarray) -> np.ndarray:
    """True one token later."""
    return np.pad(mask, ((0, 0), (1, 0)))[:, :-1]


def _positions(real: np.ndarray, last: np.ndarray) -> list[Column]:
    index = np.cumsum(real, axis=1) - 1
    away = last[:, None] - np.arange(real.shape[1])
    return [
        *(("position", f"position {p}", real & (index == p)) for p in range(index.max() + 1)),
        *(("position", f"{d} before END", away == d) for d in range(1, 6)),
    ]


def _classes(tokens: np.ndarray, tokenizer: Any) -> list[Column]:
    ids, inverse = np.unique(tokens, return_inverse=True)
    texts = [tokenizer.decode([int(i)]) for i in ids]
    bare = [text.strip() for text in texts]
    tests = {
        "capitalised": [b[:1].isupper() for b in bare],
        "digit": [b.isdigit() for b in bare],
        "punctuation": [bool(b) and not any(c.isalnum() for c in b) for b in bare],
        "leading space": [t.startswith(" ") for t in texts],
        "function word": [b.lower() in FUNCTION_WORDS for b in bare],
    }
    return [
        ("class", name, np.array(flags)[inverse].reshape(tokens.shape))
        for name, flags in tests.items()
    ]


FUNCTION_WORDS = frozenset(
    "a an the and or but so of to in at on for by with from as is was were are be been had has "
    "have he she it they his her him them their that this these those not than then when while "
    "after before because once".split()
)


def _identities(
    tokens: np.ndarray, real: np.ndarray, tokenizer: Any, n_tokens: int
) -> list[Column]:
    ids, counts = np.unique(tokens[real], return_counts=True)
    top = ids[np.argsort(-counts, kind="stable")[:n_tokens]]
    return [("token", f"token {tokenizer.decode([int(i)])!r}", tokens == i) for i in top]


def _history(tokens: np.ndarray, real: np.ndarray, last: np.ndarray) -> list[Column]:
    """Seen before; follows an earlier copy of the read-out token; same token as read-out."""
    same = tokens[:, :, None] == tokens[:, None, :]
    same &= real[:, :, None] & real[:, None, :]
    earlier = np.tril(np.ones(same.shape[1:], dtype=bool), -1)
    seen = (same & earlier).any(axis=2)
    later = (same & earlier.T).any(axis=2)
    query = tokens[np.arange(len(tokens)), last][:, None]
    copy = (tokens == query) & real & (np.arange(tokens.shape[1]) < last[:, None])
    return [
        ("history", "seen before", seen),
        ("history", "occurs again later", later),
        ("history", "first of a repeated token", later & ~seen),
        ("history", "follows an earlier copy of END", _next(copy)),
        ("history", "earlier copy of END", copy),
    ]


def _prompt(
    batch: Batch, pairs: Sequence[PromptPair], width: int, last: np.ndarray, least: int
) -> list[Column]:
    """`END & name=value`: prompt attributes where the whole prompt has been read."""
    if len(pairs) != len(batch):
        raise ValueError(
            f"{len(pairs)} prompts for a batch of {len(batch)}; give those of it, in its order, "
            "as `sample_batch` returns them"
        )
    mine = [dict(pair.attributes) for pair in pairs]
    at_end = np.arange(width) == last[:, None]
    columns: list[Column] = []
    for name in sorted({key for given in mine for key in given}):
        values = np.array([given.get(name, "") for given in mine])
        for value in np.unique(values):
            rows = values == value
            if value and least <= rows.sum() and (least == 0 or not rows.all()):
                columns.append(("prompt", f"END & {name}={value}", at_end & rows[:, None]))
    return columns
