"""Edge pruning: learn which edges to keep by gradient descent on relaxed 0/1 masks.

Bhaskar et al. 2024 (arXiv 2406.16778): every edge has a hard-concrete gate (Louizos et al. 2018,
arXiv 1712.01312); KL to the full model is minimised under a Lagrangian constraint that holds the
expected share of edges at a target which shrinks during warm-up. Another seed, another circuit.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.find.select import circuit_from_mask, top_n_masks
from circuitvar.circuits.gradients import frozen
from circuitvar.circuits.model import Model, logits_at
from circuitvar.circuits.run import prepare, soft_final_stream
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.tokens import kl, take
from circuitvar.tasks.types import Batch, Metric

LOW, HIGH, TEMPERATURE = -0.1, 1.1, 2 / 3
"""Stretch and temperature of the hard-concrete distribution, as published."""


@dataclass(frozen=True)
class PruningOptions:
    """Optimiser settings. The paper trains thousands of steps; these suit small models."""

    steps: int = 150
    warmup: int = 100
    """Steps over which the target shrinks from all edges to `size`."""
    learning_rate: float = 0.2
    examples: int = 16
    """Prompts per step."""
    start: float = 3.0
    """log alpha of every gate at the start: nearly always open."""


def gate(log_alpha: Float[Tensor, " edge"], uniform: Float[Tensor, "*draw edge"]) -> Tensor:
    """Hard-concrete sample: a stretched binary concrete variable, cut to [0, 1].

    z = clip(s (HIGH - LOW) + LOW, 0, 1), s = sigmoid((logit(u) + log alpha) / TEMPERATURE).
    """
    s = torch.sigmoid((torch.logit(uniform, eps=1e-6) + log_alpha) / TEMPERATURE)
    return (s * (HIGH - LOW) + LOW).clamp(0.0, 1.0)


def open_probability(log_alpha: Float[Tensor, " edge"]) -> Float[Tensor, " edge"]:
    """P(gate > 0) = sigmoid(log alpha - TEMPERATURE log(-LOW / HIGH))."""
    return torch.sigmoid(log_alpha - TEMPERATURE * float(np.log(-LOW / HIGH)))


def train_gates(
    model: Model, batch: Batch, *, size: int, seed: int, options: PruningOptions = PruningOptions()
) -> Float[np.ndarray, " edge"]:
    """log alpha of every edge after training; higher = kept more surely."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    n = model.graph.n_edges
    log_alpha = torch.full((n,), options.start, device=model.device, requires_grad=True)
    # Lagrange multipliers climb while the constraint is broken.
    multipliers = torch.zeros(2, device=model.device, requires_grad=True)
    descent = torch.optim.Adam([log_alpha], lr=options.learning_rate)
    ascent = torch.optim.Adam([multipliers], lr=options.learning_rate, maximize=True)
    with frozen(model.hf):
        for step in range(options.steps):
            progress = min(1.0, (step + 1) / max(1, options.warmup))
            target = 1.0 - progress * (1.0 - size / n)
            rows = rng.choice(len(batch), min(options.examples, len(batch)), replace=False)
            part = take(batch, rows)
            backdrop = prepare(model, part)
            uniform = torch.rand(n, generator=generator).to(log_alpha)
            weights = gate(log_alpha, uniform).to(backdrop.final.dtype)
            stream = soft_final_stream(model, backdrop, weights)
            logits = logits_at(model.architecture, stream).float()
            full = logits_at(model.architecture, backdrop.full).float()
            excess = open_probability(log_alpha).mean() - target
            penalty = multipliers[0] * excess + multipliers[1] * excess**2
            loss = kl(logits, part, full).mean() + penalty
            descent.zero_grad()
            ascent.zero_grad()
            loss.backward()
            descent.step()
            ascent.step()
    return log_alpha.detach().double().cpu().numpy()


def find_by_edge_pruning(
    model: Model, batch: Batch, *, metric: Metric, size: int, seed: int
) -> Circuit:
    """The `size` edges with the highest gates, minus dangling ones.

    The objective is KL whatever the metric, as in the paper. Departure: the final cut is at
    exactly `size` edges (the paper bisects a threshold to the expected sparsity).
    """
    log_alpha = train_gates(model, batch, size=size, seed=seed)
    # A gate of exactly 0 is a gate like others, a score of 0 is not: rank positive odds.
    mask = top_n_masks(np.exp(log_alpha)[None], size, signed=True)[0]
    return circuit_from_mask(
        model.graph, mask, rule=f"edge pruning, n={size}, seed={seed}", requested=size
    )
