"""The two runs that circuits lie between, without what cannot matter to the read-out.

Before the first differing position both runs are the same, so the clean run takes its keys and
values there from the corrupted one. In the last layer only the read-out position is computed: its
queries, results and MLP elsewhere reach no logits that are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuitvar.circuits.model import (
    Architecture,
    Context,
    at_last,
    corrupt_embeddings,
    enter,
    mix,
    post_norm,
    project,
    query_context,
    rotated_key,
    rotated_query,
    run_layer,
    run_mlp,
)
from circuitvar.tasks.types import Batch


@dataclass(frozen=True, eq=False)
class LayerBase:
    """One layer of the run in which everything is ablated.

    Under patching, `z`, `mid` and `mlp` of the last layer are known at the read-out position only.
    """

    x: Float[Tensor, "batch pos d_model"]
    q: Float[Tensor, "batch pos head d_head"]
    k: Float[Tensor, "batch pos kv_head d_head"]
    v: Float[Tensor, "batch pos kv_head d_head"]
    z: Float[Tensor, "batch pos head d_head"]
    mid: Float[Tensor, "batch pos d_model"]
    mlp: Float[Tensor, "batch pos d_model"]
    """What the MLP writes when it reads `mid`."""
    head_values: Float[Tensor, "batch pos head d_model"] | None = None
    """Ablated value of each head; None when it is what the head writes here (patching)."""
    mlp_values: Float[Tensor, "batch pos d_model"] | None = None


@torch.no_grad()
def corrupt_read_out(
    architecture: Architecture, batch: Batch
) -> tuple[tuple[LayerBase, ...], Float[Tensor, "batch d_model"]]:
    """Every layer of the corrupted run, and the stream that the logits read.

    In the last layer `z`, `mid` and `mlp` are zero except at the read-out position.
    """
    embeddings = corrupt_embeddings(architecture, batch)
    x, context = enter(architecture, embeddings, batch.mask)
    layers = []
    for index in range(len(architecture.layers) - 1):
        x, t = run_layer(architecture, context, index, x)
        layers.append(LayerBase(t.x, t.q, t.k, t.v, t.z, t.mid, t.mlp))
    final, end = _last_layer(architecture, context, x, batch.last)
    return (*layers, end), final


@torch.no_grad()
def clean_read_out(
    architecture: Architecture,
    batch: Batch,
    context: Context,
    corrupt: Sequence[LayerBase],
    x: Float[Tensor, "batch pos d_model"],
    *,
    first: int,
) -> Float[Tensor, "batch d_model"]:
    """Stream that the logits read in the clean run.

    `x` is the clean stream entering layer 0 at the positions from `first` on; `corrupt` holds the
    corrupted run's layers, equal to the clean run's before `first`. Equals
    `at_last(run_tokens(...).final, batch.last)` to float error.
    """
    for index, layer in enumerate(architecture.layers[:-1]):
        q, k, v = project(architecture, layer, x)[1]
        base = corrupt[index]
        key = torch.cat((base.k[:, :first], k), dim=1)
        value = torch.cat((base.v[:, :first], v), dim=1)
        angles, mask = query_context(context, index, first)
        query, key = rotated_query(layer, q, angles), rotated_key(layer, key, context.rotary[index])
        z = mix(layer, query, key, value, mask)
        after = x + post_norm(layer.attn_post_norm, layer.output(z.flatten(-2)))
        x = after + run_mlp(layer, x if architecture.parallel else after)[2]
    return _last_layer(architecture, context, x, batch.last, before=corrupt[-1], first=first)[0]


def _last_layer(
    architecture: Architecture,
    context: Context,
    x: Float[Tensor, "batch pos d_model"],
    last: Int[Tensor, " batch"],
    *,
    before: LayerBase | None = None,
    first: int = 0,
) -> tuple[Float[Tensor, "batch d_model"], LayerBase]:
    """The last layer at the read-out position; keys and values of `x` and of `before` up to it."""
    index = len(architecture.layers) - 1
    layer = architecture.layers[index]
    q, k, v = project(architecture, layer, x)[1]
    here = last - first
    key, value = k, v
    if before is not None:
        key = torch.cat((before.k[:, :first], k), dim=1)
        value = torch.cat((before.v[:, :first], v), dim=1)
    angles, mask = query_context(context, index, first, last)
    query = rotated_query(layer, at_last(q, here)[:, None], angles)
    z = mix(layer, query, rotated_key(layer, key, context.rotary[index]), value, mask)
    stream = at_last(x, here)[:, None]
    after = stream + post_norm(layer.attn_post_norm, layer.output(z.flatten(-2)))
    mid = stream if architecture.parallel else after
    mlp = run_mlp(layer, mid)[2]
    spread = (_at(part, here, x.shape[1]) for part in (z, mid, mlp))
    return (after + mlp)[:, 0], LayerBase(x, q, k, v, *spread)


def _at(value: Float[Tensor, "batch 1 ..."], where: Tensor, n_pos: int) -> Tensor:
    """The value at one position of each example and zero elsewhere."""
    out = value.new_zeros(len(value), n_pos, *value.shape[2:])
    out[torch.arange(len(value), device=value.device), where] = value[:, 0]
    return out
