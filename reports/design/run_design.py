"""A perturbation design from its file to a folder: budget, runs with resume, components."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import pandas as pd

from circuitvar.audit.design import (
    PRESETS,
    check_levels,
    check_on_model,
    check_runs,
    design_agreement,
    design_components,
    design_function,
    for_task,
    read_design,
    require_answers,
    resampled,
    run_on_model,
    sobol_table,
    write_design,
)
from circuitvar.audit.function import PROMPTS
from circuitvar.audit.runs import (
    Budget,
    Design,
    Effect,
    RunKey,
    budget,
    check_facets,
    cost_label,
    discovery_batch,
    finder_of,
    marks_roles,
    planned_runs,
    sample_of,
    settings_of,
)
from circuitvar.audit.settings import Settings
from circuitvar.circuits.find import get_finder
from circuitvar.circuits.items import RUNS
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import ScoreOptions
from circuitvar.reports.page import SectionTable, write_section
from circuitvar.reports.tables import to_csv
from circuitvar.tasks.tokens import get_metric, take
from circuitvar.tasks.types import Task

TRIAL = 16
"""Prompts scored to time one pass."""
FINDER_TRIAL = 4
"""Prompts a finder is timed on; its fixed costs make the estimate an upper one."""
EXACT_TRIAL = 16
"""Edges patched to time an exact method."""


def resolve_design(plan: str, task: Task) -> Design:
    """A preset by name, or a YAML design file, with its levels written out for the task.

    A preset loses its noise sweep where the task's prompts mark no roles, and resamples the rows
    of a file in place of fresh data sets.

    Raises
    ------
    ValueError
        Neither a preset nor a file.
    """
    for name, design in PRESETS:
        if plan == name:
            if task.distinct:
                design = resampled(design)
            kept = tuple(f for f in design.facets if f.name != "noise" or marks_roles(task))
            return for_task(replace(design, facets=kept), task)
    if not Path(plan).is_file():
        names = ", ".join(name for name, _ in PRESETS)
        raise ValueError(f"plan {plan!r} is neither a file nor a preset; presets are {names}")
    return for_task(read_design(plan), task)


def interactions(asked: Sequence[str]) -> tuple[Effect, ...]:
    """Effects from the command line, each `facet:facet`.

    >>> interactions(["method:data"])
    (('method', 'data'),)
    """
    effects = tuple(tuple(part.strip() for part in text.split(":")) for text in asked)
    for text, effect in zip(asked, effects, strict=True):
        if len(set(effect)) < 2 or "" in effect:
            raise ValueError(f"interaction {text!r} is not two facets; write e.g. method:data")
    return effects


def check_plan(
    design: Design, task: Task, settings: Settings, *, asked: Sequence[Effect] = ()
) -> tuple[tuple[RunKey, ...], tuple[RunKey, ...]]:
    """(defined runs, runs left out) of a design that can answer; nothing is scored.

    Raises
    ------
    ValueError
        A facet means nothing, or the runs cannot separate the effects; says which and why.
    """
    check_levels(design, task, settings)
    check_facets(design, task)
    kept, left_out = planned_runs(design, settings, task=task)
    check_runs(design, kept, left_out)
    require_answers(design, kept, asked=asked)
    return kept, left_out


def plan_budget(design: Design, task: Task, settings: Settings, model: Model) -> Budget:
    """What the design will cost on this model, from a short trial of every method in it.

    Raises
    ------
    ValueError
        A checkpoint cannot be loaded or has another graph, or a size is beyond the graph.
    """
    kept, _ = planned_runs(design, settings, task=task)
    check_on_model(design, kept, model, settings)
    trial = replace(settings, n=TRIAL)
    model = model.keeping(None)  # What is read back says nothing about speed.
    batch = discovery_batch(task, trial, model)[0].batch
    metric = get_metric(settings.metric or task.metric)
    seconds: dict[str, float] = {}
    for key in kept:
        chosen, levels = settings_of(key, settings), dict(key.levels)
        finder, label = finder_of(levels), cost_label(levels)
        if label in seconds:
            continue
        if finder:
            few, clock = take(batch, slice(0, FINDER_TRIAL)), perf_counter()
            size = circuit_size(model.graph.n_edges, settings.size)
            get_finder(finder).fn(model, few, metric=metric, size=size, seed=settings.seed)
            seconds[label] = (perf_counter() - clock) / FINDER_TRIAL
            continue
        method, edges = get_method(chosen.method), model.graph.n_edges
        options = ScoreOptions(ablation=chosen.ablation, steps=chosen.steps)
        if method.exact and edges > EXACT_TRIAL:
            some = range(0, edges, edges // EXACT_TRIAL)
            options = replace(options, edges=tuple(some))
            edges = edges / len(some)
        else:
            edges = 1
        clock = perf_counter()
        score_edges(model, batch, method, metric=metric, options=options)
        seconds[label] = (perf_counter() - clock) / TRIAL * edges
    return budget(
        design,
        examples=settings.n,
        n_edges=model.graph.n_edges,
        seconds_per_example=1.0,
        method_cost=seconds,
        keys=kept,
    )


def run_plan(
    design: Design,
    task: Task,
    settings: Settings,
    model: Model,
    out: Path,
    *,
    asked: Sequence[Effect] = (),
    function: bool = True,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Run what is not stored; write and return the tables.

    `runs`, `components`, `agreement`, `sobol` (full grids only), and with `function` also
    `function` and `cross_faithfulness`.
    Each is a CSV file in `out`, beside `design.yaml` and the section that `circuitvar join` reads.

    Raises
    ------
    ValueError
        The design cannot separate its facets; says which and what to do.
    """
    check_plan(design, task, settings, asked=asked)
    derived, left_out = run_on_model(
        out / RUNS,
        design,
        task=task,
        model=model,
        settings=settings,
        workers=workers,
        progress=progress,
    )
    runs = derived.frame()
    agreement = design_agreement(
        design,
        derived,
        level=settings.confidence,
        sample=partial(
            sample_of,
            out / RUNS,
            graph=model.graph,
            settings=settings,
            size=circuit_size(model.graph.n_edges, settings.size),
        ),
        seed=settings.seed,
    )
    agreement.insert(2, "left_out", len(left_out))
    components = design_components(design, derived, interactions=asked, level=settings.confidence)
    tables = {"runs": runs, "components": components, "agreement": agreement}
    sobol = sobol_table(derived, design)
    if len(sobol):
        tables["sobol"] = sobol
    write_tables(tables, out)
    write_design(design, out / "design.yaml")
    if function:
        few = replace(settings, heldout=min(settings.heldout, PROMPTS))
        rows, matrices = design_function(
            design, derived, agreement=agreement, task=task, model=model, settings=few
        )
        if len(rows):
            tables |= {"function": rows, "cross_faithfulness": matrices}
            write_tables(tables, out)
    write_section(
        out,
        kind="design",
        title="Perturbation design",
        summary=[
            f"{len(runs)} runs of a {design.crossing} design over "
            f"{', '.join(facet.name for facet in design.facets)}; {len(left_out)} combinations "
            "that nothing defines are left out."
        ],
        tables=[SectionTable(f"{name}.csv", TITLES[name]) for name in TITLES if name in tables],
    )
    return tables


TITLES = {
    "agreement": "Agreement by facet",
    "function": "Other circuits, the same job, or noise?",
    "components": "Variance components, summed over all edges",
    "sobol": "Functional ANOVA of the full grid",
    "cross_faithfulness": "Every circuit under every condition",
}
"""Tables of the section, in the order of the page."""


def write_tables(tables: Mapping[str, pd.DataFrame], out: Path) -> None:
    """One CSV file per table."""
    for name, content in tables.items():
        (out / f"{name}.csv").write_text(to_csv(content), encoding="utf-8")
