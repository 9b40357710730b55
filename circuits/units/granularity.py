"""Coarser and finer than edges: scores of nodes, and of the hidden units of MLPs."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import (
    check_differentiable,
    corrupt_run,
    frozen,
    point,
    role_mask,
)
from circuitvar.circuits.model import NoMLP, mlp_parts
from circuitvar.circuits.types import EdgeScores, ScoreOptions

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric


def node_scores(scores: EdgeScores) -> Float[np.ndarray, "example src"]:
    """Node scores: the sum of the scores of the edges that leave each source.

    For gradient methods this is the node's own attribution, because the gradient at a source's
    output is the sum of the gradients at its readers. For exact patching see `node_damage`.

    Raises
    ------
    ValueError
        The scores cover only some edges.
    """
    if scores.columns is not None:
        raise ValueError("node scores need the scores of all edges; score with edges=None.")
    out = np.zeros((len(scores.values), len(scores.graph.sources)), dtype=np.float64)
    np.add.at(out.T, scores.graph.edge_src, scores.values.T)
    return out


def neuron_scores(
    model: "Model", batch: "Batch", *, metric: "Metric", options: ScoreOptions
) -> Float[Tensor, "batch layer unit"]:
    """First-order damage of patching each hidden unit of each MLP (attribution patching).

    score[l, n] = -sum over positions of (h_n(corrupted) - h_n(clean)) . dM/dh_n at the clean run,
    h the hidden layer that the output projection reads (after the gate where there is one). Unit
    and sign as `eap`. The units of a layer sum to the edges out of its MLP, unless a post-norm
    bends what lies between.

    Raises
    ------
    ValueError
        No MLPs, MLPs of no known form, another ablation than patching, or no gradient.
    """
    check_differentiable(metric, "neuron_scores")
    if options.ablation != "patching":
        raise ValueError(
            f"neuron scores are defined for patching only, not for {options.ablation!r} ablation."
        )
    layers = model.architecture.layers
    if any(layer.mlp is None or isinstance(layer.mlp, NoMLP) for layer in layers):
        raise ValueError("this model has layers without an MLP, so it has no neurons to score.")
    corrupt = _hidden(model, lambda: corrupt_run(model, batch))[0]
    with frozen(model.hf), torch.enable_grad():
        embeddings = model.architecture.embed(batch.clean)
        clean, at = _hidden(model, lambda: point(model, batch, metric, embeddings, None))
        slopes = torch.autograd.grad(at.metric.sum(), clean)
    keep = role_mask(batch, options)
    keep = batch.mask if keep is None else keep
    scores = [
        ((b - a).detach().float() * g.float() * keep[..., None]).sum(1)
        for a, b, g in zip(clean, corrupt, slopes, strict=True)
    ]
    stacked = torch.stack(scores, dim=1)
    return -stacked if metric.higher_is_better else stacked


def _hidden(model: "Model", run: Any) -> tuple[list[Tensor], Any]:
    """Inputs of the MLPs' output projections during `run`, and what it returned."""
    seen: list[Tensor] = []
    with ExitStack() as stack:
        for layer in model.architecture.layers:
            out = mlp_parts(layer.mlp).out  # type: ignore[arg-type]
            hook = out.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
            stack.enter_context(hook)
        return seen, run()
