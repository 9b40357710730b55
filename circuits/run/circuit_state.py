"""What is known while a circuit runs: live values, what feeds them, values kept for others."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.run.ablated_run import Backdrop

MEMO_BYTES = 512 * 2**20
"""Most bytes of node values kept for other circuits."""

Signature = tuple[int, ...]
"""Ids of the values that reach a destination through kept edges; empty = all ablated."""


@dataclass
class Memo:
    """Values by id; least recently used ones are dropped when over budget."""

    ids: dict[tuple, int] = field(default_factory=dict)
    values: OrderedDict[int, Tensor] = field(default_factory=OrderedDict)
    size: int = 0

    def id(self, key: tuple) -> int:
        """Number of a state, the same for equal keys."""
        return self.ids.setdefault(key, len(self.ids) + 1)

    def get(self, key: int) -> Tensor | None:
        """The value kept for a state, if it still is."""
        if key in self.values:
            self.values.move_to_end(key)
            return self.values[key]
        return None

    def put(self, key: int, value: Tensor) -> None:
        """Keep a value; the oldest go when memory is short."""
        self.size += value.nbytes - (self.values[key].nbytes if key in self.values else 0)
        self.values[key] = value
        while self.size > MEMO_BYTES and len(self.values) > 1:
            self.size -= self.values.popitem(last=False)[1].nbytes


@dataclass
class Run:
    """One circuit on its way from the input to the logits."""

    backdrop: Backdrop
    graph: Graph
    kept: Bool[np.ndarray, "src dst"]
    needed: Bool[np.ndarray, " src"]
    memo: Memo
    stack: Float[Tensor, "live value"]
    """a_u - ablated_u of live sources, flattened [batch, pos, d_model]."""
    live: list[int] = field(default_factory=list)
    """Sources in the order of the rows of `stack` and `tail`."""
    ids: list[int] = field(default_factory=list)
    tail: list[Float[Tensor, "batch d_model"]] = field(default_factory=list)
    """The same at the read-out position only."""
    alone: bool = False
    """No other circuit writes into `stack`, so that values may lie in it."""
    ahead: dict[int, tuple[int, Tensor]] = field(default_factory=dict)
    """Destination -> how many live sources are summed already, and their sum."""

    def signature(self, destination: int) -> Signature:
        """States of the sources that `destination` reads."""
        kept = self.kept[:, destination]
        return tuple(i for source, i in zip(self.live, self.ids, strict=True) if kept[source])

    def room(self, n: int) -> Float[Tensor, "live value"] | None:
        """The next rows of the stack to write into, where no other circuit will reuse it."""
        return self.stack[len(self.live) : len(self.live) + n] if self.alone else None

    def add(self, source: int, key: int, value: Tensor, tail: Tensor) -> None:
        """Record what a source writes, in the stack and at the last position."""
        if value.numel() == self.stack.shape[1]:  # not so in the last layer, read at one place
            row = self.stack[len(self.live)]
            if value.data_ptr() != row.data_ptr():
                row.copy_(value.flatten())
        self.live.append(source)
        self.ids.append(key)
        self.tail.append(tail)


def at_read_out(backdrop: Backdrop, x: Float[Tensor, "batch pos ..."]) -> Tensor:
    """Values at the read-out position; x starts at `backdrop.first`."""
    return x[torch.arange(len(x), device=x.device), backdrop.batch.last - backdrop.first]


def tail_sum(run: Run, destination: int) -> Tensor | float:
    """What the live sources that are kept for `destination` write at the last position."""
    kept = [t for s, t in zip(run.live, run.tail, strict=True) if run.kept[s, destination]]
    return torch.stack(kept).sum(dim=0) if kept else 0.0


def inputs(
    run: Run,
    destinations: Sequence[int],
    base: Float[Tensor, "batch pos d_model"],
    *,
    ahead: int | None = None,
) -> Float[Tensor, "dst batch pos d_model"]:
    """base + sum of kept live deltas, per destination, at all positions from the first on.

    `ahead`: a destination that is read later, summed now over what is live already: reading the
    stack costs more than adding it up. Its own call then reads only what came after.
    """
    live = len(run.live)
    start, partial = run.ahead.pop(destinations[0], (0, None))
    columns = [*destinations, *(() if ahead is None else (ahead,))]
    weights = run.kept[np.ix_(run.live[start:], columns)].T
    mask = torch.as_tensor(weights, dtype=base.dtype, device=base.device)
    sums = (mask @ run.stack[start:live]).view(len(columns), *base.shape)
    if ahead is not None:
        run.ahead[ahead] = (live, sums[-1])
        sums = sums[:-1]
    sums += base
    return sums if partial is None else sums + partial
