"""Baselines that know nothing of the behaviour: random scores, activations or weights alone.

A method that is not clearly better than these says nothing.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from circuitvar.circuits.gradients import patch_values, plain_run, role_mask, window_of
from circuitvar.circuits.model import (
    Model,
    NoMLP,
    destination_weights,
    differences,
    mlp_parts,
    norm_form,
    output_weights,
    weight_matrix,
    writes,
)
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


@torch.no_grad()
def activation_size(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """score[u->v] = sum over real positions of |a_u(patched) - a_u(clean)|, Euclidean norm.

    Unsigned, without the metric or v. Unit: residual stream (native).
    """
    window = window_of(batch, options)
    clean = writes(model.architecture, plain_run(model, batch.clean, batch))
    patch = patch_values(model, batch, options)
    keep = role_mask(batch, options)
    sizes = differences(model.architecture, clean, patch, window, keep).norm(dim=-1)
    per_source = (sizes * batch.mask[:, window]).sum(-1).T
    return per_source[:, torch.from_numpy(model.graph.edge_src).to(per_source.device)]


def random_scores(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """Independent standard normal scores, one stream per (`options.seed`, example id).

    The stream belongs to the example, so batching and order change nothing. Unit: none.
    """
    rows = [
        np.random.default_rng([options.seed, int(example)]).standard_normal(model.graph.n_edges)
        for example in batch.index
    ]
    return torch.from_numpy(np.array(rows, dtype=np.float32)).to(model.device)


def weight_norm(
    model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions
) -> Float[Tensor, "batch edge"]:
    """score[u->v] = |W_out(u) diag(gamma_v) W_in(v)|, Frobenius norm of the virtual weights.

    Virtual weights as in Elhage et al. 2021; gamma_v is the weight of v's norm; `input` writes the
    token embeddings, `logits` reads through the unembedding. A post-norm's weight multiplies
    W_out, its scale does not. The same for every example. Unit: weights (native).
    """
    return virtual_weight_norms(model).expand(len(batch), -1).clone()


# The last model only: the driver asks once per chunk of examples.
@lru_cache(maxsize=1)
@torch.no_grad()
def virtual_weight_norms(model: Model) -> Float[Tensor, " edge"]:
    """Frobenius norm of the virtual weights of every edge."""
    writers, graph = _writers(model), model.graph
    owner = torch.cat([torch.full((len(w),), i) for i, w in enumerate(writers)])
    stacked = torch.cat(writers)
    pairs = stacked.new_zeros(len(graph.sources), len(graph.destinations))
    for column, reader in enumerate(_readers(model)):
        sizes = (stacked @ reader.T).square().sum(1)
        pairs[:, column].index_add_(0, owner.to(sizes.device), sizes)
    pairs = pairs.sqrt()
    return pairs[torch.from_numpy(graph.edge_src), torch.from_numpy(graph.edge_dst)]


def _few_rows(weight: Float[Tensor, "rows d_model"]) -> Float[Tensor, "few d_model"]:
    """A matrix R with R^T R = W^T W, so with the same norms, but at most d_model rows."""
    if weight.shape[0] <= weight.shape[1]:
        return weight.float()
    wide = weight.double()
    values, vectors = torch.linalg.eigh(wide.T @ wide)
    return (values.clamp(min=0).sqrt()[:, None] * vectors.T).float()


def _writers(model: Model) -> list[Float[Tensor, "rows d_model"]]:
    architecture = model.architecture
    writers = [_few_rows(_weight(architecture.embed))]
    for index, layer in enumerate(architecture.layers):
        writers += list(output_weights(architecture, index).float())
        if architecture.has_mlp:
            out = torch.zeros_like(writers[1][:1])
            if layer.mlp is not None and not isinstance(layer.mlp, NoMLP):
                out = weight_matrix(mlp_parts(layer.mlp).out)
            if layer.mlp_post_norm is not None:
                out = out * norm_form(layer.mlp_post_norm, architecture.d_model, out).gamma
            writers.append(_few_rows(out))
    return writers


def _readers(model: Model) -> Iterator[Float[Tensor, "rows d_model"]]:
    """Weights that each destination reads the stream with, its norm's weight included."""
    architecture = model.architecture
    for layer in architecture.layers:
        weights, _ = destination_weights(architecture, layer)
        gamma = norm_form(layer.attn_norm, architecture.d_model, weights).gamma
        yield from weights.float() * gamma
        if architecture.has_mlp:
            joint = torch.zeros_like(weights[0])
            if layer.mlp is not None and not isinstance(layer.mlp, NoMLP):
                parts = mlp_parts(layer.mlp)
                ins = [parts.into] if parts.gate is None else [parts.gate, parts.into]
                joint = torch.cat([weight_matrix(module).T for module in ins])
            yield _few_rows(joint * norm_form(layer.mlp_norm, architecture.d_model, joint).gamma)
    unembed = _weight(architecture.unembed)
    gamma = norm_form(architecture.final_norm, architecture.d_model, unembed).gamma
    yield _few_rows(unembed * gamma)


def _weight(module: nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight
