"""Differentiable forward pass of a soft circuit: every edge carries a weight between 0 and 1.

x_v = base_v + sum over u of w_uv (a_u - ablated_u). With 0/1 weights this is the circuit's run,
computed the plain way: every node, every layer, nothing shared. It serves the finders that
optimise masks, the fitting of constants, and as a second oracle of the fast path.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model import Model, destination_weights, run_mlp
from circuitvar.circuits.run.ablated_run import Backdrop, head_shares
from circuitvar.circuits.run.circuit_heads import attend_heads
from circuitvar.circuits.run.circuit_state import at_read_out


def edge_matrix(graph: Graph, weights: Float[Tensor, " edge"]) -> Float[Tensor, "src dst"]:
    """Edge weights as a matrix over sources and destinations; 0 where there is no edge."""
    matrix = weights.new_zeros(graph.exists.shape)
    where = (torch.as_tensor(graph.edge_src), torch.as_tensor(graph.edge_dst))
    return matrix.index_put(where, weights)


def soft_final_stream(
    model: Model, backdrop: Backdrop, weights: Float[Tensor, " edge"]
) -> Float[Tensor, "batch d_model"]:
    """Stream that the logits read at the read-out position.

    Differentiable in the weights, and in the backdrop's constants that require a gradient.
    """
    graph, architecture = model.graph, model.architecture
    matrix = edge_matrix(graph, weights)
    deltas = [backdrop.input_delta[None]]
    for index, layer in enumerate(architecture.layers):
        deltas.append(_heads(backdrop, graph, matrix, deltas, index))
        if graph.has_mlp:
            base = backdrop.layers[index]
            here = slice(backdrop.first, None)
            column = graph.destination_index[f"m{index}"]
            before = deltas[:-1] if graph.parallel else deltas
            mid = _read(matrix, before, [column])[0] + base.mid[:, here]
            ablated = base.mlp if base.mlp_values is None else base.mlp_values
            deltas.append((run_mlp(layer, mid)[2] - ablated[:, here])[None])
    total = _read(matrix, deltas, [len(graph.destinations) - 1])[0]
    return backdrop.final + at_read_out(backdrop, total)


def _read(
    matrix: Float[Tensor, "src dst"], deltas: list[Tensor], columns: list[int]
) -> Float[Tensor, "read batch pos d_model"]:
    values = torch.cat(deltas)
    return torch.einsum("sv,sbpd->vbpd", matrix[: len(values), columns], values)


def _heads(
    backdrop: Backdrop,
    graph: Graph,
    matrix: Float[Tensor, "src dst"],
    deltas: list[Tensor],
    index: int,
) -> Float[Tensor, "head batch pos d_model"]:
    architecture, base = backdrop.architecture, backdrop.layers[index]
    layer = architecture.layers[index]
    here = slice(backdrop.first, None)
    weights, biases = destination_weights(architecture, layer)
    offset = graph.destination_index[f"a{index}.h0<q>"]
    columns = list(range(offset, offset + len(weights)))
    stream = _read(matrix, deltas, columns) + base.x[:, here]
    out = torch.einsum("vbpd,ved->vbpe", layer.attn_norm(stream), weights)
    out = (out + biases[:, None, None]).unbind(0)
    n, kv = graph.n_heads, graph.kv_heads
    q, k, v = out[:n], out[n : n + kv], out[n + kv :]
    group = n // kv
    heads = list(range(n))
    keys, values = ([part[h // group] for h in heads] for part in (k, v))
    z = attend_heads(backdrop, index, heads, (list(q), keys, values), last=False)
    written = head_shares(architecture, layer, z)
    ablated = (
        head_shares(architecture, layer, base.z[:, here])
        if base.head_values is None
        else base.head_values[:, here]
    )
    return (written - ablated).permute(2, 0, 1, 3)
