"""Steps that all gradient methods share: check, run both prompts, differentiate, contract.

One fused pass per point of a path: gradients are taken at the linear outputs of q, k and v and
at the normed input of each MLP, and pulled back to the residual stream afterwards.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.gradients.edge_products import PathGradients, contract, gradients
from circuitvar.circuits.model import (
    Model,
    Trace,
    Writes,
    at_last,
    corrupt_means,
    corrupt_trace,
    differences,
    enter,
    first_change,
    logits_at,
    metric_at,
    run,
    spread,
    writes,
)
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.lookup import near
from circuitvar.tasks.types import Batch, Metric


@dataclass(frozen=True, eq=False)
class Point:
    """A run with the graph kept for one backward pass."""

    trace: Trace
    metric: Float[Tensor, " batch"]
    reference: Float[Tensor, "batch vocab"] | None


def check_differentiable(metric: Metric, method: str) -> None:
    """Refuse metrics that have no gradient."""
    if not metric.differentiable:
        raise ValueError(
            f"metric {metric.key!r} has no gradient, so {method!r} cannot score it; use the "
            "method 'exact', or a metric such as logit_diff."
        )


def window_of(batch: Batch, options: ScoreOptions) -> slice:
    """Positions at which patching can matter: from the first difference to the last read-out."""
    patching = options.ablation == "patching"
    start = first_change(batch) if patching else 0
    return slice(start, int(batch.last.max()) + 1)


def role_mask(batch: Batch, options: ScoreOptions) -> Bool[Tensor, "batch pos"] | None:
    """Where patching happens; None is everywhere."""
    if options.role is None:
        return None
    if options.role not in batch.roles:
        raise ValueError(
            f"role {options.role!r} is not marked in these examples; they have "
            f"{', '.join(batch.roles) or 'no roles'}{near(options.role, batch.roles)}"
        )
    return batch.roles[options.role]


@torch.no_grad()
def plain_run(model: Model, tokens: Tensor, batch: Batch) -> Trace:
    """A run without gradients."""
    embeddings = model.architecture.embed(tokens)
    x, context = enter(model.architecture, embeddings, batch.mask)
    return run(model.architecture, embeddings, x, context)


@torch.no_grad()
def corrupt_run(model: Model, batch: Batch) -> Trace:
    """The corrupted run without gradients."""
    return corrupt_trace(model.architecture, batch)[0]


def point(
    model: Model,
    batch: Batch,
    metric: Metric,
    embeddings: Float[Tensor, "batch pos d_model"],
    reference: Tensor | None,
    **replaced: object,
) -> Point:
    """A run on `embeddings` that can be differentiated."""
    architecture = model.architecture
    embeddings = embeddings.detach().requires_grad_()
    x, context = enter(architecture, embeddings, batch.mask)
    trace = run(architecture, embeddings, x, context, **replaced)  # type: ignore[arg-type]
    if reference is None and metric.needs_reference:
        reference = clean_logits(model, batch, trace)
    value = metric_at(architecture, at_last(trace.final, batch.last), batch, metric, reference)
    return Point(trace, value, reference)


@torch.no_grad()
def metric_of(
    model: Model, batch: Batch, metric: Metric, trace: Trace, reference: Tensor | None
) -> Float[Tensor, " batch"]:
    """The metric of a finished run."""
    x = at_last(trace.final.detach(), batch.last)
    return metric_at(model.architecture, x, batch, metric, reference)


@torch.no_grad()
def clean_logits(model: Model, batch: Batch, trace: Trace) -> Float[Tensor, "batch vocab"]:
    """The full model's logits at the read-out position, for metrics that compare with them."""
    return logits_at(model.architecture, at_last(trace.final.detach(), batch.last))


def differentiate(model: Model, at: Point, window: slice, *, weight: float = 1.0) -> PathGradients:
    """Gradients of each example's metric; examples do not interact, so one sum serves all."""
    return gradients(model.architecture, at.trace, weight * at.metric.sum(), window)


@torch.no_grad()
def patch_values(
    model: Model, batch: Batch, options: ScoreOptions, corrupt: Trace | None = None
) -> Writes | None:
    """What patched sources write: another run's outputs, means, or nothing (None is zeros)."""
    architecture = model.architecture
    if options.ablation == "zero":
        return None
    if options.ablation == "patching":
        return writes(architecture, corrupt or corrupt_run(model, batch))
    means = options.means
    if means is None:
        positional = options.ablation == "mean-positional"
        means = corrupt_means(architecture, batch, positional=positional)
    return spread(means, batch.mask)


@torch.no_grad()
def edge_scores(
    model: Model,
    metric: Metric,
    clean: Writes,
    patch: Writes | None,
    path: PathGradients,
    window: slice,
    keep: Bool[Tensor, "batch pos"] | None = None,
) -> Float[Tensor, "batch edge"]:
    """Contract gradients with source differences: damage per edge, in units of the metric."""
    deltas = differences(model.architecture, clean, patch, window, keep)
    pairs = contract(model.architecture, deltas, path)
    graph = model.graph
    flat = torch.from_numpy(graph.edge_src * len(graph.destinations) + graph.edge_dst)
    edges = pairs.flatten(1)[:, flat.to(pairs.device)]
    return -edges if metric.higher_is_better else edges
