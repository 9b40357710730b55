"""AtP*: attribution patching with recomputed attention and dropped gradients."""

from functools import reduce

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import (
    Attribution,
    differentiate,
    frozen,
    patch_values,
    plain_run,
    point,
)
from circuitvar.circuits.methods.patching import Patching, perturbed_z, prepare
from circuitvar.circuits.model import Model, Trace, post_norm, writes
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric

SOURCES_AT_ONCE = 64


def atp_star(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """AtP* (Kramar et al. 2024, arXiv 2403.00745, sections 3.1 and 3.2), per edge.

    QK fix: an edge into q or k changes the head's output by z(patched) - z(clean), computed
    through norm, projection and softmax exactly; only what lies behind z is linear. Edges into v,
    MLPs and logits are EAP's. GradDrop: the score is the mean over layers l of
    |score with what layer l adds to the stream held at its clean value|, times L/(L-1), so that
    cancelling indirect effects do not hide an edge. Unsigned, per example. Cost: one forward and
    backward pass per layer, and an attention head per edge into q or k. Unit: native.

    Raises
    ------
    ValueError
        The metric has no gradient or a zero one at the clean run, or there is only one layer.
    """
    n_layers = model.graph.n_layers
    if metric.needs_reference:
        raise ValueError(
            f"metric {metric.key!r} has gradient 0 at the clean run, so 'atp-star' would score "
            "every edge 0; use 'eap-ig-inputs' or 'exact'."
        )
    if n_layers < 2:
        raise ValueError("'atp-star' drops one layer at a time and needs at least 2 layers.")
    asked = Attribution(model, batch, metric, options)
    clean = plain_run(model, batch.clean, batch)
    kept, patch = writes(model.architecture, clean), patch_values(model, batch, options)
    changes = _attention_changes(model, prepare(model, batch, metric, options))

    def without(dropped: int) -> Tensor:
        with frozen(model.hf), torch.enable_grad():
            held = {dropped: _held(model, clean, dropped)}
            at = point(model, batch, metric, clean.embeddings, None, replaced=held)
            zs = [part.z for part in at.trace.layers]
            slopes = torch.autograd.grad(at.metric.sum(), zs, retain_graph=True, allow_unused=True)
            path = differentiate(model, at, asked.window)
        scores = asked.edges(kept, patch, path)
        _fix(metric, scores, changes, slopes, asked.window)
        return scores.abs()

    return reduce(Tensor.add_, map(without, range(n_layers))) / (n_layers - 1)


def _held(model: Model, clean: Trace, index: int) -> dict[str, Tensor]:
    layer, part = model.architecture.layers[index], clean.layers[index]
    return {"attn_out": post_norm(layer.attn_post_norm, part.attn_raw), "mlp_out": part.mlp}


Changes = list[tuple[Tensor, int, slice, Tensor]]
"""(columns, layer, heads, change of z [n, batch, pos, head, d_head]) per q or k destination."""


@torch.no_grad()
def _attention_changes(model: Model, patching: Patching) -> Changes:
    graph, found = model.graph, []
    for column, node in enumerate(graph.destinations):
        if node.slot not in ("q", "k"):
            continue
        edges = np.flatnonzero(graph.edge_dst == column)
        sources = torch.from_numpy(graph.edge_src[edges])
        parts = []
        for some in sources.split(SOURCES_AT_ONCE):
            place = node.layer, node.slot, node.head
            dz, heads = perturbed_z(patching.clean, *place, patching.deltas[some], last_only=False)
            parts.append(dz.unflatten(0, (len(some), -1)))
        found.append((torch.from_numpy(edges), node.layer, heads, torch.cat(parts)))
    return found


def _fix(
    metric: Metric,
    scores: Float[Tensor, "batch edge"],
    changes: Changes,
    slopes: tuple[Tensor | None, ...],
    window: slice,
) -> None:
    """Put the recomputed scores of edges into q and k in place."""
    sign = -1.0 if metric.higher_is_better else 1.0
    for columns, layer, heads, dz in changes:
        slope = slopes[layer]
        if slope is None:
            scores[:, columns] = 0.0
        else:
            value = torch.einsum("nbphd,bphd->bn", dz, slope[:, window, heads])
            scores[:, columns] = sign * value.to(scores.dtype)
