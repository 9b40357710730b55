"""What the sources write to the residual stream, and how much patching would change it.

Heads are held before the output projection (`d_head` numbers instead of `d_model`), times the
scale of a post-norm where there is one, so that a head's share is always linear in what is held.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitvar.circuits.model.architecture import Architecture, head_output_weights, position_ids
from circuitvar.circuits.model.norm_forms import norm_form, normalise, wide
from circuitvar.circuits.model.trunk import Trace, run_embeddings


@dataclass(frozen=True, eq=False)
class Writes:
    """Outputs of all sources in one run, or their means over a data set ([1 or pos, ...])."""

    embeddings: Float[Tensor, "batch pos d_model"]
    heads: tuple[Float[Tensor, "batch pos head d_head"], ...]
    mlps: tuple[Float[Tensor, "batch pos d_model"], ...]


def writes(architecture: Architecture, trace: Trace) -> Writes:
    """What every source wrote in a run. Biases of output projections belong to no source."""
    heads = []
    for layer, part in zip(architecture.layers, trace.layers, strict=True):
        z = wide(part.z)
        if layer.attn_post_norm is not None:
            form = norm_form(layer.attn_post_norm, architecture.d_model, part.x)
            if form.kind == "other":
                raise ValueError(
                    f"{type(layer.attn_post_norm).__name__} after attention cannot be shared "
                    "among heads: only LayerNorm and RMSNorm can."
                )
            z = z * normalise(form, part.attn_raw)[1][..., None]
        heads.append(z)
    mlps = tuple(wide(part.mlp) for part in trace.layers) if architecture.has_mlp else ()
    return Writes(wide(trace.embeddings), tuple(heads), mlps)


def output_weights(architecture: Architecture, index: int) -> Float[Tensor, "head d_head d_model"]:
    """Linear map from `Writes.heads[index]` to what each head adds to the residual stream."""
    layer = architecture.layers[index]
    weight = wide(head_output_weights(architecture, layer).detach())
    if layer.attn_post_norm is None:
        return weight
    form = norm_form(layer.attn_post_norm, architecture.d_model, weight)
    if form.centred:
        weight = weight - weight.mean(-1, keepdim=True)
    return weight * form.gamma


def differences(
    architecture: Architecture,
    clean: Writes,
    patch: Writes | None,
    window: slice,
    keep: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "src batch window d_model"]:
    """Patched minus clean output of every source, at the positions in `window`.

    `patch=None` stands for zeros. Where `keep` is False nothing is patched.
    """
    batch, _, d_model = clean.embeddings.shape
    n_heads, has_mlp = architecture.n_heads, bool(clean.mlps)
    n_sources = 1 + len(clean.heads) * (n_heads + has_mlp)
    start, stop, _ = window.indices(clean.embeddings.shape[1])
    out = clean.embeddings.new_empty(n_sources, batch, stop - start, d_model)

    def minus(patched: Tensor | None, value: Tensor) -> Tensor:
        value = value[:, window]
        return -value if patched is None else patched[:, window] - value

    out[0] = minus(None if patch is None else patch.embeddings, clean.embeddings)
    for index, z in enumerate(clean.heads):
        first = 1 + index * (n_heads + has_mlp)
        dz = minus(None if patch is None else patch.heads[index], z)
        dz = dz.flatten(0, 1).transpose(0, 1)
        rows = out[first : first + n_heads].view(n_heads, -1, d_model)
        torch.bmm(dz, output_weights(architecture, index), out=rows)
        if has_mlp:
            patched = None if patch is None else patch.mlps[index]
            out[first + n_heads] = minus(patched, clean.mlps[index])
    return out if keep is None else out.mul_(keep[:, window, None])


def first_difference(differs: Bool[Tensor, "batch pos"], last: Int[Tensor, " batch"]) -> int:
    """First position where any pair of twins differs, and not behind any read-out position.

    Before it, every source writes the same in both runs, because attention is causal.
    """
    anywhere = differs.any(0)
    first = int(anywhere.int().argmax()) if bool(anywhere.any()) else differs.shape[1] - 1
    return min(first, int(last.min()))


@torch.no_grad()
def mean_writes(
    architecture: Architecture,
    tokens: Int[Tensor, "batch pos"],
    mask: Bool[Tensor, "batch pos"],
    *,
    positional: bool,
    batch_size: int = 32,
    embed: Callable[[slice], Float[Tensor, "batch pos d_model"]] | None = None,
) -> Writes:
    """Mean output of every source over all real tokens of the prompts, or per position.

    Positions count from the first real token. Sums are kept in float64, so the result does not
    depend on how the prompts are cut into batches beyond rounding. Shapes are [1, pos or 1, ...].
    `embed` gives the embeddings of some prompts where they are not those of the tokens.
    """
    where = position_ids(mask) if positional else torch.zeros_like(tokens)
    n = int(where.max()) + 1
    counts = torch.zeros(n, dtype=torch.float64, device=tokens.device)
    counts.index_add_(0, where[mask], torch.ones_like(where[mask], dtype=torch.float64))
    totals: list[Tensor] = []
    for start in range(0, len(tokens), batch_size):
        rows = slice(start, start + batch_size)
        embeddings = architecture.embed(tokens[rows]) if embed is None else embed(rows)
        part = writes(architecture, run_embeddings(architecture, embeddings, mask[rows])[0])
        for i, value in enumerate((part.embeddings, *part.heads, *part.mlps)):
            real = value[mask[rows]].double()
            if i == len(totals):
                totals.append(real.new_zeros(n, *real.shape[1:]))
            totals[i].index_add_(0, where[rows][mask[rows]], real)
    means = [
        (total / counts.reshape(-1, *[1] * (total.ndim - 1))).to(part.embeddings.dtype)[None]
        for total in totals
    ]
    n_heads = len(architecture.layers)
    return Writes(means[0], tuple(means[1 : 1 + n_heads]), tuple(means[1 + n_heads :]))


def spread(means: Writes, mask: Bool[Tensor, "batch pos"]) -> Writes:
    """Means as a patch for a batch: one value per token, by position where they have positions.

    Positions that the means have not seen are refused by indexing; padding gets any value.
    """
    positional = means.embeddings.shape[1] > 1
    where = position_ids(mask) if positional else torch.zeros_like(mask, dtype=torch.long)
    if positional and int(where.max()) >= means.embeddings.shape[1]:
        raise ValueError(
            f"mean-positional ablation has means for {means.embeddings.shape[1]} positions, but a "
            f"prompt has {int(where.max()) + 1} tokens; compute the means on prompts as long."
        )
    return Writes(
        means.embeddings[0][where],
        tuple(value[0][where] for value in means.heads),
        tuple(value[0][where] for value in means.mlps),
    )
