"""Exact patching: of an edge, resumed at its destination's layer, or of a node for all readers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuitvar.circuits.gradients import patch_values, reference_logits, role_mask, window_of
from circuitvar.circuits.methods.patching.rerun import (
    CleanRun,
    after_attention,
    clean_run,
    continue_from,
    only_last,
    perturbed_attention,
    perturbed_mlp,
    tile,
)
from circuitvar.circuits.model import (
    Model,
    at_last,
    differences,
    metric_at,
    run_mlp,
    run_tokens,
    writes,
)
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric

ROW_TOKENS = {"cpu": 2048, "cuda": 131_072}
"""Tokens recomputed at a time: enough for efficient matrix products, little enough for caches."""


@dataclass(frozen=True, eq=False)
class Patching:
    """A clean run, what patching each source would add, and how the outcome is measured."""

    clean: CleanRun
    deltas: Float[Tensor, "src batch pos d_model"]
    base: Float[Tensor, " batch"]
    batch: Batch
    metric: Metric
    reference: Tensor | None

    def damage(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "n batch"]:
        """Damage of rows from their stream at the read-out position."""
        architecture = self.clean.architecture
        value = metric_at(architecture, x, self.batch, self.metric, self.reference)
        change = value.reshape(-1, len(self.base)) - self.base
        return -change if self.metric.higher_is_better else change


def exact(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Damage of patching each edge alone (Wang et al. 2022, arXiv 2211.00593, path patching).

    score[u->v] = M(clean) - M(x_v <- x_v + a_u(patched) - a_u(clean)), reversed for losses; the
    norm of v and everything behind v are recomputed, nothing else changes. Unit: the metric's.
    With `options.edges` only those columns, in that order. Cost per edge and example: the layers
    behind the destination, for the positions from the first difference to the read-out.
    """
    return scores_of(model, prepare(model, batch, metric, options), options)


@torch.no_grad()
def scores_of(
    model: Model, patching: Patching, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Damage of adding each source's delta to each destination's input, alone."""
    columns = np.arange(model.graph.n_edges) if options.edges is None else np.array(options.edges)
    scores = patching.base.new_empty(len(patching.batch), len(columns))
    for where, damage in _by_layer(model, patching, columns):
        scores[:, where] = damage.T
    return scores


@torch.no_grad()
def prepare(model: Model, batch: Batch, metric: Metric, options: ScoreOptions) -> Patching:
    """The clean run and the patched minus clean output of every source."""
    architecture, window = model.architecture, window_of(batch, options)
    trace, context = run_tokens(architecture, batch.clean, batch.mask)
    patch = patch_values(model, batch, options)
    keep = role_mask(batch, options)
    deltas = differences(architecture, writes(architecture, trace), patch, window, keep)
    reference = reference_logits(model, batch, metric, trace)
    x = at_last(trace.final, batch.last)
    base = metric_at(architecture, x, batch, metric, reference)
    clean = clean_run(architecture, trace, context, window, batch.last)
    deltas = deltas.to(trace.final.dtype)
    return Patching(clean, deltas, base, batch, metric, reference)


def _by_layer(
    model: Model, patching: Patching, columns: Int[np.ndarray, " edge"]
) -> Iterator[tuple[Tensor, Float[Tensor, "n batch"]]]:
    """(places among `columns`, damage) in chunks of edges whose destinations share a layer."""
    graph, deltas = model.graph, patching.deltas
    tokens = deltas.shape[1] * deltas.shape[2]
    budget = ROW_TOKENS.get(torch.device(model.device).type, ROW_TOKENS["cpu"])
    chunk = max(1, budget // tokens)
    order = np.argsort(graph.edge_dst[columns], kind="stable")
    destination = graph.edge_dst[columns][order]
    layers = [node.layer for node in graph.destinations[:-1]] + [graph.n_layers]
    layer = np.array(layers)[destination]
    for index in range(graph.n_layers + 1):
        here = order[layer == index]
        size = chunk if index < graph.n_layers else max(chunk, budget // deltas.shape[1])
        for start in range(0, len(here), size):
            places = here[start : start + size]
            x = _perturb(model, patching, index, columns[places])
            yield torch.from_numpy(places), patching.damage(continue_from_next(patching, index, x))


def continue_from_next(patching: Patching, index: int, x: Tensor) -> Float[Tensor, "row d_model"]:
    """Read-out stream of rows leaving layer `index`; behind the last layer they are it."""
    if index >= patching.clean.n_layers - 1:
        return x[:, 0]
    return continue_from(patching.clean, index + 1, x)


def _perturb(
    model: Model, patching: Patching, index: int, edges: Int[np.ndarray, " n"]
) -> Float[Tensor, "row pos_out d_model"]:
    """Stream behind the destinations' layer, one perturbed edge per row and example.

    `edges` are sorted by destination.
    """
    graph, clean = model.graph, patching.clean
    parts, mlp_parts = [], []
    destinations = graph.edge_dst[edges]
    for d in np.unique(destinations):
        node = graph.destinations[d]
        delta = patching.deltas[torch.from_numpy(graph.edge_src[edges[destinations == d]])]
        if node.kind == "logits":
            rows = only_last(clean, delta.flatten(0, 1))
            final = at_last(clean.trace.final, patching.batch.last)[:, None]
            return rows + final.repeat(len(delta), 1, 1)
        if node.kind == "mlp":
            mlp_parts.append(perturbed_mlp(clean, index, delta))
        else:
            parts.append(perturbed_attention(clean, index, node.slot, node.head, delta))
    if parts:
        parts = [after_attention(clean, index, torch.cat(parts))]
    return torch.cat([*parts, *mlp_parts])


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
