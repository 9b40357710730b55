"""Structure beside function for every perturbation axis of an audit: which conditions each has."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from circuitvar.audit.agreement import MATCHED, match_heads
from circuitvar.audit.function import (
    NULLS,
    Condition,
    Found,
    FunctionMatrix,
    function_matrix,
    function_row,
    run_under,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.choices import own_corruption
from circuitvar.audit.single.collect import Collected
from circuitvar.audit.single.discovered import AUDITED, discovered
from circuitvar.audit.single.prompts import discovery_batch, fresh_batch, heldout_batch
from circuitvar.audit.single.run_circuits import CircuitRuns
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.evaluate import random_connected
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation
from circuitvar.tasks.language import with_noise
from circuitvar.tasks.types import Batch

HELDOUT = "held-out prompts"


def function_tables(
    model: Model,
    collected: Collected,
    settings: Settings,
    size: int,
    axes: tuple[Axis, ...],
    *,
    runs: CircuitRuns,
    other_seeds: tuple[Model, ...] = (),
    bars: Bars,
) -> dict[str, pd.DataFrame]:
    """`function`: one row per axis; `cross_faithfulness_axes`: the matrices, tidy, with `axis`.

    Circuits of templates are in a matrix of their own (`run_circuits`).
    """
    by_key = {axis.key: axis for axis in axes}
    rows, frames = [], []
    if runs.transfer is not None and "paraphrase" in by_key:
        rows.append(function_row(_of_templates(runs), by_key["paraphrase"], bars=bars))
    found = axis_circuits(collected, settings, size)
    for key, circuits in found.items():
        conditions = _conditions(key, model, collected, settings)
        matrix = _matrix(circuits, conditions, collected, settings, size)
        rows.append(function_row(matrix, by_key[key], bars=bars))
        frames.append(matrix.frame().assign(axis=key))
    graph = model.graph
    if collected.seeds is not None and other_seeds and graph.kv_heads == graph.n_heads:
        models = dict(zip(_seed_names(collected), (model, *other_seeds), strict=True))
        conditions = {
            name: Condition(m, collected.heldout, collected.metric, settings.ablation)
            for name, m in models.items()
        }
        circuits = _seed_circuits(collected, settings, size)
        matrix = _matrix(circuits, conditions, collected, settings, size)
        rows.append(function_row(matrix, by_key[MATCHED], bars=bars))
        frames.append(matrix.frame().assign(axis=MATCHED))
    tables = {"function": pd.DataFrame(rows)} if rows else {}
    if frames:
        tables["cross_faithfulness_axes"] = pd.concat(frames, ignore_index=True)
    return tables


def _of_templates(runs: CircuitRuns) -> FunctionMatrix:
    """The matrix that `template_transfer` made, on all held-out prompts."""
    assert runs.transfer is not None
    square = runs.transfer.frame.pivot(index="circuit", columns="prompts", values="faithfulness")
    value = square.to_numpy(dtype=np.float64)
    names = tuple(map(str, square.index))
    own = float(np.diag(value).mean())
    return FunctionMatrix(names, names, value, own, runs.transfer.kept, runs.random)


def axis_circuits(
    collected: Collected, settings: Settings, size: int
) -> dict[str, dict[str, Found]]:
    """Circuits of every axis of choices and of fresh data, with the condition of each."""
    own = own_corruption(collected.task, settings)
    ablation = {f"{s.choice.method.key}, {s.choice.ablation}": s.choice for s in collected.choices}
    found: dict[str, dict[str, Found]] = {}
    for item in discovered(collected, settings, size):
        name = item.run.removesuffix(AUDITED)
        home = {"method": HELDOUT, "fresh-data": name}.get(item.axis, name)
        if item.axis == "ablation":
            home = ablation[name].ablation if name in ablation else settings.ablation
        if item.axis in ("corruption", "noise") and item.run.endswith(AUDITED):
            home = own
        found.setdefault(item.axis, {})[name] = Found(home, item.kept)
    return {axis: circuits for axis, circuits in found.items() if len(circuits) > 1}


def _conditions(
    axis: str, model: Model, collected: Collected, settings: Settings
) -> dict[str, Condition]:
    """Conditions of an axis by name."""
    task, heldout, metric = collected.task, collected.heldout, collected.metric
    if axis == "method":
        return {HELDOUT: Condition(model, heldout, metric, settings.ablation)}
    if axis == "fresh-data":
        assert collected.fresh is not None
        drawn = (fresh_batch(task, settings, model, i)[0] for i in range(len(collected.fresh)))
        return {
            f"data set {i + 1}": Condition(model, found.batch, metric, settings.ablation)
            for i, found in enumerate(drawn)
        }
    if axis == "ablation":
        kinds: dict[Ablation, None] = dict.fromkeys(
            [settings.ablation, *(s.choice.ablation for s in collected.choices)]
        )
        return {kind: Condition(model, heldout, metric, kind) for kind in kinds}
    batches: dict[str, Batch] = {own_corruption(task, settings): heldout}
    pairs = discovery_batch(task, settings, model)[1]
    for choice in (s.choice for s in collected.choices if s.choice.axis == axis):
        if choice.amplitude is not None:
            noise = {"roles": settings.noise_roles, "seed": settings.seed}
            batches[choice.name] = with_noise(heldout, choice.amplitude, **noise)
        else:
            other = replace(settings, corruption=choice.corruption)
            batches[choice.name] = heldout_batch(task, other, model, pairs)[0].batch
    return {
        name: Condition(model, batch, metric, settings.ablation) for name, batch in batches.items()
    }


def _seed_names(collected: Collected) -> list[str]:
    """Names of the models, told apart where they are the same."""
    names = collected.seed_names
    return [f"{n} ({i + 1})" if names.count(n) > 1 else n for i, n in enumerate(names)]


def _seed_circuits(collected: Collected, settings: Settings, size: int) -> dict[str, Found]:
    """Circuits of every training seed in the names of every other seed's heads."""
    assert collected.seeds is not None
    graph = collected.scores.graph
    scores = dict(zip(_seed_names(collected), collected.seeds, strict=True))
    circuits = {}
    for name, own in scores.items():
        kept = {}
        for other, reference in scores.items():
            named = own if other == name else match_heads(graph, own, reference)
            kept[other] = top_n(graph, named, size, signed=settings.signed).kept
        circuits[name] = Found(name, kept)
    return circuits


def _matrix(
    circuits: Mapping[str, Found],
    conditions: Mapping[str, Condition],
    collected: Collected,
    settings: Settings,
    size: int,
) -> FunctionMatrix:
    graph = collected.scores.graph
    null = random_connected(graph, size, NULLS, rng=stream(settings.seed, "function", "null"))
    return function_matrix(
        circuits, list(conditions), run_under(conditions), null=null, level=settings.confidence
    )
