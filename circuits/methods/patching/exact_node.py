"""Exact node patching: a source's patched output for everyone who reads it."""

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.methods.patching.exact import Patching, continue_from_next, prepare
from circuitvar.circuits.methods.patching.rerun import continue_from, only_last, tile
from circuitvar.circuits.model import Model, run_mlp
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


def node_damage(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch src"]:
    """Damage of patching each source for all its readers at once (activation patching).

    score[u] = M(clean) - M(a_u <- a_u(patched)), reversed for losses; everything behind u is
    recomputed. Unit: the metric's. Columns in the order of `Graph.sources`.
    """
    with torch.no_grad():
        patching = prepare(model, batch, metric, options)
        parts = [patching.damage(_input(patching))]
        for index in range(model.graph.n_layers):
            first = 1 + index * (model.graph.n_heads + model.graph.has_mlp)
            heads = slice(first, first + model.graph.n_heads)
            parts.append(patching.damage(_heads(patching, index, heads)))
            if model.graph.has_mlp:
                parts.append(patching.damage(_mlp(patching, index, heads.stop)))
        return torch.cat(parts).T


def exact_node(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Node patching as an edge method: every edge out of u carries the damage of patching u.

    Ranking edges by it keeps or drops whole nodes. See `node_damage`.
    """
    nodes = node_damage(model, batch, metric=metric, options=options)
    return nodes[:, torch.from_numpy(model.graph.edge_src).to(nodes.device)]


def _input(patching: Patching) -> Float[Tensor, "row d_model"]:
    clean = patching.clean
    return continue_from(clean, 0, clean.trace.layers[0].x[:, clean.window] + patching.deltas[0])


def _heads(patching: Patching, index: int, heads: slice) -> Float[Tensor, "row d_model"]:
    """All heads of a layer, one at a time, as rows."""
    clean, rows = patching.clean, patching.deltas[heads].flatten(0, 1)
    n, layer = len(rows) // clean.batch, clean.architecture.layers[index]
    after = tile(clean.after[index][:, clean.window], n) + rows
    if clean.architecture.parallel:
        x = after + tile(clean.trace.layers[index].mlp[:, clean.window], n)
    else:
        x = after + run_mlp(layer, after)[2]
    return _onwards(patching, index, x)


def _mlp(patching: Patching, index: int, source: int) -> Float[Tensor, "row d_model"]:
    clean = patching.clean
    out = (clean.after[index] + clean.trace.layers[index].mlp)[:, clean.window]
    return _onwards(patching, index, out + patching.deltas[source])


def _onwards(patching: Patching, index: int, x: Tensor) -> Float[Tensor, "row d_model"]:
    is_last = index == patching.clean.n_layers - 1
    return continue_from_next(patching, index, only_last(patching.clean, x) if is_last else x)
