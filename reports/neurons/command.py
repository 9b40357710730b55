"""Audit the neurons, heads and edges of a model on a task and write tables, figures and cards.

Writes to `out`: a folder per kind of unit (`neurons/`, `heads/`, ...) with one CSV per frame,
`figures/`, `cards.md`, `neurons.json` and `section.json`. Frames are unrounded.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import NeuronAudit, ProbingSet, take_units
from circuitvar.audit.neurons.run import NeuronOptions, audit_neurons, distinct_concepts
from circuitvar.audit.neurons.views import error_curve
from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.items import RUNS
from circuitvar.reports.named import resolve_task
from circuitvar.reports.neurons.units import (
    OtherSamples,
    every_concept,
    other_samples,
    pool_data,
    sibling_models,
    unit_kinds,
    unit_probing_set,
)
from circuitvar.reports.neurons.write import NeuronRun, write_neurons
from circuitvar.reports.options import NeuronChoice
from circuitvar.reports.tables import kept_tables

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric, PromptPair

FORMAT = 2


def run_neurons(
    task: str,
    model: str = "pocket",
    out: Path | str | None = None,
    choice: NeuronChoice = NeuronChoice(),
    *,
    options: NeuronOptions | None = None,
    substituted: int = 8,
    device: str = "cpu",
) -> NeuronRun:
    """Label MLP neurons, heads or edges of `model` on `task`; write a report folder to `out`.

    Parameters
    ----------
    task
        Key, or a user's own `module:attribute`.
    out
        Folder to write; None writes nothing.
    choice
        Units, prompts and seed. Labels are compared with `other_models` (the same tokenizer; by
        default the siblings of a pocket model); edges are not compared across seeds.
    options
        What the audit runs; seed and formulas are those of `choice`, where it asks for any.
    substituted
        Best-explained neurons whose explanation is put in their place.

    Raises
    ------
    ValueError
        Unknown task, model or units, or too few usable prompts.
    """
    from circuitvar.circuits.loading import load_model
    from circuitvar.reports.named import resolve_circuit
    from circuitvar.tasks.tokens import get_metric, sample_batch

    kinds, options = unit_kinds(choice), options or NeuronOptions()
    longest = choice.compositions or options.compositions
    options = replace(options, seed=choice.seed, compositions=longest)
    store = None if out is None else Path(out) / RUNS
    chosen, loaded = resolve_task(task, None), load_model(model, device=device).keeping(store)
    edges: tuple[str, ...] = ()
    if choice.circuit is not None:
        edges = resolve_circuit(choice.circuit, loaded, size=choice.size).circuit.edge_names
    probe, other, choose, pools = np.random.default_rng(choice.seed).spawn(4)
    drawn, pairs = sample_batch(chosen, choice.prompts, loaded, rng=probe)
    held, held_pairs = sample_batch(chosen, choice.heldout, loaded, rng=other)
    batch, held_batch = drawn.batch, held.batch
    siblings = sibling_models(model) if choice.other_models is None else choice.other_models
    elsewhere = OtherSamples({}, {})
    if options.perturbations is not None:
        elsewhere = other_samples(
            chosen, loaded, len(batch), rng=pools, other_models=siblings, device=device
        )
    metric, held_pair = get_metric(chosen.metric), (held_batch, held_pairs)
    read = partial(unit_probing_set, direction=choice.direction, edges=edges, metric=metric)
    data, parts = _audit(
        loaded, (batch, pairs), read, kinds, options, elsewhere, workers=choice.workers
    )

    def last() -> dict[str, pd.DataFrame]:
        replaced, first = pd.DataFrame(), kinds[0]
        if "neurons" in parts:
            neurons = data["neurons"], parts["neurons"], held_pair
            replaced = _substitution(loaded, metric, *neurons, choose, options, substituted)
        bounds = _bounds(data[first], parts[first], choose, options)
        return {"substitution": replaced, "bounds": bounds}

    asked = [loaded.digest, code_digest(metric.fn, data, options, held), substituted, choice.seed]
    ends = kept_tables(store, {"substitution and bounds": asked}, last)
    provenance: dict[str, object] = {
        "task": task,
        "model": model,
        "model_digest": loaded.digest,
        "seed": choice.seed,
        "format": FORMAT,
        "prompts": len(batch),
        "held_out": len(held_batch),
        "units": list(kinds),
        "other_models": list(elsewhere.models),
    }
    if "edges" in kinds:
        provenance |= {"circuit": choice.circuit, "edges": len(edges)}
    if "heads-output" in kinds:
        provenance["direction"] = choice.direction
    run = NeuronRun(parts, ends["substitution"], ends["bounds"], provenance)
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
    batch, pairs = probe
    concepts = token_concepts(batch, model.tokenizer, pairs=pairs)
    data, parts = {}, {}
    for kind in kinds:
        read = partial(read_units, kind)
        data[kind] = live_units(read(model, batch, concepts))
        siblings = {} if kind == "edges" else elsewhere.models
        parts[kind] = _kept_audit(
            model.store,
            data[kind],
            options if kind == "neurons" else lighter,
            pool_data(data[kind], elsewhere, partial(read, model)),
            {name: read(other, batch, concepts) for name, other in siblings.items()},
            workers,
        )
    return data, parts


def _kept_audit(
    store: Path | None, data: ProbingSet, options: NeuronOptions, pools, models, workers: int
) -> NeuronAudit:
    """`audit_neurons`, from the store where it is there."""

    def compute() -> dict[str, pd.DataFrame]:
        audit = audit_neurons(data, options, other_data=pools, other_models=models, workers=workers)
        return audit.frames() | {"options": pd.DataFrame({"json": [json.dumps(audit.options)]})}

    follows = {"neurons": code_digest(data, options, pools, models)}
    frames = kept_tables(store, follows, compute)
    recorded = json.loads(str(frames.pop("options")["json"].iloc[0]))
    units, votes, aliases, metrics = map(frames.pop, ("units", "votes", "aliases", "metrics"))
    return NeuronAudit(units, votes, aliases, metrics, tables=frames, options=recorded)


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

    if options.linear is None or not count:
        return pd.DataFrame()
    distinct = distinct_concepts(data, options.concepts)
    # Only units that simulated well in the audit, which left out templates, are fitted again.
    simulated = audit.units["linear_test"].fillna(-1.0).to_numpy(dtype=float)
    shortlist = np.sort(np.argsort(-simulated, kind="stable")[: SHORTLIST * count])
    found = linear_explanations(take_units(distinct, shortlist), rng=rng, options=options.linear)
    batch, pairs = held
    tokens = every_concept(model, batch, pairs)
    values = align_columns(tokens, distinct)
    order = np.argsort(-np.nan_to_num(found.test, nan=-1.0), kind="stable")
    units = [found.units[i] for i in order[:count] if found.length[i]]
    if not units:
        return pd.DataFrame()
    each, joint = substitution_scores(model, batch, metric, tokens, values, found, units, rng=rng)
    scores = {**each, f"all {len(units)} together": joint}
    columns = "unit substitution se low high prompts".split()
    rows = ((name, s.value, s.se, s.low, s.high, s.n) for name, s in scores.items())
    table = pd.DataFrame(rows, columns=columns)
    correlation = dict(zip(found.units, found.test, strict=True))
    found_test = [correlation.get(name, float("nan")) for name in table["unit"]]
    return table.assign(simulation_correlation=found_test)


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
