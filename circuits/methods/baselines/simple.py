"""Baselines: the change of the source, whoever reads it, and random scores.

A method that is not clearly better than these says nothing.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import patch_values, plain_run, role_mask, window_of
from circuitvar.circuits.model import Model, differences, writes
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
