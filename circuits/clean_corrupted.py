"""Clean-corrupted: the two ends of the EAP-IG path, without the points between."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.contract import add, frozen
from circuitvar.circuits.gradient_scores import (
    check_differentiable,
    clean_logits,
    differentiate,
    edge_scores,
    point,
    window_of,
)
from circuitvar.circuits.sources import writes
from circuitvar.circuits.types import ScoreOptions

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric


def clean_corrupted(
    model: "Model", batch: "Batch", *, metric: "Metric", options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """EAP with the mean of the gradients at the clean and the corrupted run.

    The cheapest form of EAP-IG (Hanna et al. 2024, arXiv 2403.17806): the trapezoid rule with one
    step. Unit and sign as `eap`. At the clean run a metric that compares with the clean logits
    has gradient zero, so only the corrupted run contributes.

    Raises
    ------
    ValueError
        The metric has no gradient.
    """
    check_differentiable(metric, "clean-corrupted")
    architecture = model.architecture
    window = window_of(batch, options)
    with frozen(model.hf), torch.enable_grad():
        clean = point(model, batch, metric, architecture.embed(batch.clean), None)
        reference = clean_logits(model, batch, clean.trace) if metric.needs_reference else None
        path = differentiate(model, clean, window)
        corrupt = point(model, batch, metric, architecture.embed(batch.corrupt), reference)
        path = add(path, differentiate(model, corrupt, window))
    with torch.no_grad():
        kept, patch = (writes(architecture, at.trace) for at in (clean, corrupt))
    return edge_scores(model, metric, kept, patch, path, window)
