"""One forward pass of the trunk, layer by layer, that keeps what scoring needs.

Queries, keys and values are taken at the output of their linear projection, before rotary
embedding or q/k norms; z is the per-head result before the output projection. The residual
stream is never split per head. The unembedding runs at one position, on the tokens needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuitvar.circuits.model.architecture import Architecture, Context, Layer, enter, project
from circuitvar.circuits.model.attention import attend
from circuitvar.circuits.model.model import Model
from circuitvar.circuits.model.norm_forms import wide
from circuitvar.tasks.types import Batch, Metric

LOGIT_TOLERANCE = {"float64": 1e-5, "float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest difference from the model's own logits, relative to the largest of them. Models keep
softmax and RMS norms in float32 even when their weights are float64."""


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one layer read and wrote in one run."""

    x: Float[Tensor, "batch pos d_model"]
    """Residual stream that q, k and v read."""
    projected: tuple[Tensor, ...]
    """Outputs of `Layer.projections`."""
    q: Float[Tensor, "batch pos head d_head"]
    k: Float[Tensor, "batch pos kv_head d_head"]
    v: Float[Tensor, "batch pos kv_head d_head"]
    z: Float[Tensor, "batch pos head d_head"]
    attn_raw: Float[Tensor, "batch pos d_model"]
    """Attention output, bias included, before a post-norm where there is one."""
    mid: Float[Tensor, "batch pos d_model"]
    """Residual stream that the MLP reads."""
    mlp_in: Float[Tensor, "batch pos d_model"]
    """`mid` after the norm."""
    mlp_raw: Float[Tensor, "batch pos d_model"]
    """MLP output before a post-norm where there is one."""
    mlp: Float[Tensor, "batch pos d_model"]
    """What the MLP adds to the residual stream."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A run: the source `input`, every layer, and the stream that the logits read."""

    embeddings: Float[Tensor, "batch pos d_model"]
    layers: tuple[LayerTrace, ...]
    final: Float[Tensor, "batch pos d_model"]


def run_layer(
    architecture: Architecture,
    context: Context,
    index: int,
    x: Tensor,
    *,
    attn_out: Tensor | None = None,
    mlp_out: Tensor | None = None,
) -> tuple[Float[Tensor, "batch pos d_model"], LayerTrace]:
    """One decoder layer: the stream it leaves behind and its trace.

    `attn_out` and `mlp_out` replace what attention or the MLP adds to the stream.
    """
    layer = architecture.layers[index]
    projected, (q, k, v) = project(architecture, layer, x)
    z = attend(layer, q, k, v, context, index)
    attn_raw = layer.output(z.flatten(-2))
    after = x + (post_norm(layer.attn_post_norm, attn_raw) if attn_out is None else attn_out)
    mid = x if architecture.parallel else after
    mlp_in, mlp_raw, mlp = run_mlp(layer, mid)
    mlp = mlp if mlp_out is None else mlp_out
    return after + mlp, LayerTrace(x, projected, q, k, v, z, attn_raw, mid, mlp_in, mlp_raw, mlp)


def run_mlp(layer: Layer, mid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(normed input, output, what is added to the stream) of a layer's MLP."""
    # An alias of its own, so that a gradient taken at it counts only the MLP's reading.
    mlp_in = layer.mlp_norm(mid)
    mlp_in = mlp_in.view_as(mlp_in)
    assert layer.mlp is not None
    raw = layer.mlp(mlp_in)
    return mlp_in, raw, post_norm(layer.mlp_post_norm, raw)


def post_norm(norm: torch.nn.Module | None, raw: Tensor) -> Tensor:
    """A sublayer's output as it is added to the residual stream."""
    return raw if norm is None else norm(raw)


def run(
    architecture: Architecture,
    embeddings: Tensor,
    x: Tensor,
    context: Context,
    *,
    replaced: Mapping[int, Mapping[str, Tensor]] = MappingProxyType({}),
) -> Trace:
    """The trunk from the stream `x` entering layer 0 to the stream before the final norm.

    `replaced`: layer -> keyword arguments of `run_layer`.
    """
    layers = []
    for index in range(len(architecture.layers)):
        x, trace = run_layer(architecture, context, index, x, **replaced.get(index, {}))
        layers.append(trace)
    return Trace(embeddings=embeddings, layers=tuple(layers), final=x)


def run_embeddings(
    architecture: Architecture,
    embeddings: Float[Tensor, "batch pos d_model"],
    mask: Tensor,
    *,
    replaced: Mapping[int, Mapping[str, Tensor]] = MappingProxyType({}),
) -> tuple[Trace, Context]:
    """The trunk on embeddings of tokens."""
    x, context = enter(architecture, embeddings, mask)
    return run(architecture, embeddings, x, context, replaced=replaced), context


def run_tokens(
    architecture: Architecture, tokens: Int[Tensor, "batch pos"], mask: Tensor
) -> tuple[Trace, Context]:
    """The trunk on token ids."""
    return run_embeddings(architecture, architecture.embed(tokens), mask)


def at_last(x: Float[Tensor, "batch pos ..."], last: Int[Tensor, " batch"]) -> Tensor:
    """The read-out position of each example."""
    return x[torch.arange(len(x), device=x.device), last]


def logits_at(
    architecture: Architecture,
    x: Float[Tensor, "batch d_model"],
    tokens: Int[Tensor, "batch token"] | None = None,
) -> Float[Tensor, "batch token"]:
    """Next-token logits from the stream at one position; only of `tokens` when given."""
    x = architecture.final_norm(x)
    if tokens is None:
        logits = architecture.unembed(x)
    else:
        weight, bias = architecture.unembed.weight, getattr(architecture.unembed, "bias", None)
        logits = torch.einsum("bd,btd->bt", x, weight[tokens])  # type: ignore[index]
        logits = logits if bias is None else logits + bias[tokens]
    cap = architecture.logit_softcap
    return logits if cap is None else torch.tanh(logits / cap) * cap


def repeat_batch(batch: Batch, n: int) -> Batch:
    """The batch n times over, example index running fastest."""
    if n == 1:
        return batch
    names = ("clean", "corrupt", "mask", "answers", "wrong_answers", "last", "index")
    tiled = {name: torch.cat([getattr(batch, name)] * n) for name in names}
    return replace(batch, **tiled, templates=batch.templates * n, roles={})


def metric_at(
    architecture: Architecture,
    x: Float[Tensor, "row d_model"],
    batch: Batch,
    metric: Metric,
    reference: Float[Tensor, "batch vocab"] | None = None,
) -> Float[Tensor, " row"]:
    """Metric per row from the stream at the read-out position, in float32 at least.

    Rows are the batch repeated, example index running fastest.
    """
    n = len(x) // len(batch)
    batch = repeat_batch(batch, n)
    if reference is not None and n > 1:
        reference = torch.cat([reference] * n)
    if not metric.answers_only:
        return metric.fn(wide(logits_at(architecture, x)), batch, reference)
    tokens = torch.cat((batch.answers, batch.wrong_answers), dim=1)
    columns = torch.arange(tokens.shape[1], device=x.device).expand_as(tokens)
    columns = columns.masked_fill(tokens < 0, -1)
    right, wrong = columns.split((batch.answers.shape[1], batch.wrong_answers.shape[1]), dim=1)
    logits = logits_at(architecture, x, tokens.clamp(min=0))
    return metric.fn(wide(logits), replace(batch, answers=right, wrong_answers=wrong), None)


def max_positions(architecture: Architecture) -> int:
    """Longest prompt the model takes."""
    limit = getattr(architecture.base.config, "max_position_embeddings", None)
    return 10**9 if limit is None else int(limit)


@torch.no_grad()
def logit_residual(model: Model) -> float:
    """Largest difference from the model's own logits on a padded batch, relative to the largest."""
    architecture = model.architecture
    vocab = architecture.unembed.weight.shape[0]  # type: ignore[union-attr]
    length = min(6, max_positions(architecture))
    tokens = torch.arange(1, 2 * length + 1, device=model.device).reshape(2, length)
    tokens = tokens * 7919 % min(vocab, 50_000)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[1, max(1, length - 2) :] = False
    last = mask.sum(-1) - 1
    trace, _ = run_tokens(architecture, tokens, mask)
    ours = logits_at(architecture, at_last(trace.final, last))
    theirs = model.hf(input_ids=tokens, attention_mask=mask.long(), use_cache=False).logits
    theirs = at_last(theirs, last)
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-3))


def check_logits(model: Model) -> None:
    """Refuse a model whose logits are not reproduced; cheap enough to run at every load.

    Raises
    ------
    ValueError
        The residual is above `LOGIT_TOLERANCE`: the architecture would be computed wrongly.
    """
    try:
        residual = logit_residual(model)
    except (RuntimeError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise ValueError(
            f"{type(model.hf).__name__} is not supported: its layers do not fit together the way "
            f"this package runs them ({str(error).splitlines()[0]})."
        ) from error
    if not residual <= LOGIT_TOLERANCE[model.dtype]:
        raise ValueError(
            f"{type(model.hf).__name__} is not supported: its logits are reproduced only to a "
            f"relative error of {residual:.2g} (at most {LOGIT_TOLERANCE[model.dtype]:.0e} is "
            "accepted), so scores would be wrong."
        )
