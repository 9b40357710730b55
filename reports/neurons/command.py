"""Audit the neurons, heads and edges of a model on a task and write tables, figures and cards.

Writes to `out`: a folder per kind of unit (`neurons/`, `heads/`, ...) with one CSV per frame,
`figures/`, `cards.md`, `neurons.json` and `section.json`. Frames are unrounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import NeuronAudit, ProbingSet, take_units
from circuitvar.audit.neurons.run import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.views import error_curve
from circuitvar.reports.named import resolve_task
from circuitvar.reports.neurons.record import NeuronRun
from circuitvar.reports.neurons.units import (
    OtherSamples,
    UnitChoice,
    every_concept,
    other_samples,
    pool_data,
    sibling_models,
    unit_probing_set,
)
from circuitvar.reports.neurons.write import write_neurons

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric, PromptPair

FORMAT = 2


def run_neurons(
    task: str,
    model: str = "pocket",
    out: Path | str | None = None,
    *,
    prompts: int = 192,
    held_out: int = 96,
    substituted: int = 8,
    seed: int = 0,
    device: str = "cpu",
    options: NeuronOptions | None = None,
    units: UnitChoice | None = None,
    other_models: tuple[str, ...] | None = None,
    workers: int = 1,
) -> NeuronRun:
    """Label every MLP neuron and head of `model` on `task`; write a report folder to `out`.

    Parameters
    ----------
    task
        Key, or a user's own `module:attribute`.
    prompts
        Prompts of the probing set; `held_out` more for substitution scores.
    substituted
        best-explained neurons whose explanation is put in their place.
    units
        Other units than neurons and heads, such as the edges of a circuit.
    other_models
        Models of other training seeds, with the same tokenizer; by default those of the pocket
        model. Units are matched; edges are not compared across seeds.
    out
        Folder to write; None writes nothing.
    workers
        Threads that share the units; they change no number.

    Raises
    ------
    ValueError
        Unknown task, model or units, or too few usable prompts.
    """
    from circuitvar.circuits.loading import load_model
    from circuitvar.reports.named import resolve_circuit
    from circuitvar.tasks.tokens import get_metric, sample_batch

    options, choice = replace(options or NeuronOptions(), seed=seed), units or UnitChoice()
    chosen, loaded = resolve_task(task, None), load_model(model, device=device)
    if choice.circuit is not None:
        found = resolve_circuit(choice.circuit, loaded, size=choice.size)
        choice = replace(choice, edge_names=found.circuit.edge_names)
    probe, other, choose, pools = np.random.default_rng(seed).spawn(4)
    drawn, pairs = sample_batch(chosen, prompts, loaded, rng=probe)
    held, held_pairs = sample_batch(chosen, held_out, loaded, rng=other)
    batch, held_batch = drawn.batch, held.batch
    siblings = sibling_models(model) if other_models is None else other_models
    elsewhere = OtherSamples({}, {})
    if options.perturbations is not None:
        elsewhere = other_samples(
            chosen, loaded, len(batch), rng=pools, other_models=siblings, device=device
        )
    metric, held_pair = get_metric(chosen.metric), (held_batch, held_pairs)
    read = partial(unit_probing_set, choice=choice, metric=metric)
    data, parts = _audit(
        loaded, (batch, pairs), read, choice.kinds, options, elsewhere, workers=workers
    )
    replaced = pd.DataFrame()
    if "neurons" in parts:
        neurons = data["neurons"], parts["neurons"]
        replaced = _substitution(loaded, metric, *neurons, held_pair, choose, options, substituted)
    first = choice.kinds[0]
    run = NeuronRun(parts, replaced, _bounds(data[first], parts[first], choose, options))
    run.provenance.update(
        task=task,
        model=model,
        model_digest=loaded.digest,
        seed=seed,
        format=FORMAT,
        prompts=len(batch),
        held_out=len(held_batch),
        units=list(choice.kinds),
        other_models=list(elsewhere.models),
    )
    if "edges" in choice.kinds:
        run.provenance.update(circuit=choice.circuit, edges=len(choice.edge_names))
    if "heads-output" in choice.kinds:
        run.provenance.update(direction=choice.direction)
    if out is not None:
        write_neurons(run, Path(out))
    return run


OTHER_INCLUSION = 20
"""Resamples of linear explanations of units that are not MLP neurons; a fit takes as long for 16
units as for 64. The standard error of an inclusion frequency is then at most .11."""


def _audit(
    model: "Model",
    probe: "tuple[Batch, tuple[PromptPair, ...]]",
    read_units: Callable[..., ProbingSet],
    kinds: Sequence[str],
    options: NeuronOptions,
    elsewhere: OtherSamples,
    *,
    workers: int,
) -> tuple[dict[str, ProbingSet], dict[str, NeuronAudit]]:
    """Probing set and audit of every kind of units; those beside MLP neurons get less work."""
    from circuitvar.audit.neurons.data import token_concepts
    from circuitvar.audit.neurons.on_models import live_units

    inclusion = min(options.inclusion_replicates, OTHER_INCLUSION)
    lighter = replace(options, self_check=False, inclusion_replicates=inclusion)
    batch = probe[0]
    concepts = token_concepts(batch, model.tokenizer, pairs=probe[1])
    data, parts = {}, {}
    for kind in kinds:
        read = partial(read_units, kind)
        data[kind] = live_units(read(model, batch, concepts))
        siblings = {} if kind == "edges" else elsewhere.models
        parts[kind] = audit_neurons(
            data[kind],
            options if kind == "neurons" else lighter,
            other_data=pool_data(data[kind], elsewhere, partial(read, model)),
            other_models={name: read(other, batch, concepts) for name, other in siblings.items()},
            workers=workers,
        )
    return data, parts


SHORTLIST = 4
"""Candidates per neuron that is replaced."""


def _substitution(
    model: "Model",
    metric: "Metric",
    data: ProbingSet,
    audit: NeuronAudit,
    held: "tuple[Batch, tuple[PromptPair, ...]]",
    rng: np.random.Generator,
    options: NeuronOptions,
    count: int,
) -> pd.DataFrame:
    """Replace the best-explained neurons by their linear explanation on held-out prompts."""
    from circuitvar.audit.neurons.linear import linear_explanations
    from circuitvar.audit.neurons.on_models import align_columns, substitution_scores
    from circuitvar.audit.neurons.run import distinct_concepts

    if options.linear is None or not count:
        return pd.DataFrame()
    distinct = distinct_concepts(data, options.concepts)
    # Only units that simulated well in the audit, which left out templates, are fitted again.
    simulated = audit.units["linear_test"].fillna(-1.0).to_numpy(dtype=float)
    shortlist = np.sort(np.argsort(-simulated, kind="stable")[: SHORTLIST * count])
    found = linear_explanations(take_units(distinct, shortlist), rng=rng, options=options.linear)
    own = tuple(held[1][int(i)] for i in held[0].index)
    tokens = every_concept(model, held[0], own)
    columns = align_columns(tokens, distinct)
    order = np.argsort(-np.nan_to_num(found.test, nan=-1.0), kind="stable")
    units = [found.units[i] for i in order[:count] if found.length[i]]
    if not units:
        return pd.DataFrame()
    each, joint = substitution_scores(
        model, held[0], metric, tokens, columns, found, units, rng=rng
    )
    correlation = dict(zip(found.units, found.test, strict=True))
    return pd.DataFrame(
        {
            "unit": name,
            "substitution": score.value,
            "se": score.se,
            "low": score.low,
            "high": score.high,
            "prompts": score.n,
            "simulation_correlation": correlation.get(name, float("nan")),
        }
        for name, score in {**each, f"all {len(units)} together": joint}.items()
    )


CURVES_TRIED = 50
"""Units looked at for one whose score varies between draws of prompts at every size."""


def _bounds(
    data: ProbingSet, audit: NeuronAudit, rng: np.random.Generator, options: NeuronOptions
) -> pd.DataFrame:
    """Error against bounds for the best-supported unit whose error is not 0 by design.

    A unit that the template determines has the same score on every draw, so a curve of its error
    would be empty. If the first `CURVES_TRIED` units are all of that kind, the first is shown.
    """
    held_out = audit.units["held_out"].to_numpy(dtype=float)
    order = [int(u) for u in np.argsort(-held_out, kind="stable") if np.isfinite(held_out[u])]
    curves = []
    for unit in order[:CURVES_TRIED]:
        name = str(audit.units["label"].iloc[unit]).split(" = ")[0].removeprefix("not ")
        curve = error_curve(
            data,
            unit,
            data.names.index(name),
            rng=rng,
            concepts=int(audit.aliases["eligible"].to_numpy().sum()),
            options=options.concepts,
        )
        if (curve["error"].to_numpy(dtype=float) > 0).all():
            return curve
        curves.append(curve)
    return curves[0] if curves else pd.DataFrame()
