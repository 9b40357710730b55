"""Run a design on a model: one scoring pass per combination of pass facets.

The rest comes from the stored scores.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from circuitvar.audit.design.plan_checks import check_on_model
from circuitvar.audit.runs import (
    Derived,
    Design,
    RunKey,
    check_facets,
    derived_runs,
    design_context,
    execute,
    missing_runs,
    pass_key,
    passes,
    planned_runs,
    score_named,
    score_run,
    with_code,
)
from circuitvar.audit.settings import Settings
from circuitvar.circuits.model import Model
from circuitvar.circuits.size import circuit_size
from circuitvar.tasks.types import Task


def run_on_model(
    folder: Path,
    design: Design,
    *,
    task: Task,
    model: Model,
    settings: Settings,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Derived, tuple[RunKey, ...]]:
    """Score every pass of a design that is not stored yet.

    Gives (runs with their circuits, runs left out because nothing defines them).

    Replicates are further fresh data sets. `workers` > 1: that many processes, each of which loads
    the model by name; results do not depend on their number.

    Raises
    ------
    ValueError
        A facet or a level means nothing, or no run is defined.
    """
    check_facets(design, task)
    context = design_context(task, model, settings)
    keys, left_out = planned_runs(design, settings, task=task, context=context)
    keys = with_code(keys, settings)
    # Before anything is scored; models need not be at hand where nothing is.
    missing = {*missing_runs(folder, passes(keys))}
    waiting = [key for key in keys if pass_key(key) in missing]
    check_on_model(design, keys, model, settings, waiting=waiting)
    if workers > 1:
        source = (model.name, model.device, model.dtype, model.revision)
        compute = partial(score_named, task=task, source=source, settings=settings)
    else:
        # Passes are items themselves; their blocks need not be kept beside them.
        compute = partial(score_run, task=task, model=model.keeping(None), settings=settings)
    execute(folder, passes(keys), compute, workers=workers, progress=progress)
    size = circuit_size(model.graph.n_edges, settings.size)
    return derived_runs(folder, keys, graph=model.graph, settings=settings, size=size), left_out
