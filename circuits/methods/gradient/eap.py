"""Edge attribution patching from gradients at the clean run, or at both ends of the path."""

import torch

from circuitvar.circuits.gradients import Attribution, add, corrupt_run, metric_of, patch_values
from circuitvar.circuits.model import Model, corrupt_embeddings, writes
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
