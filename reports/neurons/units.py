"""Units that a neuron audit can label, by name, with the other data their labels are tried on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from circuitvar.audit.neurons.data import ProbingSet, take_units
from circuitvar.reports.options import NeuronChoice

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.audit.neurons.data import TokenConcepts
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric, PromptPair, Task

UNITS = {
    "neurons": "neurons",
    "pre": "neurons before activation",
    "gate": "gates",
    "up": "linear factors",
    "heads": "heads",
    "heads-output": "head outputs",
    "edges": "edges",
}
"""What units are called in a sentence; the help of `--units` says what they are."""


def unit_kinds(choice: NeuronChoice) -> tuple[str, ...]:
    """The kinds of units that were asked for, keys of `UNITS`."""
    kinds = tuple(part.strip() for part in choice.units.split(","))
    unknown = [kind for kind in kinds if kind not in UNITS]
    if unknown:
        raise ValueError(f"unknown units {', '.join(unknown)}; choose from {', '.join(UNITS)}.")
    if "edges" in kinds and not choice.circuit:
        raise ValueError("units `edges` are those of a circuit; name one with --circuit.")
    return kinds


def unit_probing_set(
    kind: str,
    model: "Model",
    batch: "Batch",
    concepts: "TokenConcepts",
    *,
    direction: str,
    edges: tuple[str, ...],
    metric: "Metric",
) -> ProbingSet:
    """Activations of one kind of units on a batch, beside its concepts."""
    from circuitvar.audit.neurons.on_models import named_direction, token_probing_set
    from circuitvar.circuits import units

    if kind == "heads":
        found = units.readout_attention(model, batch)
    elif kind == "heads-output":
        along = named_direction(model, batch, direction)
        found = units.head_outputs_along(model, batch, along)
    elif kind == "edges":
        found = units.edge_contributions(model, batch, edges, metric=metric)
    else:
        point = "post" if kind == "neurons" else kind
        found = units.mlp_neurons(model, batch, point=point)
    return token_probing_set(*found, batch, concepts)


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
    from circuitvar.audit.neurons.data import token_concepts

    return token_concepts(batch, model.tokenizer, pairs=pairs, n_tokens=10**9, min_prompts=0)


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
