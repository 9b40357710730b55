"""Batches of token ids: packing rows with padding, taking subsets, cutting into chunks.

Knows nothing about text. `tasks.tokens` and the reader of pre-tokenized pairs both end here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from circuitvar.tasks.types import Batch

PaddingSide = Literal["right", "left"]
Index = Sequence[int] | np.ndarray | Tensor | slice


@dataclass(frozen=True)
class TokenRow:
    """One example as token ids; clean and corrupt have the same length."""

    clean: tuple[int, ...]
    corrupt: tuple[int, ...]
    answers: tuple[int, ...]
    wrong_answers: tuple[int, ...]
    index: int
    """Example id: position in the data set."""
    template: str = ""
    roles: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Role name -> token positions, counted from the first token of the row."""


@dataclass(frozen=True)
class Read:
    """One usable pair: its tokens without BOS, and what was done to its answers."""

    row: TokenRow
    longer: int = 0
    removed: int = 0
    extended: bool = False


def _ragged(rows: Sequence[tuple[int, ...]]) -> Int[Tensor, "batch answer"]:
    width = max(map(len, rows))
    return torch.tensor([(*row, *[-1] * (width - len(row))) for row in rows], dtype=torch.long)


def pack(
    rows: Sequence[TokenRow], *, pad_id: int = 0, padding_side: PaddingSide = "right"
) -> Batch:
    """Rows of any length as one padded batch.

    The role `END` marks the read-out position (the last real token) unless a row names its own.

    >>> pack([TokenRow((5, 6), (5, 7), (1,), (2,), 0), TokenRow((4,), (3,), (1,), (2,), 1)]).mask
    tensor([[ True,  True],
            [ True, False]])

    Raises
    ------
    ValueError
        No rows, an unknown padding side, or a row whose clean and corrupt lengths differ.
    """
    if not rows:
        raise ValueError("no examples to pack: give at least one row")
    if padding_side not in ("right", "left"):
        raise ValueError(f"padding_side must be 'right' or 'left', not {padding_side!r}")
    for row in rows:
        if len(row.clean) != len(row.corrupt) or not row.clean:
            raise ValueError(
                f"example {row.index} has {len(row.clean)} clean and {len(row.corrupt)} corrupted "
                "tokens; both must be equally long and not empty"
            )
    width = max(len(row.clean) for row in rows)
    lengths = torch.tensor([len(row.clean) for row in rows])
    start = width - lengths if padding_side == "left" else torch.zeros_like(lengths)
    clean, corrupt = (torch.full((len(rows), width), pad_id) for _ in range(2))
    names = dict.fromkeys(name for row in rows for name in (*row.roles, "END"))
    roles = {name: torch.zeros(len(rows), width, dtype=torch.bool) for name in names}
    for i, (row, first) in enumerate(zip(rows, start.tolist(), strict=True)):
        span = slice(first, first + len(row.clean))
        clean[i, span], corrupt[i, span] = torch.tensor(row.clean), torch.tensor(row.corrupt)
        for name, positions in {"END": (len(row.clean) - 1,), **row.roles}.items():
            roles[name][i, [first + position for position in positions]] = True
    columns = torch.arange(width)
    return Batch(
        clean=clean,
        corrupt=corrupt,
        mask=(columns >= start[:, None]) & (columns < (start + lengths)[:, None]),
        answers=_ragged([row.answers for row in rows]),
        wrong_answers=_ragged([row.wrong_answers for row in rows]),
        last=start + lengths - 1,
        index=torch.tensor([row.index for row in rows]),
        templates=tuple(row.template for row in rows),
        roles=roles,
    )


def take(batch: Batch, index: Index) -> Batch:
    """The examples at `index` (positions in the batch, a boolean mask, or a slice), in that order.

    Padding is kept, so that scores do not depend on how a batch was cut.
    """
    rows = np.arange(len(batch))[np.asarray(index) if not isinstance(index, slice) else index]
    select = torch.as_tensor(rows, dtype=torch.long, device=batch.clean.device)
    templates = tuple(batch.templates[i] for i in rows.tolist())
    return replace(_each_tensor(batch, lambda tensor: tensor[select]), templates=templates)


def chunks(batch: Batch, size: int) -> Iterator[Batch]:
    """Consecutive pieces of at most `size` examples.

    Raises
    ------
    ValueError
        `size` is not positive.
    """
    if size < 1:
        raise ValueError(f"chunk size must be at least 1, not {size}")
    for start in range(0, len(batch), size):
        yield take(batch, slice(start, start + size))


def to_device(batch: Batch, device: str | torch.device) -> Batch:
    """The same batch with every tensor on `device`."""
    return _each_tensor(batch, lambda tensor: tensor.to(device))


def _each_tensor(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    names = ("clean", "corrupt", "mask", "answers", "wrong_answers", "last", "index")
    return replace(
        batch,
        **{name: change(getattr(batch, name)) for name in names},
        roles={name: change(where) for name, where in batch.roles.items()},
    )
