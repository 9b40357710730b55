"""Mask gradients: how much the metric changes as every edge is switched on a little.

The edges carry weights w; score of an edge is the derivative of the damage along the diagonal from
the all-ablated run (w = 0) to the full model (w = 1), by Gauss-Legendre quadrature. This is the
integrated form of the mask gradient of auto-circuit (Miller et al. 2024, arXiv 2407.08734).
"""

import numpy as np
import torch
from jaxtyping import Float

from circuitvar.circuits.find.select import circuit_from_mask, top_n_masks
from circuitvar.circuits.gradients import frozen
from circuitvar.circuits.model import Model, logits_at, metric_at
from circuitvar.circuits.run import prepare, soft_final_stream
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.tokens import chunks
from circuitvar.tasks.types import Batch, Metric

STEPS = 5
EXAMPLES_AT_ONCE = 32


def mask_gradient_scores(
    model: Model, batch: Batch, *, metric: Metric, steps: int = STEPS
) -> Float[np.ndarray, " edge"]:
    """Mean over examples of the integral of d metric / d w, with the sign of damage.

    Positive = the edge supports the behaviour. Summed over edges, the scores approach
    metric(clean) - metric(ablated) as `steps` (quadrature points) grow. Departure: auto-circuit
    sums the gradient at equally spaced points, both ends included, without dividing.
    """
    nodes, shares = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros(model.graph.n_edges, dtype=torch.float64)
    with frozen(model.hf):
        for part in chunks(batch, EXAMPLES_AT_ONCE):
            backdrop = prepare(model, part)
            reference = None
            if metric.needs_reference:
                reference = logits_at(model.architecture, backdrop.full).float()
            for level, share in zip((nodes + 1) / 2, shares / 2, strict=True):
                weights = torch.full((model.graph.n_edges,), float(level), device=model.device)
                weights = weights.to(backdrop.final.dtype).requires_grad_()
                stream = soft_final_stream(model, backdrop, weights)
                value = metric_at(model.architecture, stream, part, metric, reference).sum()
                (gradient,) = torch.autograd.grad(value, weights)
                total += gradient.double().cpu() * float(share)
    sign = 1.0 if metric.higher_is_better else -1.0
    return sign * (total / len(batch)).numpy()


def find_by_mask_gradient(
    model: Model, batch: Batch, *, metric: Metric, size: int, seed: int
) -> Circuit:
    """The `size` edges with the largest |mask gradient|, minus dangling ones; no randomness."""
    if not metric.differentiable:
        raise ValueError(
            f"metric {metric.key!r} has no gradient; use logit_diff, prob_diff, log_prob or kl"
        )
    scores = mask_gradient_scores(model, batch, metric=metric)
    mask = top_n_masks(scores[None], size)[0]
    return circuit_from_mask(
        model.graph, mask, rule=f"integrated mask gradient, n={size}", requested=size
    )
