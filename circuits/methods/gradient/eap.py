"""Edge attribution patching, from gradients at single runs or averaged along a path.

Three paths from the corrupted to the clean run: the embeddings, one group of outputs at a time,
and the embeddings again with each gradient meeting the change of the source over its own step.
"""

from collections.abc import Iterator
from functools import reduce
from itertools import starmap
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import (
    Attribution,
    PathGradients,
    add,
    corrupt_run,
    metric_of,
    patch_values,
    plain_run,
    reference_logits,
)
from circuitvar.circuits.model import Model, Trace, Writes, corrupt_embeddings, post_norm, writes
from circuitvar.circuits.types import Scored, ScoreOptions
from circuitvar.tasks.types import Batch, Metric


def eap(model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions) -> Scored:
    """First-order damage of patching each edge (Syed et al. 2023, arXiv 2310.10348, eq. 2).

    score[u->v] = -sum over positions of (a_u(patched) - a_u(clean)) . dM/dx_v at the clean run,
    with x_v the residual stream that v reads, before its norm; the norm is differentiated in
    full. Unit: the metric's; positive = patching the edge damages the behaviour. Per example:
    the source averages over the batch inside the gradient, which makes scores depend on it.

    Raises
    ------
    ValueError
        The metric has no gradient, or its gradient at the clean run is zero by construction.
    """
    if metric.needs_reference:
        raise ValueError(
            f"metric {metric.key!r} is at its minimum at the clean run, so 'eap' would score "
            "every edge 0; use 'eap-ig-inputs', 'clean-corrupted' or 'exact'."
        )
    asked = Attribution(model, batch, metric, options)
    corrupt = corrupt_run(model, batch) if options.ablation == "patching" else None
    patch = patch_values(model, batch, options, corrupt)
    at, path = asked.slopes(model.architecture.embed(batch.clean))
    with torch.no_grad():
        clean = writes(model.architecture, at.trace)
    values = asked.edges(clean, patch, path)
    after = None if corrupt is None else metric_of(model, batch, metric, corrupt, None)
    return Scored(values, at.metric.detach(), after)


def clean_corrupted(model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions) -> Scored:
    """EAP with the mean of the gradients at the clean and the corrupted run.

    The cheapest form of EAP-IG (Hanna et al. 2024, arXiv 2403.17806): the trapezoid rule with one
    step. Unit and sign as `eap`. At the clean run a metric that compares with the clean logits
    has gradient zero, so only the corrupted run contributes.

    Raises
    ------
    ValueError
        The metric has no gradient.
    """
    architecture = model.architecture
    asked = Attribution(model, batch, metric, options)
    clean, path = asked.slopes(architecture.embed(batch.clean))
    corrupt, end = asked.slopes(corrupt_embeddings(architecture, batch), clean.reference)
    with torch.no_grad():
        kept, patch = (writes(architecture, at.trace) for at in (clean, corrupt))
    values = asked.edges(kept, patch, add(path, end))
    return Scored(values, clean.metric.detach(), corrupt.metric.detach())


def integration_rule(
    rule: str, steps: int
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Points on [0, 1] (0 = corrupted, 1 = clean) and weights that sum to 1.

    >>> integration_rule("left", 4)[0].tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    if steps < 1:
        raise ValueError(f"integration needs at least 1 step, not {steps}.")
    if rule == "left":
        return np.arange(steps) / steps, np.full(steps, 1.0 / steps)
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1.0 / steps)
    if rule == "gauss-legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1.0) / 2.0, weights / 2.0
    raise ValueError(f"integration rule must be left, midpoint or gauss-legendre, not {rule!r}.")


def eap_ig_inputs(model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions) -> Scored:
    """EAP with gradients integrated along the inputs (Hanna et al. 2024, arXiv 2403.17806, eq. 3).

    score[u->v] = -sum_k w_k sum over positions of (a_u(corrupted) - a_u(clean)) . dM/dx_v at the
    run on e_corrupted + alpha_k (e_clean - e_corrupted), e the token embeddings. The default rule
    is that of the published code: alpha = 0, 1/m, ..., (m-1)/m, corrupted end included (the
    paper's sum runs 1 ... m). Unit and sign as `eap`.

    Raises
    ------
    ValueError
        The metric has no gradient, fewer than one step, or an unknown rule.
    """
    alphas, weights = integration_rule(options.rule, options.steps)
    architecture = model.architecture
    asked = Attribution(model, batch, metric, options)
    clean_trace = plain_run(model, batch.clean, batch)
    reference = reference_logits(model, batch, metric, clean_trace)
    clean = writes(architecture, clean_trace)
    before = metric_of(model, batch, metric, clean_trace, reference)
    start = corrupt_embeddings(architecture, batch).detach()
    line = clean_trace.embeddings - start
    del clean_trace
    path: PathGradients | None = None
    patch = after = None
    for alpha, weight in zip(alphas.tolist(), weights.tolist(), strict=True):
        at, step = asked.slopes(start + alpha * line, reference, weight=weight * options.steps)
        if alpha == 0.0:
            # The first point is the corrupted run itself.
            with torch.no_grad():
                patch, after = writes(architecture, at.trace), at.metric.detach()
        path = step if path is None else add(path, step)
        del at
    if patch is None:
        corrupt = corrupt_run(model, batch)
        patch = writes(architecture, corrupt)
        after = metric_of(model, batch, metric, corrupt, reference)
    assert path is not None
    return Scored(asked.edges(clean, patch, path), before, after)


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
    asked = Attribution(model, batch, metric, options)
    clean, corrupt = plain_run(model, batch.clean, batch), corrupt_run(model, batch)
    reference = reference_logits(model, batch, metric, clean)
    kept, patch = (writes(model.architecture, trace) for trace in (clean, corrupt))
    alphas = [k / options.steps for k in range(1, options.steps + 1)]

    def of_group(embeddings: Any, replaced: Any) -> Tensor:
        steps = (asked.slopes(embeddings(t), reference, replaced=replaced(t))[1] for t in alphas)
        return asked.edges(kept, patch, reduce(add, steps))

    groups = list(_groups(model, clean, corrupt))
    return reduce(Tensor.add_, starmap(of_group, groups)) / len(groups)


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


def eap_conductance(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Conductance along the line of inputs, per edge.

    score[u->v] = -sum_k sum over positions of (a_u(x_k) - a_u(x_{k+1})) . dM/dx_v(x_k), with
    x_k = e_corrupted + (k/m)(e_clean - e_corrupted), k = 0 ... m-1: the sum of Dhamdhere et al.
    2018 (arXiv 1805.12233, eq. 3), taken over edges. The path-conductance paper (arXiv
    2606.16920) is the occasion; this discretisation, with gradients at the start of each step, is
    ours. Unlike EAP-IG, the source moves as it does along the path. Unit and sign as `eap`.

    Raises
    ------
    ValueError
        The metric has no gradient, or fewer than one step.
    """
    architecture = model.architecture
    asked = Attribution(model, batch, metric, options)
    start = corrupt_embeddings(architecture, batch).detach()
    clean_trace = plain_run(model, batch.clean, batch)
    reference = reference_logits(model, batch, metric, clean_trace)
    line = clean_trace.embeddings - start
    end = writes(architecture, clean_trace)
    total: Tensor | None = None
    before: tuple[Writes, PathGradients] | None = None
    for alpha in integration_rule("left", options.steps)[0].tolist():
        at, step = asked.slopes(start + alpha * line, reference)
        with torch.no_grad():
            here = writes(architecture, at.trace)
        # Towards the clean run, so the earlier point is the patched value.
        if before is not None:
            part = asked.edges(here, *before)
            total = part if total is None else total + part
        before = here, step
    assert before is not None
    part = asked.edges(end, *before)
    return part if total is None else total + part
