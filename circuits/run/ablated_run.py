"""The run in which every edge is ablated: computed once per batch and shared by all circuits.

A destination v of circuit C reads x_v = base_v + sum over kept u of (a_u - ablated_u), where a_u
is what u writes in the circuit's own run. `base_v` depends on the batch and the ablation only.
Bias of the output projection belongs to no source: it is always there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from circuitvar.circuits.model import (
    Architecture,
    Context,
    Layer,
    Model,
    at_last,
    attend,
    corrupt_means,
    enter,
    first_change,
    head_output_weights,
    norm_form,
    normalise,
    output_weights,
    position_ids,
    project,
    run,
    run_mlp,
)
from circuitvar.circuits.run.full_run import LayerBase, clean_read_out, corrupt_read_out
from circuitvar.circuits.types import ABLATIONS, Ablation
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.types import Batch


@dataclass(frozen=True, eq=False)
class Constants:
    """Ablation values that do not depend on the example: one vector per source, or per position."""

    embeddings: Float[Tensor, "pos d_model"]
    """`pos` is 1 when the value is the same at every position."""
    heads: tuple[Float[Tensor, "pos head d_model"], ...]
    mlps: tuple[Float[Tensor, "pos d_model"], ...]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A batch with everything that its circuits share."""

    architecture: Architecture
    batch: Batch
    context: Context
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
    form = norm_form(norm, x.shape[-1], x)
    if form.kind not in ("rms", "identity"):
        raise ValueError(
            f"{type(norm).__name__} after attention cannot be shared among heads; only RMSNorm can"
        )
    return (normalise(form, x)[1] * form.gamma).to(x.dtype)


def check_ablation(ablation: str) -> None:
    """Raise unless the ablation is one of `ABLATIONS`."""
    if ablation not in ABLATIONS:
        raise unknown("ablation", ablation, ABLATIONS)


STACK_BYTES = 256 * 2**20
"""Memory for what the sources write in one run, which sets how many examples run at once."""


def examples_at_once(model: Model, batch: Batch) -> int:
    """Largest batch, up to 64, whose source values fit in `STACK_BYTES`."""
    size = next(model.hf.parameters()).element_size()
    width = batch.clean.shape[1] * model.architecture.d_model * size
    return int(np.clip(STACK_BYTES // (len(model.graph.sources) * width), 1, 64))


@torch.no_grad()
def mean_constants(
    model: Model, batch: Batch, *, positional: bool, batch_size: int = 64
) -> Constants:
    """Mean output of every source over the corrupted prompts, padding left out.

    One vector per source over all tokens, or one per source and position, counted from the first
    real token (then positions must mean the same thing in every prompt).
    """
    architecture = model.architecture
    means = corrupt_means(architecture, batch, positional=positional, batch_size=batch_size)
    heads = tuple(
        torch.einsum("phe,hed->phd", z[0].double(), output_weights(architecture, i).double())
        for i, z in enumerate(means.heads)
    )
    like = next(model.hf.parameters())
    mlps = means.mlps or tuple(torch.zeros_like(means.embeddings) for _ in architecture.layers)
    return Constants(
        means.embeddings[0].to(like),
        tuple(h.to(like) for h in heads),
        tuple(m[0].to(like) for m in mlps),
    )


def at_positions(
    values: Float[Tensor, "position ..."], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos ..."]:
    """Constants as one value per token; positions count from the first real token."""
    if len(values) == 1:
        return values.expand(*mask.shape, *values.shape[1:])
    where = position_ids(mask)
    if int(where.max()) >= len(values):
        raise ValueError(
            f"constants are known for {len(values)} positions, but a prompt has "
            f"{int(where.max()) + 1} tokens; compute them on prompts as long"
        )
    return values[where]


def _zero_constants(model: Model) -> Constants:
    a = model.architecture
    zero = next(model.hf.parameters()).new_zeros
    return Constants(
        zero(1, a.d_model),
        tuple(zero(1, a.n_heads, a.d_model) for _ in a.layers),
        tuple(zero(1, a.d_model) for _ in a.layers),
    )


def prepare(
    model: Model,
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
        entering, context = enter(architecture, architecture.embed(batch.clean), batch.mask)
    if constants is None and ablation == "zero":
        constants = _zero_constants(model)
    if constants is None:
        check_ablation(ablation)
        if ablation != "patching":
            raise ValueError(f"ablation {ablation!r} needs `constants`; see `mean_constants`")
        corrupt, final = corrupt_read_out(architecture, batch)
        first = first_change(batch)
        clean = entering[:, first:].contiguous()
        full = clean_read_out(architecture, batch, context, corrupt, clean, first=first)
        delta = clean - corrupt[0].x[:, first:]
        return Backdrop(architecture, batch, context, first, delta, corrupt, final, full)
    with torch.no_grad():
        full = at_last(run(architecture, entering, entering, context).final, batch.last)
    x, _ = enter(architecture, at_positions(constants.embeddings, batch.mask), batch.mask)
    layers, final = _ablated_layers(model, context, constants, x, batch.mask)
    final, delta = at_last(final, batch.last), entering - x
    return Backdrop(architecture, batch, context, 0, delta, layers, final, full)


def _ablated_layers(
    model: Model,
    context: Context,
    constants: Constants,
    x: Float[Tensor, "batch pos d_model"],
    mask: Bool[Tensor, "batch pos"],
) -> tuple[tuple[LayerBase, ...], Float[Tensor, "batch pos d_model"]]:
    """Every layer when each source writes its constant; differentiable in the constants."""
    architecture = model.architecture
    layers = []
    for index, layer in enumerate(architecture.layers):
        q, k, v = project(architecture, layer, x)[1]
        z = attend(layer, q, k, v, context, index)
        heads = at_positions(constants.heads[index], mask)
        after = x + heads.sum(dim=2)
        if layer.attn_post_norm is None and getattr(layer.output, "bias", None) is not None:
            after = after + layer.output.bias  # type: ignore[operator]
        mid = x if architecture.parallel else after
        mlp = at_positions(constants.mlps[index], mask)
        layers.append(
            LayerBase(x, q, k, v, z, mid, run_mlp(layer, mid)[2], head_values=heads, mlp_values=mlp)
        )
        x = after + mlp
    return tuple(layers), x
