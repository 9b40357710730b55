"""What rounding alone does to a metric: exact effects below it are noise of the number format."""

import numpy as np
import torch
from jaxtyping import Float

from circuitvar.circuits.gradients import reference_logits
from circuitvar.circuits.model import DTYPES, Model, at_last, metric_at, run_embeddings, run_tokens
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Metric

DRAWS = 4
"""Draws of rounding errors."""
PROMPTS = 16
"""Prompts that the floor is measured on, at most."""


@torch.no_grad()
def rounding_floor(model: Model, batch: Batch, metric: Metric) -> float:
    """Mean |change of the metric| when every token embedding is off by one rounding.

    mean over examples and draws of |M(x (1 + e)) - M(x)|, e uniform in +-eps of the number format:
    the error of one rounding at the entry, which exact patching makes again at every layer.
    """
    batch = take(batch, slice(0, PROMPTS))
    plain = model.architecture.embed(batch.clean)
    generator = torch.Generator().manual_seed(0)
    trace, _ = run_tokens(model.architecture, batch.clean, batch.mask)
    reference = reference_logits(model, batch, metric, trace)

    def value(x: torch.Tensor) -> torch.Tensor:
        read = at_last(run_embeddings(model.architecture, x, batch.mask)[0].final, batch.last)
        return metric_at(model.architecture, read, batch, metric, reference).double()

    base, changes = value(plain), []
    for _ in range(DRAWS):
        noise = torch.rand(plain.shape, generator=generator).to(plain.device) * 2 - 1
        moved = plain.float() * (1 + noise * torch.finfo(plain.dtype).eps)
        changes.append((value(moved.to(plain.dtype)) - base).abs())
    return float(torch.stack(changes).mean())


def require_above_rounding(
    model: Model, batch: Batch, metric: Metric, effects: Float[np.ndarray, "example edge"]
) -> None:
    """Refuse exact effects that are, on average, no larger than rounding alone makes.

    Measured on the pocket models: the floor is about three times the error of an exact effect, so
    effects of its size are off by about a third. Formats of 32 and 64 bits are not checked.

    Raises
    ------
    ValueError
        The mean |effect| is below the floor; gives both.
    """
    if torch.finfo(DTYPES[model.dtype]).bits > 16:
        return
    floor, size = rounding_floor(model, batch, metric), float(np.abs(effects).mean())
    if 0 < size < floor:
        raise ValueError(
            f"exact effects are {size:.2g} {metric.unit} on average, and rounding in {model.dtype} "
            f"alone moves the metric by {floor:.2g}: they are noise; load the model in float32 "
            "(--dtype float32), or use a gradient method"
        )
