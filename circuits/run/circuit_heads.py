"""Attention heads of a circuit's run: only heads that are read and whose inputs have changed."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.model import (
    destination_weights,
    head_output_weights,
    mix,
    query_context,
    rotated_key,
    rotated_query,
)
from circuitvar.circuits.run.ablated_run import Backdrop, rms_gain
from circuitvar.circuits.run.circuit_state import Run, Signature, at_read_out, inputs, tail_sum


def run_heads(run: Run, index: int) -> None:
    """Run the needed heads of one layer and add what they write to the run."""
    graph, base = run.graph, run.backdrop.layers[index]
    layers = run.backdrop.architecture.layers
    layer, last = layers[index], index == len(layers) - 1
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
    tails: dict[int, Tensor] = {}
    if todo:
        room = run.room(len(todo)) if len(todo) == len(heads) else None
        new = _head_deltas(run, index, todo, [columns[h] for h in todo], room, last=last)
        tails = dict(zip(todo, _tails(run.backdrop, new, last=last), strict=True))
        for head, value in zip(todo, new, strict=True):
            values[head] = value
            run.memo.put(keys[head], value)
    for head, value in values.items():
        assert value is not None
        tail = tails[head] if head in tails else _tails(run.backdrop, value[None], last=last)[0]
        run.add(first + head, keys[head], value, tail)


def _tails(
    backdrop: Backdrop, values: Float[Tensor, "head batch pos d_model"], *, last: bool
) -> Float[Tensor, "head batch d_model"]:
    """Values at the read-out position, the only one there is in the last layer."""
    if last:
        return values[:, :, 0]
    rows = torch.arange(values.shape[1], device=values.device)
    return values[:, rows, backdrop.batch.last - backdrop.first]


def _head_deltas(
    run: Run,
    index: int,
    heads: list[int],
    columns: list[tuple[int, ...]],
    room: Float[Tensor, "live value"] | None,
    *,
    last: bool,
) -> Float[Tensor, "head batch pos d_model"]:
    """What the heads write in this circuit minus their ablated values; in `room` where it fits."""
    backdrop, architecture = run.backdrop, run.backdrop.architecture
    layer, base = architecture.layers[index], backdrop.layers[index]
    projected = _projected(run, index, heads, columns, last=last)
    z = attend_heads(backdrop, index, heads, projected, last=last)
    here = slice(backdrop.first, None)
    everything = len(heads) == architecture.n_heads  # then views, not copies
    chosen = slice(None) if everything else heads
    weights = head_output_weights(architecture, layer)[chosen]
    z_base = base.z[:, here][:, :, chosen]
    z_base = at_read_out(backdrop, z_base)[:, None] if last else z_base
    if layer.attn_post_norm is not None:
        gain = rms_gain(layer.attn_post_norm, layer.output(z.flatten(-2)))
        written = _per_head(z, weights) * gain
        if base.head_values is None:
            gain = rms_gain(layer.attn_post_norm, layer.output(z_base.flatten(-2)))
            return written - _per_head(z_base, weights) * gain
    elif base.head_values is None:
        return _per_head(z - z_base, weights, None if last else room)
    else:
        written = _per_head(z, weights)
    ablated = base.head_values[:, here][:, :, chosen]
    ablated = at_read_out(backdrop, ablated)[:, None] if last else ablated
    return written - ablated.permute(2, 0, 1, 3)


def _per_head(
    z: Tensor, weights: Tensor, room: Tensor | None = None
) -> Float[Tensor, "head batch pos d_model"]:
    batch, pos, heads, d_head = z.shape
    flat = z.permute(2, 0, 1, 3).reshape(heads, batch * pos, d_head)
    out = None if room is None else room.view(heads, batch * pos, -1)
    return torch.bmm(flat, weights, out=out).view(heads, batch, pos, -1)


def _projected(
    run: Run, index: int, heads: list[int], columns: list[tuple[int, ...]], *, last: bool
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Per head: q (at the read-out position only in the last layer), k and v, [batch, pos, d]."""
    backdrop, architecture = run.backdrop, run.backdrop.architecture
    layer, base = architecture.layers[index], backdrop.layers[index]
    weights, biases = destination_weights(architecture, layer)
    offset = run.graph.destination_index[f"a{index}.h0<q>"]
    start, group = backdrop.first, run.graph.n_heads // run.graph.kv_heads
    x = base.x[:, start:]
    done: dict[int, Tensor] = {}
    changed = {c for triple in columns for c in triple if run.signature(c)}
    if last:
        for column in {triple[0] for triple in columns} & changed:
            stream = at_read_out(backdrop, x) + tail_sum(run, column)
            normed = layer.attn_norm(stream[:, None])
            done[column] = normed @ weights[column - offset].T + biases[column - offset]
        changed -= set(done)
    # Destinations that read the same stream are normed once.
    by_input: dict[Signature, list[int]] = {}
    for column in sorted(changed):
        by_input.setdefault(run.signature(column), []).append(column)
    if by_input:
        streams = inputs(run, [same[0] for same in by_input.values()], x, ahead=_mlp(run, index))
        for stream, same in zip(layer.attn_norm(streams), by_input.values(), strict=True):
            rows = [c - offset for c in same]
            out = F.linear(stream, _stacked(weights, rows), _stacked(biases, rows))
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


def _mlp(run: Run, index: int) -> int | None:
    """The layer's MLP as a destination, where its input will be summed over the stack."""
    if not run.graph.has_mlp or index == run.graph.n_layers - 1:
        return None
    needed = run.needed[run.graph.source_index[f"m{index}"]]
    return run.graph.destination_index[f"m{index}"] if needed else None


def _stacked(weights: Float[Tensor, "dst d_head ..."], rows: list[int]) -> Tensor:
    """Weights of some destinations, one below the other; a view where there is only one."""
    return weights[rows[0]] if len(rows) == 1 else weights[rows].flatten(0, 1)


def attend_heads(
    backdrop: Backdrop,
    index: int,
    heads: list[int],
    projected: tuple[list[Tensor], list[Tensor], list[Tensor]],
    *,
    last: bool,
) -> Float[Tensor, "batch pos head d_head"]:
    """Per-head results from per-head q, k and v, at the positions of q.

    Keys before the first difference are the base's.
    """
    base, start, layer = backdrop.layers[index], backdrop.first, backdrop.architecture.layers[index]
    q, k, v = projected
    group = base.q.shape[2] // base.k.shape[2]
    everything = group == 1 and len(heads) == base.k.shape[2]  # then views, not copies
    shared = slice(None) if everything else [h // group for h in heads]
    rotary, mask = query_context(
        backdrop.context, index, start, backdrop.batch.last if last else None
    )
    query = rotated_query(layer, torch.stack(q, dim=2), rotary)
    key = torch.cat((base.k[:, :start][:, :, shared], torch.stack(k, dim=2)), dim=1)
    value = torch.cat((base.v[:, :start][:, :, shared], torch.stack(v, dim=2)), dim=1)
    key = rotated_key(layer, key, backdrop.context.rotary[index])
    return mix(layer, query, key, value, mask)
