"""Fast forward pass of a circuit, per example, equal to `reference.run_patched`.

Only what can differ from the all-ablated run is computed: heads and MLPs that are read and have a
live in-circuit input, positions from the first differing token on, and in the last layer the
read-out position alone. Values are kept by content (which edges feed a node, and what those
carry), so circuits that share a part share its computation.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.architecture import (
    Architecture,
    Context,
    Layer,
    destination_weights,
    head_output_weights,
)
from circuitvar.circuits.backdrop import Backdrop, LayerBase, rms_gain
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.trunk import mix, rotated_key, rotated_query, run_mlp

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model

MEMO_BYTES = 512 * 2**20
"""Most bytes of node values kept for other circuits."""

Signature = tuple[int, ...]
"""Ids of the values that reach a destination through kept edges; empty = all ablated."""


@dataclass
class _Memo:
    """Values by id; least recently used ones are dropped when over budget."""

    ids: dict[tuple, int] = field(default_factory=dict)
    values: OrderedDict[int, Tensor] = field(default_factory=OrderedDict)
    size: int = 0

    def id(self, key: tuple) -> int:
        return self.ids.setdefault(key, len(self.ids) + 1)

    def get(self, key: int) -> Tensor | None:
        if key in self.values:
            self.values.move_to_end(key)
            return self.values[key]
        return None

    def put(self, key: int, value: Tensor) -> None:
        self.values[key] = value
        self.size += value.nbytes
        while self.size > MEMO_BYTES and len(self.values) > 1:
            self.size -= self.values.popitem(last=False)[1].nbytes


@dataclass
class _Run:
    """One circuit on its way from the input to the logits."""

    graph: Graph
    kept: Bool[np.ndarray, "src dst"]
    needed: Bool[np.ndarray, " src"]
    memo: _Memo
    stack: Float[Tensor, "live value"]
    """a_u - ablated_u of live sources, flattened [batch, pos, d_model]."""
    live: list[int] = field(default_factory=list)
    """Sources in the order of the rows of `stack` and `tail`."""
    ids: list[int] = field(default_factory=list)
    tail: list[Float[Tensor, "batch d_model"]] = field(default_factory=list)
    """The same at the read-out position only."""

    def signature(self, destination: int) -> Signature:
        kept = self.kept[:, destination]
        return tuple(i for source, i in zip(self.live, self.ids, strict=True) if kept[source])

    def add(self, source: int, key: int, value: Tensor, tail: Tensor) -> None:
        if value.numel() == self.stack.shape[1]:  # not so in the last layer, read at one place
            self.stack[len(self.live)] = value.flatten()
        self.live.append(source)
        self.ids.append(key)
        self.tail.append(tail)


def needed_sources(
    graph: Graph, kept: Bool[np.ndarray, "src dst"], *, coupled: bool = False
) -> Bool[np.ndarray, " src"]:
    """Sources from which a path of kept edges leads to the logits.

    `coupled`: heads of a layer share a post-norm, so if one is needed all are.
    """
    reads = reads_of(graph)
    needed = np.zeros(len(graph.sources), dtype=bool)
    wanted = np.zeros(len(graph.destinations), dtype=bool)
    wanted[-1] = True
    width = graph.n_heads
    for layer in reversed(range(graph.n_layers)):
        first = 1 + layer * (width + graph.has_mlp)
        blocks = [slice(first + width, first + width + 1)] if graph.has_mlp else []
        for block in (*blocks, slice(first, first + width)):
            needed[block] = np.any(kept[block] & wanted, axis=1)
            if coupled and block.start == first:
                needed[block] = needed[block].any()
            wanted |= np.any(reads[block] & needed[block, None], axis=0)
    needed[0] = np.any(kept[0] & wanted)
    return needed


def final_streams(
    model: "Model", backdrop: Backdrop, masks: Bool[np.ndarray, "circuit edge"]
) -> Iterator[Float[Tensor, "batch d_model"]]:
    """The stream that the logits read at the read-out position, for one circuit after another.

    Raises
    ------
    ValueError
        If the masks do not have one column per edge of the model's graph.
    """
    masks = np.atleast_2d(np.asarray(masks, dtype=bool))
    if masks.shape[1] != model.graph.n_edges:
        raise ValueError(
            f"masks must have {model.graph.n_edges} edges, the number in the graph of "
            f"{model.name!r}; got {masks.shape[1]}"
        )
    return streams_of(model, backdrop, masks)


@torch.no_grad()
def streams_of(
    model: "Model", backdrop: Backdrop, masks: Iterable[Bool[np.ndarray, " edge"]]
) -> Iterator[Float[Tensor, "batch d_model"]]:
    """`final_streams` of masks that may be decided one by one, each after the last result."""
    graph = model.graph
    memo = _Memo()
    delta = backdrop.input_delta
    stack = delta.new_empty(len(graph.sources), delta.numel())
    coupled = any(layer.attn_post_norm is not None for layer in model.architecture.layers)
    for mask in masks:
        kept = graph.matrix(mask)
        needed = needed_sources(graph, kept, coupled=coupled)
        run = _Run(graph, kept, needed, memo, stack)
        if needed[0]:
            run.add(0, memo.id(("input",)), delta, at_read_out(backdrop, delta))
        for index in range(graph.n_layers):
            _run_heads(model.architecture, backdrop, run, index)
            if graph.has_mlp:
                _run_mlp(model.architecture, backdrop, run, index)
        yield backdrop.final + _tail_sum(run, len(graph.destinations) - 1)


def at_read_out(backdrop: Backdrop, x: Float[Tensor, "batch pos ..."]) -> Tensor:
    """Values at the read-out position; x starts at `backdrop.first`."""
    return x[torch.arange(len(x), device=x.device), backdrop.batch.last - backdrop.first]


def _tail_sum(run: _Run, destination: int) -> Tensor | float:
    kept = [t for s, t in zip(run.live, run.tail, strict=True) if run.kept[s, destination]]
    return torch.stack(kept).sum(dim=0) if kept else 0.0


def _inputs(
    run: _Run, destinations: Sequence[int], base: Float[Tensor, "batch pos d_model"]
) -> Float[Tensor, "dst batch pos d_model"]:
    """base + sum of kept live deltas, per destination, at all positions from the first on."""
    live = len(run.live)
    weights = run.kept[np.ix_(run.live, list(destinations))].T
    mask = torch.as_tensor(weights, dtype=base.dtype, device=base.device)
    return (mask @ run.stack[:live]).view(len(destinations), *base.shape) + base


def _run_mlp(architecture: Architecture, backdrop: Backdrop, run: _Run, index: int) -> None:
    base, layer = backdrop.layers[index], architecture.layers[index]
    source, destination = (
        where[f"m{index}"] for where in (run.graph.source_index, run.graph.destination_index)
    )
    if not run.needed[source]:
        return
    signature = run.signature(destination)
    if not signature and base.mlp_values is None:
        return
    key = run.memo.id(("mlp", index, signature))
    value = run.memo.get(key)
    last = index == len(architecture.layers) - 1
    start = backdrop.first
    if value is None:
        ablated = base.mlp if base.mlp_values is None else base.mlp_values
        if last:
            mid = at_read_out(backdrop, base.mid[:, start:]) + _tail_sum(run, destination)
            written = run_mlp(layer, mid[:, None])[2]
            value = written - at_read_out(backdrop, ablated[:, start:])[:, None]
        else:
            mid = _inputs(run, [destination], base.mid[:, start:])[0]
            value = run_mlp(layer, mid)[2] - ablated[:, start:]
        run.memo.put(key, value)
    run.add(source, key, value, value[:, 0] if last else at_read_out(backdrop, value))


def _run_heads(architecture: Architecture, backdrop: Backdrop, run: _Run, index: int) -> None:
    graph, base, layer = run.graph, backdrop.layers[index], architecture.layers[index]
    group = graph.n_heads // graph.kv_heads
    columns = [
        tuple(
            graph.destination_index[f"a{index}.h{h}<{slot}>"]
            for slot, h in (("q", head), ("k", head // group), ("v", head // group))
        )
        for head in range(graph.n_heads)
    ]
    signatures = [tuple(run.signature(c) for c in triple) for triple in columns]
    # Heads that share a post-norm change together: each one's scale depends on all of them.
    coupled = layer.attn_post_norm is not None
    seen = [tuple(signatures)] * graph.n_heads if coupled else signatures
    first = graph.source_index[f"a{index}.h0"]
    heads = [h for h in range(graph.n_heads) if run.needed[first + h]]
    if base.head_values is None:
        fed = any(any(signature) for signature in signatures)
        heads = [h for h in heads if (fed if coupled else any(signatures[h]))]
    keys = {h: run.memo.id(("head", index, h, seen[h])) for h in heads}
    values = {h: run.memo.get(key) for h, key in keys.items()}
    todo = [h for h, value in values.items() if value is None]
    todo = heads if coupled and todo else todo
    if todo:
        new = _head_deltas(architecture, backdrop, run, index, todo, [columns[h] for h in todo])
        for head, value in zip(todo, new, strict=True):
            values[head] = value
            run.memo.put(keys[head], value)
    last = index == len(architecture.layers) - 1
    for head, value in values.items():
        assert value is not None
        tail = value[:, 0] if last else at_read_out(backdrop, value)
        run.add(first + head, keys[head], value, tail)


def _head_deltas(
    architecture: Architecture,
    backdrop: Backdrop,
    run: _Run,
    index: int,
    heads: list[int],
    columns: list[tuple[int, ...]],
) -> Float[Tensor, "head batch pos d_model"]:
    """What the heads write in this circuit minus their ablated values."""
    layer, base = architecture.layers[index], backdrop.layers[index]
    last = index == len(architecture.layers) - 1
    q, k, v = _projected(architecture, backdrop, run, index, heads, columns, last=last)
    z = attend_heads(layer, base, backdrop, index, heads, q, k, v, last=last)
    here = slice(backdrop.first, None)
    weights = head_output_weights(architecture, layer)[heads]
    z_base = base.z[:, here][:, :, heads]
    z_base = at_read_out(backdrop, z_base)[:, None] if last else z_base
    if layer.attn_post_norm is not None:
        gain = rms_gain(layer.attn_post_norm, layer.output(z.flatten(-2)))
        written = _per_head(z, weights) * gain
        if base.head_values is None:
            gain = rms_gain(layer.attn_post_norm, layer.output(z_base.flatten(-2)))
            return written - _per_head(z_base, weights) * gain
    elif base.head_values is None:
        return _per_head(z - z_base, weights)
    else:
        written = _per_head(z, weights)
    ablated = base.head_values[:, here][:, :, heads]
    ablated = at_read_out(backdrop, ablated)[:, None] if last else ablated
    return written - ablated.permute(2, 0, 1, 3)


def _per_head(z: Tensor, weights: Tensor) -> Float[Tensor, "head batch pos d_model"]:
    batch, pos, heads, d_head = z.shape
    flat = z.permute(2, 0, 1, 3).reshape(heads, batch * pos, d_head)
    return torch.bmm(flat, weights).view(heads, batch, pos, -1)


def _projected(
    architecture: Architecture,
    backdrop: Backdrop,
    run: _Run,
    index: int,
    heads: list[int],
    columns: list[tuple[int, ...]],
    *,
    last: bool,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Per head: q (at the read-out position only in the last layer), k and v, [batch, pos, d]."""
    layer, base = architecture.layers[index], backdrop.layers[index]
    weights, biases = destination_weights(architecture, layer)
    offset = run.graph.destination_index[f"a{index}.h0<q>"]
    start, group = backdrop.first, run.graph.n_heads // run.graph.kv_heads
    x = base.x[:, start:]
    done: dict[int, Tensor] = {}
    changed = {c for triple in columns for c in triple if run.signature(c)}
    if last:
        for column in {triple[0] for triple in columns} & changed:
            stream = at_read_out(backdrop, x) + _tail_sum(run, column)
            normed = layer.attn_norm(stream[:, None])
            done[column] = normed @ weights[column - offset].T + biases[column - offset]
        changed -= set(done)
    # Destinations that read the same stream are normed once.
    by_input: dict[Signature, list[int]] = {}
    for column in sorted(changed):
        by_input.setdefault(run.signature(column), []).append(column)
    if by_input:
        streams = _inputs(run, [same[0] for same in by_input.values()], x)
        for stream, same in zip(layer.attn_norm(streams), by_input.values(), strict=True):
            rows = [c - offset for c in same]
            out = stream @ weights[rows].flatten(0, 1).T + biases[rows].flatten()
            done.update(zip(same, out.unflatten(-1, (len(same), -1)).unbind(-2), strict=True))
    bases = (base.q[:, start:], base.k[:, start:], base.v[:, start:])
    result: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for head, triple in zip(heads, columns, strict=True):
        for slot, column in enumerate(triple):
            unchanged = bases[slot][:, :, head if slot == 0 else head // group]
            if slot == 0 and last and column not in done:
                unchanged = at_read_out(backdrop, unchanged)[:, None]
            result[slot].append(done.get(column, unchanged))
    return result


def attend_heads(
    layer: Layer,
    base: LayerBase,
    backdrop: Backdrop,
    index: int,
    heads: list[int],
    q: list[Tensor],
    k: list[Tensor],
    v: list[Tensor],
    *,
    last: bool,
) -> Float[Tensor, "batch pos head d_head"]:
    """Per-head results at the positions of q; keys before the first difference are the base's."""
    start, group = backdrop.first, base.q.shape[2] // base.k.shape[2]
    shared = [h // group for h in heads]
    rotary, mask = _context_at(backdrop.context, index, backdrop, last=last)
    query = rotated_query(layer, torch.stack(q, dim=2), rotary)
    key = torch.cat((base.k[:, :start][:, :, shared], torch.stack(k, dim=2)), dim=1)
    value = torch.cat((base.v[:, :start][:, :, shared], torch.stack(v, dim=2)), dim=1)
    key = rotated_key(layer, key, backdrop.context.rotary[index])
    return mix(layer, query, key, value, mask)


def _context_at(
    context: Context, index: int, backdrop: Backdrop, *, last: bool
) -> tuple[tuple[Tensor, Tensor] | None, Tensor]:
    """Rotary angles and mask of the query positions that are computed."""
    start, mask, rotary = backdrop.first, context.masks[index], context.rotary[index]
    if not last:
        turned = None if rotary is None else (rotary[0][:, start:], rotary[1][:, start:])
        return turned, mask[:, :, start:]
    position, n = backdrop.batch.last, len(backdrop.batch)
    rows = torch.arange(n, device=position.device)
    mask = mask.expand(n, -1, -1, -1)[rows, :, position][:, :, None]
    if rotary is not None:
        rotary = tuple(r.expand(n, -1, -1)[rows, position][:, None] for r in rotary)  # type: ignore
    return rotary, mask  # type: ignore[return-value]
