"""Continue a run from the middle: many perturbed residual streams at once, against one clean run.

A row is one example under one perturbation; rows are laid out perturbation-major, so that the
example index runs fastest. Only the positions in `window` are recomputed: before it nothing
differs, so keys and values come from the clean run. In the last layer only the read-out position
is computed, because nothing else is read.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuitvar.circuits.model import (
    Architecture,
    Context,
    Trace,
    at_last,
    destination_weights,
    head_output_weights,
    mix,
    post_norm,
    project,
    rotated_key,
    rotated_query,
    run_mlp,
)


@dataclass(frozen=True, eq=False)
class CleanRun:
    """A clean run, ready to be continued from any layer."""

    architecture: Architecture
    context: Context
    trace: Trace
    queries: tuple[Float[Tensor, "batch pos head d_head"], ...]
    keys: tuple[Float[Tensor, "batch pos kv_head d_head"], ...]
    """Rotated queries and keys per layer."""
    after: tuple[Float[Tensor, "batch pos d_model"], ...]
    """Stream plus attention output, per layer."""
    window: slice
    last: Int[Tensor, " batch"]
    """Read-out position, counted from the start of the window."""

    @property
    def batch(self) -> int:
        """Number of examples."""
        return len(self.last)

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.architecture.layers)


def clean_run(
    architecture: Architecture, trace: Trace, context: Context, window: slice, last: Tensor
) -> CleanRun:
    """Keep what continuing needs from a clean trace."""
    queries, keys, after = [], [], []
    for layer, part, rotary in zip(architecture.layers, trace.layers, context.rotary, strict=True):
        queries.append(rotated_query(layer, part.q, rotary))
        keys.append(rotated_key(layer, part.k, rotary))
        after.append(part.x + post_norm(layer.attn_post_norm, part.attn_raw))
    return CleanRun(
        architecture,
        context,
        trace,
        tuple(queries),
        tuple(keys),
        tuple(after),
        window,
        last - window.start,
    )


def tile(x: Float[Tensor, "batch ..."], n: int) -> Float[Tensor, "row ..."]:
    """The batch n times over."""
    return x if n == 1 else x.repeat(n, *[1] * (x.ndim - 1))


def _tile_shared(x: Float[Tensor, "batch ..."], n: int) -> Float[Tensor, "row ..."]:
    """The same, but what all examples share (leading axis of length 1) is left to broadcast."""
    return x if len(x) == 1 else tile(x, n)


def only_last(clean: CleanRun, x: Float[Tensor, "row pos ..."]) -> Float[Tensor, "row 1 ..."]:
    """The read-out position of windowed rows, as an axis of length 1."""
    return at_last(x, clean.last.repeat(len(x) // clean.batch))[:, None]


def _windowed(clean: CleanRun, x: Tensor, last_only: bool) -> Tensor:
    """[batch or 1, pos, ...] cut to the window, or to the read-out position."""
    x = x[:, clean.window]
    if not last_only:
        return x
    return only_last(clean, x.expand(clean.batch, *x.shape[1:]))


def _rotary(clean: CleanRun, index: int, n: int, last_only: bool) -> tuple[Tensor, Tensor] | None:
    rotary = clean.context.rotary[index]
    if rotary is None:
        return None
    cos, sin = (_tile_shared(_windowed(clean, part, last_only), n) for part in rotary)
    return cos, sin


def _mask(clean: CleanRun, index: int, n: int, last_only: bool) -> Tensor:
    mask = clean.context.masks[index][..., : clean.window.stop].transpose(1, 2)
    return _tile_shared(_windowed(clean, mask, last_only).transpose(1, 2), n)


def _with_prefix(clean: CleanRun, whole: Tensor, new: Tensor, heads: slice) -> Tensor:
    """Clean keys or values before the window, then the rows' own."""
    start = clean.window.start
    if start == 0:
        return new
    # Repeated even for a batch of one, whose leading axis `tile` would leave to broadcast.
    prefix = whole[:, :start, heads].repeat(len(new) // clean.batch, 1, 1, 1)
    return torch.cat((prefix, new), dim=1)


def continue_layer(
    clean: CleanRun, index: int, x: Float[Tensor, "row pos d_model"]
) -> Float[Tensor, "row pos_out d_model"]:
    """One decoder layer on perturbed rows. The last layer returns the read-out position only."""
    architecture, layer = clean.architecture, clean.architecture.layers[index]
    n, last_only = len(x) // clean.batch, index == clean.n_layers - 1
    q, k, v = project(architecture, layer, x)[1]
    key = rotated_key(layer, k, _rotary(clean, index, n, False))
    if last_only:
        q, x = only_last(clean, q), only_last(clean, x)
    query = rotated_query(layer, q, _rotary(clean, index, n, last_only))
    every = slice(None)
    key = _with_prefix(clean, clean.keys[index], key, every)
    value = _with_prefix(clean, clean.trace.layers[index].v, v, every)
    z = mix(layer, query, key, value, _mask(clean, index, n, last_only))
    after = x + post_norm(layer.attn_post_norm, layer.output(z.flatten(-2)))
    return after + run_mlp(layer, x if architecture.parallel else after)[2]


def continue_from(
    clean: CleanRun, index: int, x: Float[Tensor, "row pos d_model"]
) -> Float[Tensor, "row d_model"]:
    """The stream at the read-out position, from rows entering layer `index`."""
    if index == clean.n_layers:
        return x[:, 0] if x.shape[1] == 1 else only_last(clean, x)[:, 0]
    for i in range(index, clean.n_layers):
        x = continue_layer(clean, i, x)
    return x[:, 0]


def perturbed_z(
    clean: CleanRun,
    index: int,
    slot: str,
    head: int,
    delta: Float[Tensor, "n batch pos d_model"],
    *,
    last_only: bool,
) -> tuple[Float[Tensor, "row pos_out head d_head"], slice]:
    """Change of the results of the heads that one q, k or v destination feeds, and those heads."""
    architecture, layer = clean.architecture, clean.architecture.layers[index]
    part, n = clean.trace.layers[index], len(delta)
    group = architecture.n_heads // architecture.n_kv_heads
    heads = slice(head, head + 1) if slot == "q" else slice(head * group, (head + 1) * group)
    shared = slice(head // group, head // group + 1) if slot == "q" else slice(head, head + 1)
    new = _project_one(clean, index, slot, head, (part.x[:, clean.window] + delta).flatten(0, 1))
    if slot == "q":
        new = only_last(clean, new) if last_only else new
        query = rotated_query(layer, new, _rotary(clean, index, n, last_only))
    else:
        query = tile(_windowed(clean, clean.queries[index][:, :, heads], last_only), n)
    stop = slice(0, clean.window.stop)
    if slot == "k":
        new = rotated_key(layer, new, _rotary(clean, index, n, False))
        key = _with_prefix(clean, clean.keys[index], new, shared)
    else:
        key = tile(clean.keys[index][:, stop, shared], n)
    if slot == "v":
        value = _with_prefix(clean, part.v, new, shared)
    else:
        value = tile(part.v[:, stop, shared], n)
    z = mix(layer, query, key, value, _mask(clean, index, n, last_only))
    return z - tile(_windowed(clean, part.z[:, :, heads], last_only), n), heads


def perturbed_attention(
    clean: CleanRun, index: int, slot: str, head: int, delta: Float[Tensor, "n batch pos d_model"]
) -> Float[Tensor, "row pos_out d_model"]:
    """Stream plus attention output when only one q, k or v destination reads x + delta."""
    architecture, layer = clean.architecture, clean.architecture.layers[index]
    part, n, last_only = clean.trace.layers[index], len(delta), index == clean.n_layers - 1
    dz, heads = perturbed_z(clean, index, slot, head, delta, last_only=last_only)
    change = dz.flatten(-2) @ head_output_weights(architecture, layer)[heads].flatten(0, 1)
    if layer.attn_post_norm is None:
        return tile(_windowed(clean, clean.after[index], last_only), n) + change
    raw = tile(_windowed(clean, part.attn_raw, last_only), n) + change
    return tile(_windowed(clean, part.x, last_only), n) + layer.attn_post_norm(raw)


def _project_one(
    clean: CleanRun, index: int, slot: str, head: int, x: Float[Tensor, "row pos d_model"]
) -> Float[Tensor, "row pos 1 d_head"]:
    """Norm and projection of a single destination."""
    architecture, layer = clean.architecture, clean.architecture.layers[index]
    weight, bias = destination_weights(architecture, layer)
    offset = {"q": 0, "k": architecture.n_heads}
    offset["v"] = architecture.n_heads + architecture.n_kv_heads
    row = offset[slot] + head
    return (layer.attn_norm(x) @ weight[row].T + bias[row])[:, :, None]


def after_attention(
    clean: CleanRun, index: int, after: Float[Tensor, "row pos_out d_model"]
) -> Float[Tensor, "row pos_out d_model"]:
    """Stream leaving a layer whose attention output was perturbed."""
    layer = clean.architecture.layers[index]
    if not clean.architecture.parallel:
        return after + run_mlp(layer, after)[2]
    mlp = clean.trace.layers[index].mlp
    return after + tile(
        _windowed(clean, mlp, index == clean.n_layers - 1), len(after) // clean.batch
    )


def perturbed_mlp(
    clean: CleanRun, index: int, delta: Float[Tensor, "n batch pos d_model"]
) -> Float[Tensor, "row pos_out d_model"]:
    """Stream leaving a layer whose MLP alone reads its input plus delta."""
    part, n = clean.trace.layers[index], len(delta)
    last_only = index == clean.n_layers - 1
    rows = delta.flatten(0, 1)
    rows = only_last(clean, rows) if last_only else rows
    mid = tile(_windowed(clean, part.mid, last_only), n) + rows
    after = tile(_windowed(clean, clean.after[index], last_only), n)
    return after + run_mlp(clean.architecture.layers[index], mid)[2]
