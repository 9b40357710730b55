"""The full model on the clean prompt, only where it can differ from the corrupted run.

Before the first differing position both runs are the same, so keys and values there are taken
from the corrupted trace; in the last layer only the read-out position is computed.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.architecture import Architecture, Context, split_heads
from circuitvar.circuits.trunk import (
    LayerTrace,
    at_last,
    mix,
    post_norm,
    rotated_key,
    rotated_query,
    run_mlp,
)
from circuitvar.tasks.types import Batch


@torch.no_grad()
def clean_read_out(
    architecture: Architecture,
    batch: Batch,
    context: Context,
    corrupt: Sequence[LayerTrace],
    x: Float[Tensor, "batch pos d_model"],
    *,
    first: int,
) -> Float[Tensor, "batch d_model"]:
    """Stream that the logits read at the read-out position of the clean run.

    `x` is the clean stream entering layer 0 at the positions from `first` on; `corrupt` holds the
    corrupted run's layers, equal to the clean run's before `first`. Equals
    `at_last(run_tokens(...).final, batch.last)` to float error.
    """
    end = len(architecture.layers) - 1
    last = batch.last - first
    for index, layer in enumerate(architecture.layers):
        normed = layer.attn_norm(x)
        projected = tuple(projection(normed) for projection in layer.projections)
        q, k, v = split_heads(architecture, layer, projected)
        mask, rotary = context.masks[index], context.rotary[index]
        base = corrupt[index]
        key = torch.cat((base.k[:, :first], k), dim=1)
        value = torch.cat((base.v[:, :first], v), dim=1)
        mask = mask[:, :, first:]
        angles = None if rotary is None else (rotary[0][:, first:], rotary[1][:, first:])
        if index == end:
            q, x = at_last(q, last)[:, None], at_last(x, last)[:, None]
            mask = at_last(mask.expand(len(batch), -1, -1, -1).transpose(1, 2), last)[:, :, None]
            if angles is not None:
                cos, sin = (at_last(part.expand(len(batch), -1, -1), last) for part in angles)
                angles = (cos[:, None], sin[:, None])
        query = rotated_query(layer, q, angles)
        z = mix(layer, query, rotated_key(layer, key, rotary), value, mask)
        after = x + post_norm(layer.attn_post_norm, layer.output(z.flatten(-2)))
        x = after + run_mlp(layer, x if architecture.parallel else after)[2]
    return x[:, 0]
