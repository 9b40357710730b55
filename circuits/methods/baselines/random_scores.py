"""Baseline: random scores. A method that is not clearly better than this says nothing."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.model import Model
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric


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
