"""Steps that all gradient methods share: check, run both prompts, differentiate, contract.

One fused pass per point of a path: gradients are taken at the linear outputs of q, k and v and
at the normed input of each MLP, and pulled back to the residual stream afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.gradients.edge_products import PathGradients, contract, frozen, gradients
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model import (
    Model,
    Trace,
    Writes,
    at_last,
    corrupt_means,
    corrupt_trace,
    differences,
    first_change,
    logits_at,
    metric_at,
    run_embeddings,
    run_tokens,
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
    return run_tokens(model.architecture, tokens, batch.mask)[0]


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
    *,
    replaced: Mapping[int, Mapping[str, Tensor]] = MappingProxyType({}),
) -> Point:
    """A run on `embeddings` that can be differentiated; `replaced` as in the trunk's `run`."""
    architecture = model.architecture
    embeddings = embeddings.detach().requires_grad_()
    trace, _ = run_embeddings(architecture, embeddings, batch.mask, replaced=replaced)
    if reference is None:
        reference = reference_logits(model, batch, metric, trace)
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
def reference_logits(
    model: Model, batch: Batch, metric: Metric, trace: Trace
) -> Float[Tensor, "batch vocab"] | None:
    """The clean run's logits at the read-out position, for metrics that compare with them."""
    if not metric.needs_reference:
        return None
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
    edges = edges_of_pairs(model.graph, contract(model.architecture, deltas, path))
    return -edges if metric.higher_is_better else edges


def edges_of_pairs(
    graph: Graph, pairs: Float[Tensor, "batch src dst"]
) -> Float[Tensor, "batch edge"]:
    """The pairs of nodes that are edges, in the order of `Graph.edges`."""
    flat = torch.from_numpy(graph.edge_src * len(graph.destinations) + graph.edge_dst)
    return pairs.flatten(1)[:, flat.to(pairs.device)]


@dataclass(frozen=True, eq=False)
class Attribution:
    """A batch on its way to scores by gradients: what every such method is asked for."""

    model: Model
    batch: Batch
    metric: Metric
    options: ScoreOptions

    @cached_property
    def window(self) -> slice:
        """`window_of` this batch."""
        return window_of(self.batch, self.options)

    def slopes(
        self,
        embeddings: Float[Tensor, "batch pos d_model"],
        reference: Tensor | None = None,
        *,
        weight: float = 1.0,
        replaced: Mapping[int, Mapping[str, Tensor]] = MappingProxyType({}),
    ) -> tuple[Point, PathGradients]:
        """A run on `embeddings` and its gradients at every destination."""
        model = self.model
        with frozen(model.hf), torch.enable_grad():
            at = point(model, self.batch, self.metric, embeddings, reference, replaced=replaced)
            return at, differentiate(model, at, self.window, weight=weight)

    def edges(
        self, clean: Writes, patch: Writes | None, path: PathGradients
    ) -> Float[Tensor, "batch edge"]:
        """`edge_scores` at the positions that are patched."""
        keep = role_mask(self.batch, self.options)
        return edge_scores(self.model, self.metric, clean, patch, path, self.window, keep)
