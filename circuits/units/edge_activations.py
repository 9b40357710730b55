"""Edges as units: what one edge contributes to the metric at every token.

The write of a source at a position, projected on the gradient of the metric at what the
destination reads there. Summed over positions this is the edge's EAP score, so a label of an edge
says at which tokens that score arises.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32

from circuitvar.circuits.gradients import (
    check_differentiable,
    contract,
    differentiate,
    frozen,
    patch_values,
    point,
)
from circuitvar.circuits.model import differences, writes
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.tokens import chunks
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model

NUMBERS_AT_ONCE = 20_000_000
"""Contributions of all edges at all positions of a chunk that are held in memory."""


def edge_contributions(
    model: "Model", batch: Batch, edges: Collection[str], *, metric: Metric, ablation: str = "zero"
) -> tuple[Float32[np.ndarray, "batch pos edge"], tuple[str, ...]]:
    """Contribution of each edge to the metric at each position of the clean prompts, and names.

    value[u->v, p] = (a_u(p) - b_u(p)) . dM/dx_v(p), with a_u what u writes at p, b_u what it
    writes when ablated, and x_v the residual stream that v reads, before its norm: the summand of
    edge attribution patching (Syed et al. 2023, arXiv 2310.10348, eq. 2) at one position, which
    sums over positions. Unit: the metric's; positive = without this write the behaviour is worse
    (the sign of `EdgeScores`). p is the query's position for `<q>`, the key's for `<k>` and `<v>`.

    Args:
        edges: names such as `a0.h1->m2`, for example `Circuit.edge_names`; in this order.
        ablation: `zero` (b = 0), so that values depend on the clean prompt alone, or `patching`
            (b from the corrupted twin), which is 0 before the twins differ.

    Raises
    ------
    ValueError
        No edges, an unknown edge, another ablation, or a metric without a useful gradient.
    """
    if ablation not in ("zero", "patching"):
        raise ValueError(f"ablation is {ablation!r}; contributions of edges are zero or patching.")
    if not len(edges):
        raise ValueError("no edges to read; name at least one, or pass a circuit that has some.")
    check_differentiable(metric, "edge contributions")
    if metric.needs_reference:
        raise ValueError(
            f"metric {metric.key!r} is at its minimum at the clean run, so every contribution "
            "would be 0; use a metric such as logit_diff."
        )
    graph = model.graph
    columns = graph.columns(list(edges))
    per_token = len(graph.sources) * len(graph.destinations)
    size = max(1, NUMBERS_AT_ONCE // (per_token * batch.clean.shape[1]))
    flat = torch.from_numpy(
        graph.edge_src[columns] * len(graph.destinations) + graph.edge_dst[columns]
    )
    sign = 1.0 if metric.higher_is_better else -1.0
    options = ScoreOptions(ablation=ablation)  # pyright: ignore[reportArgumentType]
    parts = []
    for part in chunks(batch, size):
        pairs = _per_position(model, part, metric, options)
        parts.append((sign * pairs[..., flat.to(pairs.device)]).float().cpu())
    return torch.cat(parts).numpy(), tuple(edges)


def _per_position(
    model: "Model", batch: Batch, metric: Metric, options: ScoreOptions
) -> Float[torch.Tensor, "batch pos pair"]:
    """Clean minus ablated write times gradient, for all source and destination pairs."""
    everywhere = slice(0, batch.clean.shape[1])
    with frozen(model.hf), torch.enable_grad():
        at = point(model, batch, metric, model.architecture.embed(batch.clean), None)
        path = differentiate(model, at, everywhere)
    with torch.no_grad():
        patch = patch_values(model, batch, options)
        deltas = differences(
            model.architecture, writes(model.architecture, at.trace), patch, everywhere
        )
        # Each position as an example of its own, so that nothing is summed over positions.
        tokens = contract(model.architecture, deltas.flatten(1, 2)[:, :, None], path)
    return -tokens.flatten(1).unflatten(0, tuple(batch.clean.shape))
