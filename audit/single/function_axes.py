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
from circuitvar.audit.runs import Run, Runs, evaluation_prompts
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.discovered import CHOSEN
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.evaluate import random_connected
from circuitvar.circuits.find import top_n

HELDOUT = "held-out prompts"


def function_tables(
    runs: Runs,
    settings: Settings,
    size: int,
    axes: tuple[Axis, ...],
    *,
    transfer: FunctionMatrix | None = None,
    bars: Bars,
) -> dict[str, pd.DataFrame]:
    """`function`: one row per axis; `cross_faithfulness_axes`: the matrices, tidy, with `axis`.

    `transfer`: the matrix of circuits of templates, which is made elsewhere (`run_circuits`).
    """
    by_key, graph = {axis.key: axis for axis in axes}, runs.scores.graph
    matrices: dict[str, FunctionMatrix] = {}
    for axis in ("fresh-data", *CHOSEN, "seed"):
        found = runs.along(axis)
        if axis == "seed":
            comparable = graph.kv_heads == graph.n_heads
            axis, circuits = MATCHED, _seed_circuits(found, settings, size) if comparable else {}
        else:
            circuits = {run.level: _circuit(run, settings, size) for run in found}
        if len(circuits) > 1:
            matrices[axis] = _matrix(circuits, _conditions(found, runs), settings, size)
    rows = [function_row(matrix, by_key[key], bars=bars) for key, matrix in matrices.items()]
    if transfer is not None and "paraphrase" in by_key:
        rows.insert(0, function_row(transfer, by_key["paraphrase"], bars=bars))
    frames = [matrix.frame().assign(axis=key) for key, matrix in matrices.items()]
    tables = {"function": pd.DataFrame(rows)} if rows else {}
    if frames:
        tables["cross_faithfulness_axes"] = pd.concat(frames, ignore_index=True)
    return tables


def _home(run: Run) -> str:
    """Name of the condition that a circuit was found under; methods share one."""
    if run.axis == "method":
        return HELDOUT
    return run.ablation if run.axis == "ablation" else run.level


def _circuit(run: Run, settings: Settings, size: int) -> Found:
    kept = top_n(run.scores.graph, run.mean, size, signed=settings.signed).kept
    return Found(_home(run), kept)


def _conditions(found: tuple[Run, ...], runs: Runs) -> dict[str, Condition]:
    """Conditions of an axis by name, of the first run found under each."""
    bench, conditions = runs.bench, {}
    metric = bench.metric_of(runs.audited.key)
    for run in found:
        if (home := _home(run)) not in conditions:
            batch = evaluation_prompts(bench, run.key, runs.heldout, runs.seen)
            conditions[home] = Condition(bench.model_of(run.key), batch, metric, run.ablation)
    return conditions


def _seed_circuits(seeds: tuple[Run, ...], settings: Settings, size: int) -> dict[str, Found]:
    """Circuits of every training seed in the names of every other seed's heads."""
    circuits = {}
    for own in seeds:
        kept, graph = {}, own.scores.graph
        for other in seeds:
            named = own.mean if other is own else match_heads(graph, own.mean, other.mean)
            kept[other.level] = top_n(graph, named, size, signed=settings.signed).kept
        circuits[own.level] = Found(own.level, kept)
    return circuits


def _matrix(
    circuits: Mapping[str, Found],
    conditions: Mapping[str, Condition],
    settings: Settings,
    size: int,
) -> FunctionMatrix:
    graph = next(iter(conditions.values())).model.graph
    null = random_connected(graph, size, NULLS, rng=stream(settings.seed, "function", "null"))
    return function_matrix(
        circuits, list(conditions), run_under(conditions), null=null, level=settings.confidence
    )
