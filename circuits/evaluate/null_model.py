"""The strongest null: the same architecture without what training put into it.

A finding that also holds on a model with shuffled weights says something about the method, not
about the model.
"""

import copy

import numpy as np
import torch
from jaxtyping import Bool, Float

from circuitvar.circuits.loading import wrap
from circuitvar.circuits.model import Model
from circuitvar.circuits.run import circuit_scores
from circuitvar.circuits.types import Ablation
from circuitvar.tasks.types import Batch, Metric

Mask = Bool[np.ndarray, " edge"]


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
    twin = wrap(hf, name=name, tokenizer=model.tokenizer, revision=model.revision)
    return twin if model.store is None else twin.keeping(model.store)


def relative_effects(
    model: Model, kept: Mask, batch: Batch, *, metric: Metric | str, ablation: Ablation = "patching"
) -> tuple[float, float]:
    """(distance of the circuit, damage of its knock-out), each relative to the empty circuit.

    mean (s(C) - s(M))^2 / mean (s(empty) - s(M))^2, and the same with the complement of C: 0 and 1
    for an ideal circuit. Relative, because a shuffled model has another scale of scores. NaN when
    the empty circuit scores as the model does.
    """
    kept = np.asarray(kept, dtype=bool)
    masks = np.stack([kept, ~kept, np.zeros_like(kept)])
    scores, full = circuit_scores(model, masks, batch, metric=metric, ablation=ablation)
    inside, outside, empty = ((scores - full) ** 2).mean(axis=1)
    return (inside / empty, outside / empty) if empty > 0 else (float("nan"), float("nan"))


def random_weight_effects(
    model: Model,
    kept: Mask,
    batch: Batch,
    draws: int,
    *,
    metric: Metric | str,
    ablation: Ablation = "patching",
    rng: np.random.Generator,
) -> Float[np.ndarray, "draw effect"]:
    """`relative_effects` of one circuit on `draws` models with shuffled weights.

    Shuffled models on which ablating everything changes no score are left out: they have nothing
    to localise. So the result may have fewer rows than `draws`.
    """
    models = (random_weight_model(model, rng=rng) for _ in range(draws))
    rows = np.array(
        [relative_effects(m, kept, batch, metric=metric, ablation=ablation) for m in models]
    )
    rows = rows[~np.isnan(rows).any(axis=1)]
    if not len(rows):
        raise ValueError(
            "every model with shuffled weights scores clean and ablated prompts alike, so nothing "
            "can be compared with it; use another null family"
        )
    return rows
