"""EAP with conductance: each step's gradient meets the change of the source over that step."""

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import (
    PathGradients,
    clean_logits,
    differentiate,
    edge_scores,
    frozen,
    plain_run,
    point,
    role_mask,
    window_of,
)
from circuitvar.circuits.methods.gradient.eap_ig_inputs import integration_rule
from circuitvar.circuits.model import Model, Writes, corrupt_embeddings, writes
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


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
    alphas = [*integration_rule("left", options.steps)[0].tolist(), 1.0]
    architecture, window = model.architecture, window_of(batch, options)
    start = corrupt_embeddings(architecture, batch).detach()
    clean_trace = plain_run(model, batch.clean, batch)
    reference = clean_logits(model, batch, clean_trace) if metric.needs_reference else None
    line = clean_trace.embeddings - start
    end = writes(architecture, clean_trace)
    total: Tensor | None = None
    before: tuple[Writes, PathGradients] | None = None
    for alpha in alphas:
        if alpha == 1.0:
            here, step = end, None
        else:
            with frozen(model.hf), torch.enable_grad():
                at = point(model, batch, metric, start + alpha * line, reference)
                step = differentiate(model, at, window)
            with torch.no_grad():
                here = writes(architecture, at.trace)
        if before is not None:
            # Towards the clean run, so the earlier point is the patched value.
            part = edge_scores(
                model, metric, here, before[0], before[1], window, role_mask(batch, options)
            )
            total = part if total is None else total + part
        if step is not None:
            before = (here, step)
    assert total is not None
    return total
