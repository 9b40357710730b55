"""Edge scores from source differences and gradients at a few points, layer by layer.

score[u, v] = sum over positions of D_u . (1/K) sum_k J_k^T W_v g_vk, where g_vk is the gradient
at the linear output of destination v in run k, W_v its projection and J_k the Jacobian of its
norm there (the residual stream in front of the norm is never differentiated per head).

With y = gamma * xhat + beta, J^T c = r (c - mean(c) - xhat mean(c xhat)). So the first term is
summed over runs before it is projected back, and the two rank-one terms ride along as extra
rows of the same matrix product: D_u is read once per layer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from circuitvar.circuits.model import (
    Architecture,
    Layer,
    LayerTrace,
    NormForm,
    Trace,
    destination_weights,
    norm_form,
    normalise,
    pull_back,
    split_heads,
    wide,
)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No parameter needs a gradient inside; afterwards all flags are as they were."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


@dataclass
class _LayerGradients:
    """Gradients of one layer, accumulated over the points of a path."""

    form: NormForm
    scaled: Float[Tensor, "dst row d_head"]
    """Sum over points of r g."""
    units: list[Float[Tensor, "row d_model"]]
    """xhat of each point."""
    along: list[Float[Tensor, "dst row"]]
    """mean(c xhat) of each point."""
    full: Float[Tensor, "dst row d_model"] | None
    """J^T W g in full, for norms without a closed form."""
    mlp: Float[Tensor, "row d_model"]
    """Sum over points of the gradient at the MLP's input before the norm."""


@dataclass
class PathGradients:
    """Gradients at every destination, summed over the points of a path."""

    layers: list[_LayerGradients]
    final: Float[Tensor, "row d_model"]
    points: int = 1


def gradients(
    architecture: Architecture, trace: Trace, total: Float[Tensor, ""], window: slice
) -> PathGradients:
    """Gradient of `total` at every destination of one run, at the positions in `window`."""
    taps = [t for part in trace.layers for t in (*part.projected, part.mlp_in)]
    taps.append(trace.final)
    found = torch.autograd.grad(total, taps, allow_unused=True)
    values = [
        _rows(torch.zeros_like(tap) if g is None else g, window)
        for tap, g in zip(taps, found, strict=True)
    ]
    layers, at = [], 0
    for layer, part in zip(architecture.layers, trace.layers, strict=True):
        n = len(layer.projections)
        layers.append(
            _layer_gradients(architecture, layer, part, values[at : at + n], values[at + n], window)
        )
        at += n + 1
    return PathGradients(layers, values[-1])


def add(total: PathGradients, point: PathGradients) -> PathGradients:
    """One more point of a path."""
    for a, b in zip(total.layers, point.layers, strict=True):
        a.scaled += b.scaled
        a.mlp += b.mlp
        a.units += b.units
        a.along += b.along
        if a.full is not None and b.full is not None:
            a.full += b.full
    total.final += point.final
    total.points += point.points
    return total


def _rows(x: Tensor, window: slice) -> Float[Tensor, "row d"]:
    return wide(x.detach()[:, window].flatten(0, 1))


def _by_destination(architecture: Architecture, layer: Layer, parts: list[Tensor]) -> Tensor:
    """[row, ...] outputs of the projections -> [dst, row, d_head], q heads, k heads, v heads."""
    return torch.cat(split_heads(architecture, layer, tuple(parts)), dim=-2).transpose(0, 1)


def _layer_gradients(
    architecture: Architecture,
    layer: Layer,
    part: LayerTrace,
    projected: list[Tensor],
    mlp: Tensor,
    window: slice,
) -> _LayerGradients:
    d_model = architecture.d_model
    mlp_form = norm_form(layer.mlp_norm, d_model, part.mid)
    mlp = pull_back(mlp_form, _rows(part.mid, window), mlp)
    form = norm_form(layer.attn_norm, d_model, part.x)
    g = _by_destination(architecture, layer, projected)
    x = _rows(part.x, window)
    if form.kind == "other":
        weight, _ = destination_weights(architecture, layer)
        back = torch.bmm(g, wide(weight.detach()))
        full = pull_back(form, x.expand_as(back), back)
        return _LayerGradients(form, g, [], [], full, mlp)
    if form.kind == "identity":
        return _LayerGradients(form, g.clone(), [], [], None, mlp)
    unit, r = normalise(form, x)
    if form.frozen:
        return _LayerGradients(form, g * r, [], [], None, mlp)
    linear = _by_destination(architecture, layer, [_rows(p, window) for p in part.projected])
    weight, bias = destination_weights(architecture, layer)
    offset = wide(bias.detach())
    if form.beta is not None:
        offset = offset + wide(weight.detach()) @ form.beta
    scaled = g * r
    along = torch.linalg.vecdot(linear - offset[:, None], scaled) / d_model
    return _LayerGradients(form, scaled, [unit], [along], None, mlp)


def contract(
    architecture: Architecture, deltas: Float[Tensor, "src batch pos d_model"], path: PathGradients
) -> Float[Tensor, "batch src dst"]:
    """Scores of all pairs, mean over the points of the path; zero where there is no edge."""
    n_sources, batch, _, _ = deltas.shape
    n_layers = len(architecture.layers)
    per_layer = (n_sources - 1) // n_layers
    graph = architecture.graph
    out = deltas.new_zeros(batch, n_sources, len(graph.destinations))
    by_row = deltas.flatten(1, 2).transpose(0, 1)
    column, pending = 0, []
    for index in range(n_layers + 1):
        # Everything that reads the stream between two layers shares one product: the heads of
        # this layer, and the MLP of the layer before, which sees one source less.
        n = 1 + index * per_layer
        if index == n_layers:
            rows, sides = torch.stack([*pending, path.final]), []
        else:
            rows, sides = _rows_of(architecture, architecture.layers[index], path.layers[index])
            rows = rows if not pending else torch.cat((rows, *(g[None] for g in pending)))
        product = torch.bmm(by_row[:, :n], rows.permute(1, 2, 0)).unflatten(0, (batch, -1))
        n_dst = len(rows) - len(sides) - len(pending) if index < n_layers else 0
        if n_dst:
            out[:, :n, column : column + n_dst] = _without_rank_one(product, sides, n_dst)
        if pending:
            out[:, :n, column - 1] = product[..., n_dst + len(sides)].sum(1)
        column += n_dst
        pending = [path.layers[index].mlp] if index < n_layers and graph.has_mlp else []
        column += len(pending)
    out[:, :, -1] = product[..., -1].sum(1)
    exists = torch.from_numpy(graph.exists).to(out.device)
    return out.masked_fill_(~exists, 0.0) / path.points


def _rows_of(
    architecture: Architecture, layer: Layer, part: _LayerGradients
) -> tuple[Float[Tensor, "vector row d_model"], list[Float[Tensor, "dst row"]]]:
    """W g of each destination, then the directions of the rank-one terms and their coefficients."""
    if part.full is not None:
        return part.full, []
    weight = wide(destination_weights(architecture, layer)[0].detach())
    if part.form.kind == "identity":
        return torch.bmm(part.scaled, weight), []
    weight = weight * part.form.gamma
    n_dst, n_rows, _ = part.scaled.shape
    sides = [*part.along]
    if part.form.centred:
        sides.append((part.scaled @ weight.mean(-1)[..., None])[..., 0])
    rows = part.scaled.new_empty(n_dst + len(sides), n_rows, weight.shape[-1])
    torch.bmm(part.scaled, weight, out=rows[:n_dst])
    for i, unit in enumerate(part.units):
        rows[n_dst + i] = unit
    if part.form.centred:
        rows[-1] = 1.0
    return rows, sides


def _without_rank_one(
    product: Float[Tensor, "batch pos src vector"],
    sides: list[Float[Tensor, "dst row"]],
    n_dst: int,
) -> Float[Tensor, "batch src dst"]:
    """Sum over positions of the main term less the rank-one terms of the norm's Jacobian."""
    main = product[..., :n_dst].sum(1)
    if not sides:
        return main
    along = torch.stack(sides, dim=-1).unflatten(1, (len(product), -1))
    return main - torch.einsum("bpsk,vbpk->bsv", product[..., n_dst : n_dst + len(sides)], along)
