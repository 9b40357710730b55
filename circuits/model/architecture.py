"""Where things are inside a Hugging Face decoder, so that the fast path need not know its class.

`describe` finds layers, norms, projections, MLPs and the read-out of GPT-2, GPT-NeoX, Llama,
Mistral, Qwen 2/3, Gemma 2/3 and of any decoder built from the same parts. Nothing here is
trusted: `self_check` compares the result with the model's own logits at load time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model.mlp import NoMLP, TanhGeluMLP
from circuitvar.circuits.model.state import check_state

FAMILIES = ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text")
"""`config.model_type` of the architectures that the tests cover."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The parts of one decoder layer, as modules of the Hugging Face model."""

    attn_norm: nn.Module
    mlp_norm: nn.Module
    mlp: nn.Module
    projections: tuple[nn.Module, ...]
    """(q, k, v), or one fused module."""
    layout: Literal["separate", "blocks", "per head"]
    """How a fused projection orders its columns: all q, all k, all v; or q, k, v of each head."""
    output: nn.Module
    """Reads the per-head results z, writes the residual stream."""
    attn_post_norm: nn.Module | None
    mlp_post_norm: nn.Module | None
    """Norms between a sublayer's output and the residual stream (Gemma 2/3)."""
    q_norm: nn.Module | None
    k_norm: nn.Module | None
    scaling: float
    softcap: float | None


@dataclass(frozen=True, eq=False)
class Architecture:
    """A decoder taken apart. `parallel`: attention and MLP of a layer read the same point."""

    base: nn.Module
    embed: nn.Module
    layers: tuple[Layer, ...]
    layers_name: str
    final_norm: nn.Module
    unembed: nn.Module
    parallel: bool
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_model: int
    logit_softcap: float | None
    hook_points: list[Any] = field(default_factory=list)
    """Those of bridges that were built of these weights; their hooks have no effect here."""

    @property
    def has_mlp(self) -> bool:
        """Whether any layer has an MLP."""
        return not all(isinstance(layer.mlp, NoMLP) for layer in self.layers)

    @property
    def graph(self) -> Graph:
        """Every edge of a model of this shape."""
        return Graph(
            n_layers=len(self.layers),
            n_heads=self.n_heads,
            n_kv_heads=None if self.n_kv_heads == self.n_heads else self.n_kv_heads,
            parallel=self.parallel,
            has_mlp=self.has_mlp,
        )


@dataclass(frozen=True, eq=False)
class Context:
    """What the layers need besides the residual stream: one entry per layer."""

    masks: tuple[Float[Tensor, "batch 1 pos pos"], ...]
    """Added to attention scores."""
    rotary: tuple[tuple[Tensor, Tensor] | None, ...]
    """(cos, sin), each [batch or 1, pos, rotary dim]."""


def describe(hf: nn.Module) -> Architecture:
    """Find the parts of a Hugging Face causal language model.

    Raises
    ------
    ValueError
        Names the first part that was not found.
    """
    base = _base(hf)
    layers_name, blocks = _first(base, ("h", "layers"), "a list of decoder layers")
    config: Any = getattr(base, "config", None) or hf.config
    n_heads = config.num_attention_heads
    n_kv_heads = getattr(config, "num_key_value_heads", None) or n_heads
    d_model = config.hidden_size
    d_head = getattr(config, "head_dim", None) or d_model // n_heads
    _, embed = _first(base, ("wte", "embed_tokens", "embed_in"), "a token embedding")
    _, norm = _first(base, ("ln_f", "norm", "final_layer_norm"), "a final norm")
    unembed = hf.get_output_embeddings()  # pyright: ignore[reportCallIssue]
    if unembed is None:
        raise ValueError(f"{type(hf).__name__} has no unembedding; load a causal language model.")
    parallel = {bool(getattr(block, "use_parallel_residual", False)) for block in blocks}
    return Architecture(
        base=base,
        embed=embed,
        layers=tuple(_layer(block) for block in blocks),
        layers_name=layers_name,
        final_norm=norm,
        unembed=unembed,
        parallel=parallel == {True},
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=d_head,
        d_model=d_model,
        logit_softcap=getattr(config, "final_logit_softcapping", None),
    )


def _base(hf: nn.Module) -> nn.Module:
    """The module that holds the decoder layers; inside a multimodal model, its language model."""
    base = getattr(hf, getattr(hf, "base_model_prefix", "model"), hf)
    return getattr(base, "language_model", base)


def _first(module: nn.Module, names: tuple[str, ...], what: str) -> tuple[str, Any]:
    for name in names:
        if getattr(module, name, None) is not None:
            return name, getattr(module, name)
    raise ValueError(
        f"{type(module).__name__} lacks {what} under the names {', '.join(names)}; "
        f"supported model types: {', '.join(FAMILIES)} and decoders built from the same parts."
    )


def _layer(block: Any) -> Layer:
    _, attn = _first(block, ("attn", "self_attn", "attention"), "an attention module")
    _, attn_norm = _first(block, ("ln_1", "input_layernorm"), "a norm before attention")
    post_normed = hasattr(block, "pre_feedforward_layernorm")
    mlp_norms = ("pre_feedforward_layernorm", "ln_2", "post_attention_layernorm")
    _, mlp_norm = _first(block, mlp_norms, "a norm before the MLP")
    if hasattr(attn, "c_attn"):
        projections, layout = (attn.c_attn,), "blocks"
    elif hasattr(attn, "query_key_value"):
        projections, layout = (attn.query_key_value,), "per head"
    else:
        names = ("q_proj", "k_proj", "v_proj")
        projections = tuple(_first(attn, (name,), "a projection")[1] for name in names)
        layout = "separate"
    return Layer(
        attn_norm=attn_norm,
        mlp_norm=mlp_norm,
        mlp=_mlp(block),
        projections=projections,
        layout=layout,
        output=_first(attn, ("c_proj", "dense", "o_proj"), "an output projection")[1],
        attn_post_norm=block.post_attention_layernorm if post_normed else None,
        mlp_post_norm=block.post_feedforward_layernorm if post_normed else None,
        q_norm=getattr(attn, "q_norm", None),
        k_norm=getattr(attn, "k_norm", None),
        scaling=float(_first(attn, ("scaling",), "a scale of attention scores")[1]),
        softcap=getattr(attn, "attn_logit_softcapping", None),
    )


def _mlp(block: nn.Module) -> nn.Module:
    mlp = getattr(block, "mlp", None)
    if mlp is None:
        return NoMLP()
    assert isinstance(mlp, nn.Module)
    act = type(getattr(mlp, "act", None)).__name__
    return (
        TanhGeluMLP(mlp) if (type(mlp).__name__, act) == ("GPT2MLP", "NewGELUActivation") else mlp
    )


def weight_matrix(module: nn.Module) -> Float[Tensor, "d_in d_out"]:
    """Weight of a linear map as y = x W, whichever way round the module stores it."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight if type(module).__name__ == "Conv1D" else weight.T


def destination_weights(
    architecture: Architecture, layer: Layer
) -> tuple[Float[Tensor, "dst d_head d_model"], Float[Tensor, "dst d_head"]]:
    """Weights and biases of a layer's q, k and v destinations, in the order of the graph.

    Views of the model's parameters where the layout allows it.
    """
    d_head = architecture.d_head
    weights = [weight_matrix(module).T for module in layer.projections]
    biases: list[Any] = [
        weight.new_zeros(weight.shape[0]) if getattr(m, "bias", None) is None else m.bias
        for m, weight in zip(layer.projections, weights, strict=True)
    ]
    weight, bias = (w[0] if len(w) == 1 else torch.cat(w) for w in (weights, biases))  # type: ignore[arg-type]
    if layer.layout == "per head":
        shape = (architecture.n_heads, 3, d_head)
        weight = weight.unflatten(0, shape).transpose(0, 1).flatten(0, 1)
        bias = bias.unflatten(0, shape).transpose(0, 1).flatten(0, 1)  # pyright: ignore
        return weight, bias
    return weight.unflatten(0, (-1, d_head)), bias.unflatten(0, (-1, d_head))  # pyright: ignore


def head_output_weights(
    architecture: Architecture, layer: Layer
) -> Float[Tensor, "head d_head d_model"]:
    """Output projection of each head, as y = z W."""
    return weight_matrix(layer.output).unflatten(0, (architecture.n_heads, architecture.d_head))


def split_heads(
    architecture: Architecture, layer: Layer, projected: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of `layer.projections` -> q, k, v, each [..., head, d_head]."""
    d_head = architecture.d_head
    if layer.layout == "separate":
        q, k, v = (part.unflatten(-1, (-1, d_head)) for part in projected)
    elif layer.layout == "blocks":
        q, k, v = projected[0].unflatten(-1, (3, architecture.n_heads, d_head)).unbind(-3)
    else:
        q, k, v = projected[0].unflatten(-1, (architecture.n_heads, 3, d_head)).unbind(-2)
    return q, k, v


def project(
    architecture: Architecture, layer: Layer, x: Float[Tensor, "batch pos d_model"]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor, Tensor]]:
    """Outputs of `layer.projections` where the layer reads x, and the q, k and v in them."""
    normed = layer.attn_norm(x)
    projected = tuple(projection(normed) for projection in layer.projections)
    return projected, split_heads(architecture, layer, projected)


class _Recorder(nn.Module):
    """Takes a decoder layer's place and keeps what the model passes to it."""

    def __init__(self, calls: list[tuple[Tensor, dict[str, Any]]], layer: nn.Module):
        super().__init__()
        self.calls = calls
        self.attention_type = getattr(layer, "attention_type", "full_attention")

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        masks = [a for a in args if isinstance(a, Tensor) and a.ndim == 4]
        if masks and kwargs.get("attention_mask") is None:
            kwargs["attention_mask"] = masks[0]
        self.calls.append((hidden_states, kwargs))
        return hidden_states


@contextmanager
def _recorded(architecture: Architecture) -> Iterator[list[tuple[Tensor, dict[str, Any]]]]:
    calls: list[tuple[Tensor, dict[str, Any]]] = []
    base, name = architecture.base, architecture.layers_name
    layers = getattr(base, name)
    setattr(base, name, nn.ModuleList(_Recorder(calls, layer) for layer in layers))
    try:
        yield calls
    finally:
        setattr(base, name, layers)


def position_ids(mask: Bool[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    """Positions that start at 0 at the first real token, whichever side the padding is on."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


def enter(
    architecture: Architecture,
    embeddings: Float[Tensor, "batch pos d_model"],
    mask: Bool[Tensor, "batch pos"],
) -> tuple[Float[Tensor, "batch pos d_model"], Context]:
    """Residual stream entering layer 0, and masks and rotary angles as the model makes them.

    Runs the model's own code with its layers replaced by recorders, so that embeddings of
    position, sliding windows and rotary scaling need no second implementation here.

    Raises
    ------
    ValueError
        The model, or a part of it, is in training mode, or has hooks that would not act.
    """
    check_state(
        architecture.base,
        getattr(architecture.base, architecture.layers_name),
        tuple(layer.projections[0] for layer in architecture.layers),
        architecture.unembed,
        architecture.hook_points,
    )
    with _recorded(architecture) as calls:
        architecture.base(
            inputs_embeds=embeddings,
            attention_mask=mask.long(),
            position_ids=position_ids(mask),
            use_cache=False,
        )
    masks = tuple(_additive(kwargs.get("attention_mask"), embeddings) for _, kwargs in calls)
    rotary = tuple(kwargs.get("position_embeddings") for _, kwargs in calls)
    return calls[0][0], Context(masks=masks, rotary=rotary)


def _additive(mask: Tensor | None, like: Tensor) -> Tensor:
    """The model's mask as numbers added to scores; causal when it passes none."""
    n = like.shape[1]
    if mask is None:
        mask = torch.ones(n, n, dtype=torch.bool, device=like.device).tril()[None, None]
    if mask.dtype != torch.bool:
        return mask
    floor = torch.finfo(like.dtype).min
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(~mask, floor)
