"""EAP-IG (inputs): gradients averaged along the line from corrupted to clean embeddings."""

import numpy as np
import torch
from jaxtyping import Float

from circuitvar.circuits.gradients import (
    PathGradients,
    add,
    clean_logits,
    corrupt_run,
    differentiate,
    edge_scores,
    frozen,
    metric_of,
    plain_run,
    point,
    role_mask,
    window_of,
)
from circuitvar.circuits.model import Model, corrupt_embeddings, writes
from circuitvar.circuits.types import Scored, ScoreOptions
from circuitvar.tasks.types import Batch, Metric


def integration_rule(
    rule: str, steps: int
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Points on [0, 1] (0 = corrupted, 1 = clean) and weights that sum to 1.

    >>> integration_rule("left", 4)[0].tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    if steps < 1:
        raise ValueError(f"integration needs at least 1 step, not {steps}.")
    if rule == "left":
        return np.arange(steps) / steps, np.full(steps, 1.0 / steps)
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1.0 / steps)
    if rule == "gauss-legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1.0) / 2.0, weights / 2.0
    raise ValueError(f"integration rule must be left, midpoint or gauss-legendre, not {rule!r}.")


def eap_ig_inputs(model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions) -> Scored:
    """EAP with gradients integrated along the inputs (Hanna et al. 2024, arXiv 2403.17806, eq. 3).

    score[u->v] = -sum_k w_k sum over positions of (a_u(corrupted) - a_u(clean)) . dM/dx_v at the
    run on e_corrupted + alpha_k (e_clean - e_corrupted), e the token embeddings. The default rule
    is that of the published code: alpha = 0, 1/m, ..., (m-1)/m, corrupted end included (the
    paper's sum runs 1 ... m). Unit and sign as `eap`.

    Raises
    ------
    ValueError
        The metric has no gradient, fewer than one step, or an unknown rule.
    """
    alphas, weights = integration_rule(options.rule, options.steps)
    architecture = model.architecture
    window = window_of(batch, options)
    clean_trace = plain_run(model, batch.clean, batch)
    reference = clean_logits(model, batch, clean_trace) if metric.needs_reference else None
    clean = writes(architecture, clean_trace)
    before = metric_of(model, batch, metric, clean_trace, reference)
    start = corrupt_embeddings(architecture, batch).detach()
    line = clean_trace.embeddings - start
    del clean_trace
    path: PathGradients | None = None
    patch = after = None
    for alpha, weight in zip(alphas.tolist(), weights.tolist(), strict=True):
        with frozen(model.hf), torch.enable_grad():
            at = point(model, batch, metric, start + alpha * line, reference)
            step = differentiate(model, at, window, weight=weight * options.steps)
        if alpha == 0.0:
            # The first point is the corrupted run itself.
            with torch.no_grad():
                patch, after = writes(architecture, at.trace), at.metric.detach()
        path = step if path is None else add(path, step)
        del at
    if patch is None:
        corrupt = corrupt_run(model, batch)
        patch = writes(architecture, corrupt)
        after = metric_of(model, batch, metric, corrupt, reference)
    assert path is not None
    return Scored(
        edge_scores(model, metric, clean, patch, path, window, role_mask(batch, options)),
        before,
        after,
    )
