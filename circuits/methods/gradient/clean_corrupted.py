"""Clean-corrupted: the two ends of the EAP-IG path, without the points between."""

import torch

from circuitvar.circuits.gradients import (
    add,
    differentiate,
    edge_scores,
    frozen,
    point,
    role_mask,
    window_of,
)
from circuitvar.circuits.model import Model, corrupt_embeddings, writes
from circuitvar.circuits.types import Scored, ScoreOptions
from circuitvar.tasks.types import Batch, Metric


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
    window = window_of(batch, options)
    with frozen(model.hf), torch.enable_grad():
        clean = point(model, batch, metric, architecture.embed(batch.clean), None)
        path = differentiate(model, clean, window)
        corrupt = point(
            model, batch, metric, corrupt_embeddings(architecture, batch), clean.reference
        )
        path = add(path, differentiate(model, corrupt, window))
    with torch.no_grad():
        kept, patch = (writes(architecture, at.trace) for at in (clean, corrupt))
    values = edge_scores(model, metric, kept, patch, path, window, role_mask(batch, options))
    return Scored(values, clean.metric.detach(), corrupt.metric.detach())
