"""Attention from projected queries, keys and values: rotary embedding, norms, pattern, mixing."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from circuitvar.circuits.model.architecture import Context, Layer


def rotate(x: Float[Tensor, "batch pos head d_head"], rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (arXiv 2104.09864), half-split layout, on the leading dims."""
    cos, sin = (part.unsqueeze(2) for part in rotary)
    n = cos.shape[-1]
    turned, passed = x[..., :n], x[..., n:]
    first, second = turned.chunk(2, dim=-1)
    turned = turned * cos + torch.cat((-second, first), dim=-1) * sin
    return torch.cat((turned, passed), dim=-1) if passed.shape[-1] else turned


def rotated_query(layer: Layer, q: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
    """Query as it enters the attention scores."""
    q = q if layer.q_norm is None else layer.q_norm(q)
    return q if rotary is None else rotate(q, rotary)


def rotated_key(layer: Layer, k: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
    """Key as it enters the attention scores."""
    k = k if layer.k_norm is None else layer.k_norm(k)
    return k if rotary is None else rotate(k, rotary)


def attention_pattern(
    layer: Layer,
    query: Float[Tensor, "batch head query d_head"],
    key: Float[Tensor, "batch head key d_head"],
    mask: Float[Tensor, "#batch 1 query key"],
) -> Float[Tensor, "batch head query key"]:
    """softmax(softcap(q k^T * scaling) + mask), in float32 at least."""
    scores = (query * layer.scaling) @ key.transpose(-1, -2)
    if layer.softcap is not None:
        scores = torch.tanh(scores / layer.softcap) * layer.softcap
    scores = scores + mask
    wide = torch.float64 if scores.dtype == torch.float64 else torch.float32
    return F.softmax(scores, dim=-1, dtype=wide).to(query.dtype)


def mix(
    layer: Layer,
    query: Float[Tensor, "batch query head d_head"],
    key: Float[Tensor, "batch key kv_head d_head"],
    value: Float[Tensor, "batch key kv_head d_head"],
    mask: Float[Tensor, "#batch 1 query key"],
) -> Float[Tensor, "batch query head d_head"]:
    """Attention after rotary embedding; k/v heads are shared by equal groups of query heads."""
    groups = query.shape[2] // key.shape[2]
    if groups > 1:
        key, value = (t.repeat_interleave(groups, dim=2) for t in (key, value))
    query, key, value = (t.transpose(1, 2) for t in (query, key, value))
    if layer.softcap is None:
        z = F.scaled_dot_product_attention(query, key, value, mask, scale=layer.scaling)
    else:
        z = attention_pattern(layer, query, key, mask) @ value
    return z.transpose(1, 2)


def query_context(
    context: Context, index: int, first: int, last: Int[Tensor, " batch"] | None = None
) -> tuple[tuple[Tensor, Tensor] | None, Float[Tensor, "#batch 1 query key"]]:
    """Rotary angles and mask of layer `index` for queries from `first` on, or only at `last`."""
    rotary, mask = context.rotary[index], context.masks[index]
    if last is None:
        angles = None if rotary is None else (rotary[0][:, first:], rotary[1][:, first:])
        return angles, mask[:, :, first:]
    n = len(last)
    rows = torch.arange(n, device=last.device)
    mask = mask.expand(n, -1, -1, -1)[rows, :, last][:, :, None]
    if rotary is None:
        return None, mask
    cos, sin = (part.expand(n, -1, -1)[rows, last][:, None] for part in rotary)
    return (cos, sin), mask


def attend(layer: Layer, q: Tensor, k: Tensor, v: Tensor, context: Context, index: int) -> Tensor:
    """Per-head results z from projected q, k, v [batch, pos, head, d_head] of layer `index`."""
    rotary = context.rotary[index]
    query, key = rotated_query(layer, q, rotary), rotated_key(layer, k, rotary)
    return mix(layer, query, key, v, context.masks[index])
