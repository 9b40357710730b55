"""Second-order attribution: EAP plus the curvature of the metric along each edge."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.methods.gradient.eap import eap
from circuitvar.circuits.methods.patching import prepare, scores_of
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric

STEP = 0.2
"""Length of the step along an edge, as a share of the whole patch: long enough that rounding in
float32 stays small against the second difference, short enough that it is a second derivative."""


def second_order(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> tuple[Float[Tensor, "batch edge"], Float[Tensor, "batch edge"]]:
    """(first-order, second-order) terms of the damage of patching each edge.

    The second is d'Hd/2 with H the Hessian of the metric in x_v and d the change of u, taken as
    the second difference [M(x_v + t d) - 2 M(x_v) + M(x_v - t d)] / (2 t^2) of resumed runs: one
    Hessian-vector product per edge by reverse mode would cost as much.
    """
    first = eap(model, batch, metric=metric, options=replace(options, edges=None)).values
    if options.edges is not None:
        first = first[:, list(options.edges)]
    patching = prepare(model, batch, metric, options)
    ahead, behind = (
        scores_of(model, replace(patching, deltas=t * patching.deltas), options)
        for t in (STEP, -STEP)
    )
    return first, (ahead + behind) / (2.0 * STEP**2)


def hvp(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """EAP with its second-order correction: g.d + d'Hd/2, as damage. See `second_order`.

    Ours, after the Taylor expansion behind attribution patching (Nanda 2023; Syed et al. 2023,
    arXiv 2310.10348). Unit and sign as `eap`. Cost: that of EAP and twice that of `exact`, so it
    is a diagnosis of the linear approximation, not a cheaper substitute for patching.
    """
    first, second = second_order(model, batch, metric=metric, options=options)
    return first + second
