"""EAP-IG (activations): gradients averaged while one group of outputs at a time is interpolated."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import (
    PathGradients,
    add,
    clean_logits,
    corrupt_run,
    differentiate,
    edge_scores,
    frozen,
    plain_run,
    point,
    role_mask,
    window_of,
)
from circuitvar.circuits.model import Model, Trace, post_norm, writes
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


def eap_ig_activations(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """EAP with gradients integrated over activations (Hanna et al. 2024, arXiv 2403.17806).

    For each group g of outputs (the embeddings; all heads of a layer; an MLP) and k = 1 ... m the
    model runs on the clean prompt with g replaced by alpha clean + (1 - alpha) corrupted,
    alpha = k/m; the score is EAP's with the gradient averaged over all groups and steps. As in
    the published code, every run counts for every edge, not only for edges of its group (Marks
    et al. 2024 use the same name for the latter). Unit and sign as `eap`. Only this rule is
    defined, whatever `options.rule` says. Cost: m (2 layers + 1) forward and backward passes.

    Raises
    ------
    ValueError
        The metric has no gradient, or fewer than one step.
    """
    if options.steps < 1:
        raise ValueError(f"integration needs at least 1 step, not {options.steps}.")
    window = window_of(batch, options)
    clean, corrupt = plain_run(model, batch.clean, batch), corrupt_run(model, batch)
    reference = clean_logits(model, batch, clean) if metric.needs_reference else None
    kept, patch = (writes(model.architecture, trace) for trace in (clean, corrupt))
    total: Tensor | None = None
    groups = list(_groups(model, clean, corrupt))
    for embeddings, replaced in groups:
        path: PathGradients | None = None
        for k in range(1, options.steps + 1):
            with frozen(model.hf), torch.enable_grad():
                alpha = k / options.steps
                at = point(
                    model, batch, metric, embeddings(alpha), reference, replaced=replaced(alpha)
                )
                step = differentiate(model, at, window)
            path = step if path is None else add(path, step)
        assert path is not None
        part = edge_scores(model, metric, kept, patch, path, window, role_mask(batch, options))
        total = part if total is None else total + part
    assert total is not None
    return total / len(groups)


def _groups(model: Model, clean: Trace, corrupt: Trace) -> Iterator[tuple[Any, Any]]:
    """(alpha -> embeddings, alpha -> replaced outputs) of every group."""

    def between(a: Tensor, b: Tensor, alpha: float) -> Tensor:
        return alpha * a + (1.0 - alpha) * b

    def fixed(alpha: float) -> Tensor:
        return clean.embeddings

    yield lambda t: between(clean.embeddings, corrupt.embeddings, t), lambda t: {}
    for i, layer in enumerate(model.architecture.layers):
        a, b = clean.layers[i], corrupt.layers[i]
        heads = tuple(post_norm(layer.attn_post_norm, part.attn_raw) for part in (a, b))
        yield fixed, lambda t, i=i, h=heads: {i: {"attn_out": between(h[0], h[1], t)}}
        if model.graph.has_mlp:
            mlps = (a.mlp, b.mlp)
            yield fixed, lambda t, i=i, m=mlps: {i: {"mlp_out": between(m[0], m[1], t)}}
