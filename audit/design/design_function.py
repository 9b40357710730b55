"""Function beside structure for every facet of a finished design.

The circuits of a facet's levels are run under the condition each level stands for: another metric,
corruption, ablation, noise, data set, number format or checkpoint. Facets that only change how a
circuit is found (method, steps, size, rule, resample) share one condition.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from circuitvar.audit.agreement import match_heads, runs_axis
from circuitvar.audit.design.design_agreement import RESAMPLED
from circuitvar.audit.design.design_summary import varied
from circuitvar.audit.design.identifiable import labels_of
from circuitvar.audit.design.one_at_a_time import rows_of_block
from circuitvar.audit.function import (
    NULLS,
    Condition,
    Found,
    function_matrix,
    function_row,
    run_under,
)
from circuitvar.audit.indices import pairwise_jaccard
from circuitvar.audit.runs import (
    DATA,
    Bench,
    Derived,
    Design,
    Level,
    RunKey,
    drawn_prompts,
    evaluation_prompts,
    heldout_batch,
    pools,
    selected,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis, Estimate
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.evaluate import random_connected
from circuitvar.circuits.model import Model
from circuitvar.tasks.types import Task

CONDITIONS = ("metric", "corruption", "ablation", DATA, "noise", "dtype", "checkpoint", "template")
"""Facets whose levels are conditions that a circuit can be run under."""
CIRCUITS = 12
"""Circuits of one facet that are run, at most: those of its first levels. The column `levels` says
of how many."""
SHARED = "held-out prompts"


def design_function(
    design: Design,
    derived: Derived,
    *,
    agreement: pd.DataFrame,
    task: Task,
    model: Model,
    settings: Settings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(one row per facet, structure beside function; the matrices with their facet as `axis`).

    `agreement`: the table of `design_agreement`, whose intervals resamples are judged by.

    A level is represented by its run with everything else at default, or, where the design has no
    such run for two levels (sampled designs), by the run most like the level's others. The run that
    takes all levels of a random facet together is none of them (`facets.pools`). Facets of which no
    two levels have a circuit are left out; of more than `CIRCUITS` the first are run.
    """
    bench = Bench(task, model, settings)
    rows, frames, levels = [], [], []
    for (name,) in varied(derived.keys):
        every = _representatives(design, derived, name)
        if len(every) < 2:
            continue
        runs = dict(list(every.items())[:CIRCUITS])
        labels = {str(level): row for level, row in runs.items()}
        conditions = _conditions(name, list(runs), bench)
        circuits = _circuits(name, labels, derived, conditions, settings)
        size = int(np.mean([derived.masks[row].sum() for row in labels.values()]))
        rng = stream(settings.seed, "function", name)
        null = random_connected(model.graph, max(size, 1), NULLS, rng=rng)
        matrix = function_matrix(
            circuits, list(conditions), run_under(conditions), null=null, level=settings.confidence
        )
        structure = runs_axis(
            np.stack([circuits[label].under(circuits[label].condition) for label in circuits]),
            key=name,
            title=name,
            unit=name,
            level=settings.confidence,
        )
        if name == RESAMPLED:
            structure = _resampled(structure, agreement)
        rows.append(function_row(matrix, structure, bars=Bars()))
        levels.append(len(every))
        frames.append(matrix.frame().assign(axis=name))
    if not rows:
        return pd.DataFrame(), pd.DataFrame()
    table = pd.DataFrame(rows)
    table.insert(2, "levels", levels)
    return table, pd.concat(frames, ignore_index=True)


def _resampled(structure: Axis, agreement: pd.DataFrame) -> Axis:
    """phi and Jaccard of all resamples: they share one data set and are no independent runs."""
    facet = RESAMPLED if RESAMPLED in {*agreement["facet"]} else "all facets"
    row = agreement.set_index("facet").loc[facet].to_dict()
    found = {
        name: Estimate(name, row[name], low=row[f"{name}_low"], high=row[f"{name}_high"])
        for name in ("phi", "jaccard")
    }
    return replace(structure, **found)


def _representatives(design: Design, derived: Derived, name: str) -> dict[Level, int]:
    """The run that stands for each level, the default level first; runs with circuits only."""
    keys, masks = derived.keys, derived.masks
    filled = np.asarray(masks.any(axis=1))
    found: dict[Level, int] = {}
    for row in rows_of_block(design, keys, (name,)):
        if filled[row]:
            found.setdefault(dict(keys[row].levels)[name], int(row))
    if len(found) < 2:
        found = {}
        code = labels_of(keys, (name,))
        single = [not pools(design, name, dict(key.levels)[name]) for key in keys]
        for level in range(int(code.max()) + 1):
            rows = np.flatnonzero((code == level) & filled & single)
            if len(rows):
                alike = np.nan_to_num(np.asarray(pairwise_jaccard(masks[rows]))).mean(axis=1)
                chosen = int(rows[np.argmax(alike)])
                found[dict(keys[chosen].levels)[name]] = chosen
    levels = next(facet.levels for facet in design.facets if facet.name == name)
    order = {level: i for i, level in enumerate(levels)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _conditions(name: str, levels: list[Level], bench: Bench) -> dict[str, Condition]:
    """Conditions of a facet by the level's name; one for facets that change only the finding."""
    seen = drawn_prompts(bench, RunKey(()))[1]
    base = heldout_batch(bench.task, bench.settings, bench.model, seen)[0].batch
    keys = {str(level): RunKey(((name, level),)) for level in levels}
    if name not in CONDITIONS:
        keys = {SHARED: RunKey(())}
    found = {}
    for label, key in keys.items():
        batch = evaluation_prompts(bench, key, base, seen)
        if len(batch):
            ablation = bench.settings_of(key).ablation
            found[label] = Condition(bench.model_of(key), batch, bench.metric_of(key), ablation)
    return found


def _circuits(
    name: str,
    rows: Mapping[str, int],
    derived: Derived,
    conditions: Mapping[str, Condition],
    settings: Settings,
) -> dict[str, Found]:
    """Circuits by level; those of checkpoints in the head names of every other checkpoint."""
    if SHARED in conditions:
        return {label: Found(SHARED, derived.masks[row]) for label, row in rows.items()}
    rows = {label: row for label, row in rows.items() if label in conditions}
    graph = next(iter(conditions.values())).model.graph
    if name != "checkpoint" or graph.kv_heads != graph.n_heads:
        return {label: Found(label, derived.masks[row]) for label, row in rows.items()}
    found = {}
    for label, row in rows.items():
        levels, kept = dict(derived.keys[row].levels), {}
        for other, reference in rows.items():
            kept[other] = derived.masks[row]
            if other != label:
                scores = derived.scores
                named = match_heads(graph, scores[row], scores[reference])
                size = int(derived.masks[row].sum())
                chosen = {**levels, "size": None, "selection": "top-n", "granularity": "edge"}
                kept[other] = selected(graph, named, chosen, settings=settings, size=size)
        found[label] = Found(label, kept)
    return found
