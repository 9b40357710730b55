"""Information-flow routes: how much of a destination's input is due to each source."""

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import edges_of_pairs, plain_run
from circuitvar.circuits.model import Model, differences, writes
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


@torch.no_grad()
def information_flow_routes(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Share of each source in the input of each destination (Ferrando & Voita 2024, 2403.00824).

    prox_u = max(0, |x_v|_1 - |x_v - a_u|_1) per position (their eq. 8), divided by its sum over
    the sources of v, averaged over real positions. Clean run only: neither the metric nor the
    corrupted prompt matters. Where no source contributes the share is 0. q, k and v of a layer read
    the same stream and get the same shares. Unit: share (native, unsigned).
    """
    graph, real = model.graph, batch.mask
    trace = plain_run(model, batch.clean, batch)
    kept = writes(model.architecture, trace)
    outputs = -differences(model.architecture, kept, None, slice(0, batch.clean.shape[1]))
    pairs = outputs.new_zeros(len(batch), len(graph.sources), len(graph.destinations))
    shares: dict[tuple[str, int], Tensor] = {}
    for column, node in enumerate(graph.destinations):
        place = (node.kind, node.layer)
        if place not in shares:
            layer = trace.layers[node.layer] if node.kind != "logits" else None
            x = trace.final if layer is None else layer.mid if node.kind == "mlp" else layer.x
            shares[place] = _shares(x.float(), outputs[: graph.n_sources_before(node)], real)
        pairs[:, : shares[place].shape[1], column] = shares[place]
    return edges_of_pairs(graph, pairs)


def _shares(
    x: Float[Tensor, "batch pos d_model"],
    outputs: Float[Tensor, "src batch pos d_model"],
    real: Tensor,
) -> Float[Tensor, "batch src"]:
    size = x.abs().sum(-1)
    prox = torch.stack([(size - (x - a).abs().sum(-1)).clamp(min=0) for a in outputs], dim=1)
    total = prox.sum(1, keepdim=True)
    share = prox / torch.where(total > 0, total, 1.0)
    return (share * real[:, None]).sum(-1) / real.sum(-1)[:, None]
