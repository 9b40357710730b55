"""The slow, obvious implementation: TransformerLens hooks on every source and destination.

It works for every architecture that TransformerLens loads with per-head results and split
q/k/v inputs, and is the oracle of the fast path. Nothing is shared with `trunk`: the forward
pass, the norms and the attention are the bridge's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.language.corruptions import embedding_noise

if TYPE_CHECKING:
    from circuitvar.circuits.model.model import Model
    from circuitvar.tasks.types import Batch, Metric

_FLAGS = ("use_attn_result", "use_split_qkv_input", "use_hook_mlp_in")


@dataclass
class _Recording:
    """What a run has produced so far, indexed like `Graph.sources` and `Graph.destinations`."""

    sources: dict[int, Float[Tensor, "batch pos d_model"]] = field(default_factory=dict)
    inputs: dict[int, Float[Tensor, "batch pos d_model"]] = field(default_factory=dict)


Rewrite = Callable[[int, Tensor, _Recording], Tensor]
"""(destination, its input, what has run so far) -> the input it reads instead."""


@contextmanager
def _flags(bridge: Any) -> Iterator[None]:
    """Per-head results and one input per destination, switched on for one run."""
    before = {flag: bool(getattr(bridge.cfg, flag, False)) for flag in _FLAGS}
    for flag in _FLAGS:
        getattr(bridge, f"set_{flag}")(True)
    try:
        yield
    finally:
        for flag, value in before.items():
            getattr(bridge, f"set_{flag}")(value)


def _write(value: Tensor, hook: Any, *, record: _Recording, column: int) -> None:
    record.sources[column] = value


def _write_heads(value: Tensor, hook: Any, *, record: _Recording, columns: list[int]) -> None:
    for head, column in enumerate(columns):
        record.sources[column] = value[:, :, head]


def _rescale_heads(
    scale: Tensor, hook: Any, *, record: _Recording, columns: list[int], weight: Tensor
) -> None:
    # A post-norm is linear once its scale is known: the scale of this very run.
    for column in columns:
        record.sources[column] = record.sources[column] / scale * weight


def _hooks(model: "Model", record: _Recording, rewrite: Rewrite) -> list[tuple[str, Any]]:
    """Hook name -> function, for every source and destination of the graph."""
    graph = model.graph
    src, dst = graph.source_index, graph.destination_index

    def read(value: Tensor, hook: Any, *, name: str) -> Tensor:
        column = dst[name]
        value = rewrite(column, value, record)
        record.inputs[column] = value
        return value

    def read_heads(value: Tensor, hook: Any, *, layer: int, slot: str) -> Tensor:
        names = [f"a{layer}.h{head}<{slot}>" for head in range(value.shape[2])]
        parts = [read(value[:, :, head], hook, name=name) for head, name in enumerate(names)]
        return torch.stack(parts, dim=2)

    write = partial(_write, record=record)
    hooks: list[tuple[str, Any]] = [("hook_embed", partial(write, column=src["input"]))]
    for layer in range(graph.n_layers):
        at = f"blocks.{layer}."
        heads: Any = {
            "record": record,
            "columns": [src[f"a{layer}.h{head}"] for head in range(graph.n_heads)],
        }
        for slot in "qkv":
            name = f"{at}attn.hook_{slot}_input"
            hooks.append((name, partial(read_heads, layer=layer, slot=slot)))
        hooks.append((f"{at}attn.hook_result", partial(_write_heads, **heads)))
        if f"{at}ln1_post.hook_scale" in model.bridge.hook_dict:
            rescale = partial(_rescale_heads, weight=_post_norm_weight(model, layer), **heads)
            hooks.append((f"{at}ln1_post.hook_scale", rescale))
        if graph.has_mlp:
            hooks.append((f"{at}hook_mlp_in", partial(read, name=f"m{layer}")))
            hooks.append((f"{at}hook_mlp_out", partial(write, column=src[f"m{layer}"])))
    return [*hooks, ("ln_final.hook_in", partial(read, name="logits"))]


def _post_norm_weight(model: "Model", layer: int) -> Float[Tensor, " d_model"]:
    norm = model.bridge.blocks[layer].ln1_post
    return norm.weight + 1.0 if norm.uses_weight_offset else norm.weight


def _run(
    model: "Model",
    tokens: Int[Tensor, "batch pos"],
    mask: Bool[Tensor, "batch pos"],
    rewrite: Rewrite,
    extra: tuple[tuple[str, Any], ...] = (),
) -> tuple[Float[Tensor, "batch pos vocab"], _Recording]:
    record = _Recording()
    hooks = [*extra, *_hooks(model, record, rewrite)]
    with _flags(model.bridge), model.bridge.hooks(fwd_hooks=hooks):
        logits = model.bridge(tokens, attention_mask=mask.long())
    return logits, record


def _unchanged(destination: int, value: Tensor, record: _Recording) -> Tensor:
    return value


def _last(logits: Tensor, batch: "Batch") -> Tensor:
    return logits[torch.arange(len(batch)), batch.last]


def _stack(parts: dict[int, Tensor]) -> Tensor:
    return torch.stack([parts[i] for i in sorted(parts)], dim=2)


@torch.no_grad()
def source_outputs(
    model: "Model",
    tokens: Int[Tensor, "batch pos"],
    mask: Bool[Tensor, "batch pos"],
    noise: Float[Tensor, "batch pos d_model"] | None = None,
) -> Float[Tensor, "batch pos src d_model"]:
    """What each source adds to the residual stream, without the bias of the output projection.

    Behind a post-norm a head's share is its result times the norm's scale in this run. `noise` is
    added to the token embeddings.
    """
    add = () if noise is None else (("hook_embed", lambda value, hook: value + noise),)
    return _stack(_run(model, tokens, mask, _unchanged, add)[1].sources)


def corrupt_outputs(model: "Model", batch: "Batch") -> Float[Tensor, "batch pos src d_model"]:
    """`source_outputs` of the corrupted run, with the batch's noise where it has one."""
    noise = None
    if batch.noise is not None:
        table: Tensor = model.bridge.embed(torch.arange(model.bridge.cfg.d_vocab)[None])
        sd = float(table.detach().double().std(correction=0))
        noise = embedding_noise(batch, batch.noise, width=table.shape[-1], embedding_sd=sd)
    return source_outputs(model, batch.corrupt, batch.mask, noise)


@torch.no_grad()
def destination_inputs(
    model: "Model", tokens: Int[Tensor, "batch pos"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos dst d_model"]:
    """Residual stream that each destination reads, before its own norm."""
    return _stack(_run(model, tokens, mask, _unchanged)[1].inputs)


def run_patched(
    model: "Model",
    tokens: Int[Tensor, "batch pos"],
    mask: Bool[Tensor, "batch pos"],
    patched: Bool[Tensor, "batch edge"],
    values: Float[Tensor, "batch pos src d_model"],
) -> Float[Tensor, "batch pos vocab"]:
    """Logits when each example's `patched` edges carry `values` of their source.

    At destination v: x_v <- x_v + sum over patched u of (values_u - a_u), with a_u the output of
    u in this very run. With every edge outside a circuit patched, this is the circuit's run.
    """
    graph = model.graph
    on = torch.zeros(len(tokens), *graph.exists.shape, dtype=values.dtype, device=values.device)
    on[:, torch.from_numpy(graph.edge_src), torch.from_numpy(graph.edge_dst)] = patched.to(on)

    def rewrite(destination: int, value: Tensor, record: _Recording) -> Tensor:
        for source, current in record.sources.items():
            gate = on[:, source, destination, None, None]
            if bool(gate.any()):
                value = value + gate * (values[:, :, source] - current)
        return value

    with torch.no_grad():
        return _run(model, tokens, mask, rewrite)[0]


def exact(
    model: "Model", batch: "Batch", *, metric: "Metric", options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Damage of patching each edge alone: one full forward pass per edge and example."""
    n_edges = model.graph.n_edges
    values = corrupt_outputs(model, batch)
    with torch.no_grad():
        reference = _last(_run(model, batch.clean, batch.mask, _unchanged)[0], batch)
    clean = metric.fn(reference, batch, reference)
    effects = []
    for edge in range(n_edges):
        patched = torch.zeros(len(batch), n_edges, dtype=torch.bool)
        patched[:, edge] = True
        logits = run_patched(model, batch.clean, batch.mask, patched, values)
        effects.append(metric.fn(_last(logits, batch), batch, reference) - clean)
    sign = -1.0 if metric.higher_is_better else 1.0
    return sign * torch.stack(effects, dim=1)


def _gradients(
    model: "Model",
    batch: "Batch",
    metric: "Metric",
    reference: Tensor,
    extra: tuple[tuple[str, Any], ...] = (),
) -> Float[Tensor, "batch pos dst d_model"]:
    """Gradient of each example's metric at every destination's own copy of its input."""

    def leaf(destination: int, value: Tensor, record: _Recording) -> Tensor:
        # A view of its own, so that only this destination's reading is differentiated.
        return value.view_as(value) if value.requires_grad else value.requires_grad_()

    with torch.enable_grad():
        logits, record = _run(model, batch.clean, batch.mask, leaf, extra)
        total = metric.fn(_last(logits, batch), batch, reference).sum()
        inputs = [record.inputs[i] for i in sorted(record.inputs)]
        return torch.stack(torch.autograd.grad(total, inputs), dim=2).detach()


def eap(
    model: "Model",
    batch: "Batch",
    *,
    metric: "Metric",
    options: ScoreOptions,
    inputs: tuple[Float[Tensor, "batch pos d_model"], ...] = (),
) -> Float[Tensor, "batch edge"]:
    """Edge attribution patching by autograd through the hooks (Syed et al. 2023, arXiv 2310.10348).

    With `inputs`, gradients are averaged over runs on these embeddings instead of taken at the
    clean run: EAP-IG-inputs when they lie between the corrupted and the clean embeddings.
    """
    clean = source_outputs(model, batch.clean, batch.mask)
    delta = corrupt_outputs(model, batch) - clean
    with torch.no_grad():
        reference = _last(_run(model, batch.clean, batch.mask, _unchanged)[0], batch)
    runs = inputs or (clean[:, :, 0],)
    total = torch.zeros(1)
    for embeddings in runs:
        swap = (("hook_embed", lambda value, hook, e=embeddings: e.clone().requires_grad_()),)
        total = total + _gradients(model, batch, metric, reference, swap) / len(runs)
    pairs = torch.einsum("bpsd,bpvd->bsv", delta, total)
    sign = -1.0 if metric.higher_is_better else 1.0
    graph = model.graph
    return sign * pairs[:, torch.from_numpy(graph.edge_src), torch.from_numpy(graph.edge_dst)]


def repeat(batch: "Batch", n: int) -> "Batch":
    """The batch n times over."""
    names = ("clean", "corrupt", "mask", "answers", "wrong_answers", "last", "index")
    tiled = {name: torch.cat([getattr(batch, name)] * n) for name in names}
    return replace(batch, **tiled, templates=batch.templates * n, roles={})
