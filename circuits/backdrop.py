"""The run in which every edge is ablated: computed once per batch and shared by all circuits.

A destination v of circuit C reads x_v = base_v + sum over kept u of (a_u - ablated_u), where a_u
is what u writes in the circuit's own run. `base_v` depends on the batch and the ablation only.
Bias of the output projection belongs to no source: it is always there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from circuitvar.circuits.architecture import (
    Architecture,
    Context,
    Layer,
    enter,
    head_output_weights,
    split_heads,
)
from circuitvar.circuits.trunk import Trace, at_last, attend, run_mlp, run_tokens
from circuitvar.circuits.types import ABLATIONS, Ablation
from circuitvar.tasks.batching import chunks
from circuitvar.tasks.types import Batch

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model


@dataclass(frozen=True, eq=False)
class Constants:
    """Ablation values that do not depend on the example: one vector per source, or per position."""

    embeddings: Float[Tensor, "pos d_model"]
    """`pos` is 1 when the value is the same at every position."""
    heads: tuple[Float[Tensor, "pos head d_model"], ...]
    mlps: tuple[Float[Tensor, "pos d_model"], ...]


@dataclass(frozen=True, eq=False)
class LayerBase:
    """One layer of the run in which everything is ablated."""

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


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A batch with everything that its circuits share."""

    batch: Batch
    context: Context
    ablation: str
    first: int
    """Positions before this one are the same in every run: no token differs there yet."""
    input_delta: Float[Tensor, "batch pos d_model"]
    layers: tuple[LayerBase, ...]
    final: Float[Tensor, "batch d_model"]
    """Stream that the logits read at the read-out position."""
    full: Float[Tensor, "batch d_model"]
    """The same for the full model on the clean prompt."""


def head_shares(
    architecture: Architecture,
    layer: Layer,
    z: Float[Tensor, "batch pos head d_head"],
    attn_raw: Float[Tensor, "batch pos d_model"] | None = None,
) -> Float[Tensor, "batch pos head d_model"]:
    """What each head adds to the stream. Behind a post-norm: its result times the norm's scale."""
    weights = head_output_weights(architecture, layer)
    shares = torch.einsum("bphe,hed->bphd", z, weights)
    if layer.attn_post_norm is None:
        return shares
    raw = layer.output(z.flatten(-2)) if attn_raw is None else attn_raw
    return shares * rms_gain(layer.attn_post_norm, raw)[:, :, None]


def rms_gain(
    norm: nn.Module, x: Float[Tensor, "batch pos d_model"]
) -> Float[Tensor, "batch pos d_model"]:
    """The factor by which an RMS norm multiplies x, weight included."""
    eps = float(getattr(norm, "eps", getattr(norm, "variance_epsilon", 1e-6)))
    # The norm's own answer on ones gives its weight, whether stored as w or as w - 1.
    weight = norm(torch.ones_like(x[:1, :1])) * (1.0 + eps) ** 0.5
    return weight * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)


def check_ablation(ablation: str) -> None:
    """Raise unless the ablation is one of `ABLATIONS`."""
    if ablation not in ABLATIONS:
        raise ValueError(f"unknown ablation {ablation!r}; choose one of {', '.join(ABLATIONS)}")


@torch.no_grad()
def mean_constants(
    model: "Model", batch: Batch, *, positional: bool, batch_size: int = 64
) -> Constants:
    """Mean output of every source over the corrupted prompts, padding left out.

    One vector per source over all tokens, or one per source and position (then positions must
    mean the same thing in every prompt). Every example counts by its tokens.
    """
    architecture = model.architecture
    total: list[Tensor] = []
    count: Tensor | None = None
    for part in chunks(batch, batch_size):
        trace, _ = run_tokens(architecture, part.corrupt, part.mask)
        values = _source_values(architecture, trace)
        keep = part.mask[:, :, None].to(values[0])
        over = (0,) if positional else (0, 1)
        sums = [(v * (keep if v.ndim == 3 else keep[..., None])).sum(over) for v in values]
        here = keep.sum(over)
        total = sums if not total else [a + b for a, b in zip(total, sums, strict=True)]
        count = here if count is None else count + here
    assert count is not None
    count = count.clamp(min=1)
    means = [t / (count if t.ndim == count.ndim else count[..., None]) for t in total]
    means = means if positional else [m[None] for m in means]
    n = len(architecture.layers)
    return Constants(means[0], tuple(means[1 : n + 1]), tuple(means[n + 1 :]))


def _source_values(architecture: Architecture, trace: Trace) -> list[Tensor]:
    """[input, heads of every layer, MLP of every layer]."""
    heads = [
        head_shares(architecture, layer, t.z, t.attn_raw)
        for layer, t in zip(architecture.layers, trace.layers, strict=True)
    ]
    return [trace.embeddings, *heads, *(t.mlp for t in trace.layers)]


def zero_constants(model: "Model") -> Constants:
    """Every source ablated to the zero vector."""
    a = model.architecture
    zero = next(model.hf.parameters()).new_zeros
    return Constants(
        zero(1, a.d_model),
        tuple(zero(1, a.n_heads, a.d_model) for _ in a.layers),
        tuple(zero(1, a.d_model) for _ in a.layers),
    )


def prepare(
    model: "Model",
    batch: Batch,
    *,
    ablation: Ablation | str = "patching",
    constants: Constants | None = None,
) -> Backdrop:
    """The all-ablated run of a batch. `constants` are needed for `mean` and `mean-positional`.

    Differentiable in the constants where they require a gradient.

    Raises
    ------
    ValueError
        If the ablation is unknown, or its constants are missing.
    """
    architecture = model.architecture
    with torch.no_grad():
        clean, context = run_tokens(architecture, batch.clean, batch.mask)
        entering = clean.layers[0].x
        full = at_last(clean.final, batch.last)
    if constants is None and ablation == "zero":
        constants = zero_constants(model)
    if constants is None:
        check_ablation(ablation)
        if ablation != "patching":
            raise ValueError(f"ablation {ablation!r} needs `constants`; see `mean_constants`")
        with torch.no_grad():
            run, _ = run_tokens(architecture, batch.corrupt, batch.mask)
        layers = tuple(LayerBase(t.x, t.q, t.k, t.v, t.z, t.mid, t.mlp) for t in run.layers)
        delta, final = entering - run.layers[0].x, at_last(run.final, batch.last)
        first = min(first_difference(batch.clean, batch.corrupt), int(batch.last.min()))
        return Backdrop(batch, context, ablation, first, delta[:, first:], layers, final, full)
    values = constants.embeddings.expand(*batch.clean.shape, -1)
    x, _ = enter(architecture, values, batch.mask)
    layers, final = ablated_layers(model, context, constants, x)
    return Backdrop(
        batch, context, ablation, 0, entering - x, layers, at_last(final, batch.last), full
    )


def first_difference(clean: Int[Tensor, "batch pos"], corrupt: Int[Tensor, "batch pos"]) -> int:
    """First position at which any example differs; the last position if none does."""
    differs: Bool[Tensor, " pos"] = (clean != corrupt).any(dim=0)
    return int(differs.int().argmax()) if bool(differs.any()) else clean.shape[1] - 1


def ablated_layers(
    model: "Model", context: Context, constants: Constants, x: Float[Tensor, "batch pos d_model"]
) -> tuple[tuple[LayerBase, ...], Float[Tensor, "batch pos d_model"]]:
    """Every layer when each source writes its constant; differentiable in the constants."""
    architecture = model.architecture
    layers = []
    for index, layer in enumerate(architecture.layers):
        normed = layer.attn_norm(x)
        projected = tuple(projection(normed) for projection in layer.projections)
        q, k, v = split_heads(architecture, layer, projected)
        z = attend(layer, q, k, v, context, index)
        heads = constants.heads[index].expand(*x.shape[:2], -1, -1)
        after = x + heads.sum(dim=2)
        if layer.attn_post_norm is None and getattr(layer.output, "bias", None) is not None:
            after = after + layer.output.bias  # type: ignore[operator]
        mid = x if architecture.parallel else after
        mlp = constants.mlps[index].expand_as(x)
        layers.append(
            LayerBase(x, q, k, v, z, mid, run_mlp(layer, mid)[2], head_values=heads, mlp_values=mlp)
        )
        x = after + mlp
    return tuple(layers), x
