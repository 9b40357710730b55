"""Activations of single units, and runs in which units take given values.

Units: MLP neurons (at four points of the MLP, see `POINTS`), attention heads as the weight the
read-out position puts on each key position, and head outputs along a direction of the residual
stream. Edges are in `edge_activations.py`.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from circuitvar.circuits.model import Layer, head_output_weights, mlp_parts, position_ids
from circuitvar.tasks.tokens import chunks
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model

EXAMPLES_AT_ONCE = 64
POINTS = ("post", "pre", "gate", "up")
"""Where an MLP neuron is read. `post`: what the output projection reads (gated MLPs: the product
act(gate) * up). `pre`: the argument of the activation function (gated: the gate's projection).
`gate`: act(gate), and `up`: the linear factor; both only in gated MLPs."""
DOWN_PROJECTIONS = ("c_proj", "down_proj", "dense_4h_to_h", "fc2", "fc_out")


def down_projection(layer: Layer) -> nn.Module | None:
    """The map from MLP neurons to the residual stream; None in a layer without MLP.

    Raises
    ------
    ValueError
        The MLP's output projection has none of the known names.
    """
    if not list(layer.mlp.parameters()):
        return None
    for name in DOWN_PROJECTIONS:
        if hasattr(layer.mlp, name):
            return getattr(layer.mlp, name)
    raise ValueError(
        f"{type(layer.mlp).__name__} has no output projection named "
        f"{', '.join(DOWN_PROJECTIONS)}; pass activations as arrays instead."
    )


@torch.no_grad()
def mlp_neurons(
    model: "Model", batch: Batch, *, point: str = "post", batch_size: int = EXAMPLES_AT_ONCE
) -> tuple[Float32[np.ndarray, "batch pos neuron"], tuple[str, ...]]:
    """Every MLP neuron on the clean prompts at one of `POINTS`, and names in layer order.

    Names are `m{layer}.n{index}`, at other points than `post` with the point behind:
    `m0.n12<pre>`.

    Raises
    ------
    ValueError
        The model has no MLP, the point is unknown, or `gate` or `up` of an MLP without gate.
    """
    if point not in POINTS:
        raise ValueError(f"point is {point!r}; neurons are read at {', '.join(POINTS)}.")
    modules = _projections(model)
    if not modules:
        raise ValueError(f"model {model.name!r} has no MLP, so it has no MLP neurons.")
    seen: dict[int, Tensor] = {}
    parts = []
    with ExitStack() as stack:
        for layer, module in modules.items():
            record = partial(seen.__setitem__, layer)
            if point == "post":
                stack.enter_context(_input_hook(module, record))
            else:
                stack.enter_context(_point_hook(model, layer, point, record))
        for part in chunks(batch, batch_size):
            _forward(model, part)
            parts.append(torch.cat([seen[layer] for layer in modules], dim=-1).float().cpu())
    mark = "" if point == "post" else f"<{point}>"
    names = tuple(f"m{layer}.n{i}{mark}" for layer in modules for i in range(seen[layer].shape[-1]))
    return torch.cat(parts).numpy(), names


def _point_hook(
    model: "Model", layer: int, point: str, record: Callable[[Tensor], None]
) -> RemovableHandle:
    """Record an MLP's neurons at a point before the output projection's input."""
    parts = mlp_parts(model.architecture.layers[layer].mlp)
    if parts.gate is None and point != "pre":
        raise ValueError(
            f"the MLPs of {model.name!r} have no gate, so neurons have no point {point!r}; "
            "use post or pre."
        )
    module = parts.into if point == "up" or parts.gate is None else parts.gate

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        record(parts.act(output) if point == "gate" else output)

    return module.register_forward_hook(hook)


@torch.no_grad()
def readout_attention(
    model: "Model", batch: Batch, *, batch_size: int = EXAMPLES_AT_ONCE
) -> tuple[Float32[np.ndarray, "batch key head"], tuple[str, ...]]:
    """Attention of every head from the read-out position to each key; names `a{layer}.h{head}`."""
    parts = []
    for part in chunks(batch, batch_size):
        patterns = _forward(model, part, output_attentions=True).attentions
        rows = torch.arange(len(part), device=part.last.device)
        at_last = [pattern[rows, :, part.last] for pattern in patterns]
        parts.append(torch.cat(at_last, dim=1).transpose(1, 2).float().cpu())
    return torch.cat(parts).numpy(), _head_names(model)


@torch.no_grad()
def head_outputs_along(
    model: "Model",
    batch: Batch,
    direction: Float[Tensor, "batch_or_1 d_model"],
    *,
    batch_size: int = EXAMPLES_AT_ONCE,
) -> tuple[Float32[np.ndarray, "batch pos head"], tuple[str, ...]]:
    """Output of every head along a direction of the residual stream; names `a{layer}.h{head}`.

    Value z W_O . d at each position: z is the head's attention-weighted value, W_O its rows of the
    output projection, without the bias, which belongs to no head. Where a model normalises the
    sum of its heads (Gemma), this is the value before that norm.

    Args:
        direction: one row for all prompts, or one row per prompt; not rescaled.
    """
    rows = direction.shape[0] if direction.ndim == 2 else -1
    width = model.architecture.d_model
    if rows not in (1, len(batch)) or direction.shape[1] != width:
        raise ValueError(
            f"direction has shape {tuple(direction.shape)}; pass [1, {width}] or "
            f"[{len(batch)}, {width}]."
        )
    wanted = direction.expand(len(batch), -1)
    seen: dict[int, Tensor] = {}
    parts, start = [], 0
    with ExitStack() as stack:
        for index, layer in enumerate(model.architecture.layers):
            stack.enter_context(_input_hook(layer.output, partial(seen.__setitem__, index)))
        for part in chunks(batch, batch_size):
            _forward(model, part)
            mine = wanted[start : start + len(part)]
            start += len(part)
            found = []
            for index, layer in enumerate(model.architecture.layers):
                weights = head_output_weights(model.architecture, layer)
                onto = torch.einsum("hed,bd->bhe", weights, mine.to(weights))
                z = seen[index].unflatten(-1, (weights.shape[0], -1))
                found.append(torch.einsum("bphe,bhe->bph", z, onto))
            parts.append(torch.cat(found, dim=-1).float().cpu())
    return torch.cat(parts).numpy(), _head_names(model)


@torch.no_grad()
def metric_with_neurons(
    model: "Model",
    batch: Batch,
    metric: Metric,
    values: Mapping[str, Float[np.ndarray, "batch pos"]],
    *,
    where: Bool[np.ndarray, "batch pos"] | None = None,
    batch_size: int = EXAMPLES_AT_ONCE,
) -> Float[np.ndarray, " example"]:
    """Metric per example with the named neurons set to `values` at the positions `where`.

    No values: the intact run. `where` defaults to all real tokens.

    Raises
    ------
    ValueError
        A name is not an MLP neuron of this model.
    """
    place = batch.mask.cpu().numpy() if where is None else where
    by_layer = _by_layer(model, values)
    out, start = [], 0
    for part in chunks(batch, batch_size):
        rows = slice(start, start + len(part))
        start += len(part)
        reference = _readout(model, part) if metric.needs_reference else None
        with ExitStack() as stack:
            for layer, wanted in by_layer.items():
                columns = {i: values[name][rows] for i, name in wanted.items()}
                module = _projections(model)[layer]
                stack.enter_context(_input_hook(module, _setter(columns, place[rows])))
            out.append(metric.fn(_readout(model, part), part, reference).float().cpu())
    return torch.cat(out).numpy().astype(np.float64)


def _head_names(model: "Model") -> tuple[str, ...]:
    layers, heads = len(model.architecture.layers), model.architecture.n_heads
    return tuple(f"a{layer}.h{head}" for layer in range(layers) for head in range(heads))


def _projections(model: "Model") -> dict[int, nn.Module]:
    found = {i: down_projection(layer) for i, layer in enumerate(model.architecture.layers)}
    return {i: module for i, module in found.items() if module is not None}


def _by_layer(model: "Model", values: Mapping[str, Any]) -> dict[int, dict[int, str]]:
    layers = _projections(model)
    out: dict[int, dict[int, str]] = {}
    for name in values:
        layer, _, index = name.removeprefix("m").partition(".n")
        if not (layer.isdigit() and index.isdigit() and int(layer) in layers):
            raise ValueError(f"{name!r} is not an MLP neuron of {model.name!r}; use e.g. m0.n12.")
        out.setdefault(int(layer), {})[int(index)] = name
    return out


def _setter(columns: Mapping[int, np.ndarray], where: np.ndarray) -> Callable[[Tensor], Tensor]:
    def put(x: Tensor) -> Tensor:
        x = x.clone()
        mask = torch.as_tensor(where, device=x.device)
        for index, value in columns.items():
            new = torch.as_tensor(value, device=x.device, dtype=x.dtype)
            x[..., index] = torch.where(mask, new, x[..., index])
        return x

    return put


def _input_hook(module: nn.Module, change: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `change` on the module's input; a returned tensor takes its place."""

    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        new = change(inputs[0])
        return None if new is None else (new, *inputs[1:])

    return module.register_forward_pre_hook(hook)


def _forward(model: "Model", batch: Batch, **options: Any) -> Any:
    return model.hf(
        input_ids=batch.clean,
        attention_mask=batch.mask.long(),
        position_ids=position_ids(batch.mask),
        use_cache=False,
        **options,
    )


def _readout(model: "Model", batch: Batch) -> Float[Tensor, "batch vocab"]:
    logits = _forward(model, batch).logits
    return logits[torch.arange(len(batch), device=logits.device), batch.last]
