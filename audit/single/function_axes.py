"""Structure beside function for every perturbation axis of an audit: which conditions each has."""

from collections.abc import Mapping

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
from circuitvar.audit.runs import batches_of_levels
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.choices import own_corruption
from circuitvar.audit.single.collect import Collected
from circuitvar.audit.single.discovered import discovered
from circuitvar.audit.single.run_circuits import CircuitRuns
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.evaluate import random_connected
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation

HELDOUT = "held-out prompts"


def function_tables(
    model: Model,
    collected: Collected,
    settings: Settings,
    size: int,
    axes: tuple[Axis, ...],
    *,
    runs: CircuitRuns,
    seed_models: tuple[Model, ...] = (),
    bars: Bars,
) -> dict[str, pd.DataFrame]:
    """`function`: one row per axis; `cross_faithfulness_axes`: the matrices, tidy, with `axis`.

    Circuits of templates are in a matrix of their own (`run_circuits`).
    """
    by_key = {axis.key: axis for axis in axes}
    rows, frames = [], []
    if runs.transfer is not None and "paraphrase" in by_key:
        rows.append(function_row(runs.transfer, by_key["paraphrase"], bars=bars))
    found = axis_circuits(collected, settings, size)
    for key, circuits in found.items():
        conditions = _conditions(key, model, collected, settings)
        matrix = _matrix(circuits, conditions, collected, settings, size)
        rows.append(function_row(matrix, by_key[key], bars=bars))
        frames.append(matrix.frame().assign(axis=key))
    graph = model.graph
    if collected.seeds is not None and seed_models and graph.kv_heads == graph.n_heads:
        models = dict(zip(_seed_names(collected), (model, *seed_models), strict=True))
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


def axis_circuits(
    collected: Collected, settings: Settings, size: int
) -> dict[str, dict[str, Found]]:
    """Circuits of every axis of choices and of fresh data, with the condition of each."""
    ablation = {f"{s.choice.method.key}, {s.choice.ablation}": s.choice for s in collected.choices}
    found: dict[str, dict[str, Found]] = {}
    for item in discovered(collected, settings, size):
        home = item.run
        if item.axis == "method":
            home = HELDOUT
        elif item.axis == "ablation":
            home = settings.ablation if item.audited else ablation[item.run].ablation
        found.setdefault(item.axis, {})[item.run] = Found(home, item.kept)
    return {axis: circuits for axis, circuits in found.items() if len(circuits) > 1}


def _conditions(
    axis: str, model: Model, collected: Collected, settings: Settings
) -> dict[str, Condition]:
    """Conditions of an axis by name."""
    heldout, metric = collected.heldout, collected.metric
    if axis in ("method", "ablation"):
        kinds: dict[str, Ablation] = {HELDOUT: settings.ablation}
        if axis == "ablation":
            others: list[Ablation] = [s.choice.ablation for s in collected.choices]
            kinds = {kind: kind for kind in (settings.ablation, *others)}
        return {name: Condition(model, heldout, metric, kind) for name, kind in kinds.items()}
    if axis == "fresh-data":
        assert collected.fresh is not None
        levels: dict[str, object] = {f"data set {i + 1}": i for i in range(len(collected.fresh))}
    else:
        levels = {own_corruption(collected.task, settings): None}
        for choice in (s.choice for s in collected.choices if s.choice.axis == axis):
            levels[choice.name] = choice.corruption if axis == "corruption" else choice.amplitude
    batch_of = batches_of_levels(axis, collected.task, model, settings, heldout)
    return {
        name: Condition(model, batch_of(level), metric, settings.ablation)
        for name, level in levels.items()
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
