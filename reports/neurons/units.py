"""Units that a neuron audit can label, by name, with the other data their labels are tried on."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from circuitvar.audit.neurons.data import ProbingSet, take_units

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.audit.neurons.data import TokenConcepts
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric, PromptPair, Task

UNITS = {
    "neurons": "MLP neurons after the activation function (gated: times the linear factor)",
    "pre": "MLP neurons before the activation function",
    "gate": "gates of gated MLP neurons, after the activation function",
    "up": "linear factors of gated MLP neurons",
    "heads": "attention of heads from the read-out position to each key position",
    "heads-output": "outputs of heads along a direction of the residual stream",
    "edges": "edges of a circuit: their contribution to the metric at each token",
}
NOUNS = {
    "neurons": "neurons",
    "pre": "neurons before activation",
    "gate": "gates",
    "up": "linear factors",
    "heads": "heads",
    "heads-output": "head outputs",
    "edges": "edges",
}
"""What the units of each kind are called in a sentence."""
DEFAULT_UNITS = ("neurons", "heads")


@dataclass(frozen=True)
class UnitChoice:
    """Which units to audit, and what defines those that need it."""

    kinds: tuple[str, ...] = DEFAULT_UNITS
    """Keys of `UNITS`."""
    direction: str = "logit-difference"
    """For `heads-output`: logit-difference, answer, wrong-answer, or a file of one vector."""
    circuit: str | None = None
    """For `edges`: a shipped circuit, planted:KEY, or a file of edges."""
    size: int | None = None
    """Edges taken from a file of scores without a circuit."""
    edge_names: tuple[str, ...] = field(default=(), repr=False)
    """Filled in from `circuit`."""

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in UNITS]
        if unknown or not self.kinds:
            raise ValueError(
                f"unknown units {', '.join(unknown) or '(none)'}; choose from {', '.join(UNITS)}."
            )
        if "edges" in self.kinds and not (self.circuit or self.edge_names):
            raise ValueError("units `edges` are those of a circuit; name one with --circuit.")


def unit_probing_set(
    kind: str,
    model: "Model",
    batch: "Batch",
    concepts: "TokenConcepts",
    choice: UnitChoice,
    metric: "Metric",
) -> ProbingSet:
    """Activations of one kind of units on a batch, beside its concepts."""
    from circuitvar.audit.neurons.on_models import (
        attention_probing_set,
        edge_probing_set,
        head_output_probing_set,
        named_direction,
        neuron_probing_set,
    )

    if kind == "heads":
        return attention_probing_set(model, batch, concepts)
    if kind == "heads-output":
        along = named_direction(model, batch, choice.direction)
        return head_output_probing_set(model, batch, concepts, along)
    if kind == "edges":
        return edge_probing_set(model, batch, concepts, choice.edge_names, metric=metric)
    point = "post" if kind == "neurons" else kind
    return neuron_probing_set(model, batch, concepts, point=point)


@dataclass(frozen=True, eq=False)
class OtherSamples:
    """Batches of the task's name pools and other trained models, read before any audit."""

    pools: "dict[str, tuple[Batch, TokenConcepts]]"
    models: "dict[str, Model]"


def other_samples(
    task: "Task",
    model: "Model",
    n: int,
    *,
    rng: np.random.Generator,
    other_models: tuple[str, ...],
    device: str = "cpu",
) -> OtherSamples:
    """Draw a batch from each disjoint name pool, and load the other models.

    Raises
    ------
    ValueError
        A pool has too few usable prompts, or a model cannot be loaded.
    """
    from circuitvar.circuits.loading import load_model
    from circuitvar.tasks.tokens import sample_batch

    pools = {}
    for name in task.pools:
        if name != "all":
            found, pairs = sample_batch(task, n, model, rng=rng, pool=name)
            pools[name] = (found.batch, every_concept(model, found.batch, pairs))
    models = {}
    for name in other_models:
        models[name] = load_model(name, device=device)
        if _vocabulary(models[name]) != _vocabulary(model):
            raise ValueError(
                f"model {name!r} has another tokenizer than {model.name!r}; labels are compared "
                "on the same tokens, so name models that share one."
            )
    return OtherSamples(pools, models)


def _vocabulary(model: "Model") -> object:
    return None if model.tokenizer is None else model.tokenizer.get_vocab()


def every_concept(
    model: "Model", batch: "Batch", pairs: "tuple[PromptPair, ...]"
) -> "TokenConcepts":
    """All concepts of a batch, however rare, so that those of another batch can be looked up."""
    import torch

    from circuitvar.audit.neurons.data import token_concepts

    # `pairs` are in the order of the batch, whose index may point into a longer list.
    own = replace(batch, index=torch.arange(len(batch)))
    return token_concepts(own, model.tokenizer, pairs=pairs, n_tokens=10**9, min_prompts=0)


def pool_data(
    data: ProbingSet, other: OtherSamples, read: "Callable[[Batch, TokenConcepts], ProbingSet]"
) -> dict[str, dict[str, ProbingSet]]:
    """The units of `data` on the prompts of every name pool, with the same concept columns."""
    from circuitvar.audit.neurons.on_models import align_columns

    pools = {}
    for name, (batch, concepts) in other.pools.items():
        there = read(batch, concepts)
        index = {unit: i for i, unit in enumerate(there.units)}
        pools[f"pool {name}"] = replace(
            take_units(there, np.array([index[unit] for unit in data.units])),
            concepts=align_columns(concepts, data).astype(np.float32),
            names=data.names,
        )
    return {"name pool": pools}


def sibling_models(name: str) -> tuple[str, ...]:
    """The pocket models of the other training seeds, for a pocket model; else none.

    >>> sibling_models("pocket:3")
    ('pocket:0', 'pocket:1', 'pocket:2', 'pocket:4')
    """
    from circuitvar.tasks.pocket import SEEDS

    own, _, seed = name.partition(":")
    if own != "pocket":
        return ()
    return tuple(f"pocket:{other}" for other in SEEDS if str(other) != (seed or "0"))
