"""Edge attribution patching: the first-order effect of every edge from one backward pass."""

import torch

from circuitvar.circuits.gradients import (
    corrupt_run,
    differentiate,
    edge_scores,
    frozen,
    metric_of,
    patch_values,
    point,
    role_mask,
    window_of,
)
from circuitvar.circuits.model import Model, writes
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
    window = window_of(batch, options)
    corrupt = corrupt_run(model, batch) if options.ablation == "patching" else None
    patch = patch_values(model, batch, options, corrupt)
    with frozen(model.hf), torch.enable_grad():
        at = point(model, batch, metric, model.architecture.embed(batch.clean), None)
        path = differentiate(model, at, window)
    with torch.no_grad():
        clean = writes(model.architecture, at.trace)
    values = edge_scores(model, metric, clean, patch, path, window, role_mask(batch, options))
    after = None if corrupt is None else metric_of(model, batch, metric, corrupt, None)
    return Scored(values, at.metric.detach(), after)
