"""The strongest null: the same architecture without what training put into it.

A finding that also holds on a model with shuffled weights says something about the method, not
about the model.
"""

import copy

import numpy as np
import torch

from circuitvar.circuits.model import Model, wrap


def random_weight_model(model: Model, *, rng: np.random.Generator) -> Model:
    """A copy whose weight matrices are shuffled entry by entry; biases and norms are kept.

    Shuffling keeps the scale and the distribution of every matrix, which fresh initialisation
    does not. Tied matrices stay tied.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    hf = copy.deepcopy(model.hf)
    with torch.no_grad():
        for parameter in hf.parameters():
            if parameter.ndim >= 2:
                order = torch.randperm(parameter.numel(), generator=generator)
                flat = parameter.flatten()
                parameter.copy_(flat[order.to(flat.device)].view_as(parameter))
    name = f"{model.name} with shuffled weights"
    return wrap(hf, name=name, tokenizer=model.tokenizer, revision=model.revision)
