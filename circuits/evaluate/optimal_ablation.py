"""Optimal ablation: replace what is ablated by the constants that hurt the model least.

Li and Janson 2024 (arXiv 2409.09951): mean or zero values can take the model off its distribution
and be blamed on the component; the best constant removes exactly the information.
"""

import numpy as np
import torch

from circuitvar.circuits.evaluate.evaluate import evaluate
from circuitvar.circuits.gradients import frozen
from circuitvar.circuits.model import Model, logits_at
from circuitvar.circuits.run import Constants, mean_constants, prepare, soft_final_stream
from circuitvar.circuits.types import Circuit, Faithfulness
from circuitvar.tasks.tokens import kl, take
from circuitvar.tasks.types import Batch, Metric


def optimal_constants(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    rng: np.random.Generator,
    steps: int = 100,
    learning_rate: float = 0.01,
    examples: int = 32,
) -> Constants:
    """One constant per source, a = argmin mean KL(full || circuit with ablated edges at a).

    Adam from the means over corrupted prompts, `examples` prompts per step drawn by `rng`, with
    the learning rate relative to the spread of each source's values. Fit on other prompts than
    those the circuit is judged on.
    """
    start = mean_constants(model, batch, positional=False)
    values = [start.embeddings, *start.heads, *start.mlps]
    scales = [float(v.abs().mean()) or 1.0 for v in values]
    moves = [torch.zeros_like(v, requires_grad=True) for v in values]
    optimiser = torch.optim.Adam(moves, lr=learning_rate)
    mask = torch.as_tensor(circuit.kept).to(values[0])
    with frozen(model.hf):
        for _ in range(steps):
            rows = rng.choice(len(batch), min(examples, len(batch)), replace=False)
            part = take(batch, rows)
            moved = [v + s * m for v, s, m in zip(values, scales, moves, strict=True)]
            backdrop = prepare(model, part, ablation="optimal", constants=_packed(moved, start))
            logits = logits_at(model.architecture, soft_final_stream(model, backdrop, mask))
            full = logits_at(model.architecture, backdrop.full)
            loss = kl(logits.float(), part, full.float()).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    moved = [(v + s * m).detach() for v, s, m in zip(values, scales, moves, strict=True)]
    return _packed(moved, start)


def _packed(values: list[torch.Tensor], like: Constants) -> Constants:
    n = len(like.heads)
    return Constants(values[0], tuple(values[1 : n + 1]), tuple(values[n + 1 :]))


def evaluate_optimal(
    model: Model,
    circuit: Circuit,
    fit_on: Batch,
    batch: Batch,
    *,
    metric: Metric | str,
    rng: np.random.Generator,
    steps: int = 100,
) -> Faithfulness:
    """Fit the constants on one batch and run the circuit with them on another, held-out one."""
    constants = optimal_constants(model, circuit, fit_on, rng=rng, steps=steps)
    return evaluate(model, circuit, batch, metric=metric, ablation="optimal", constants=constants)
