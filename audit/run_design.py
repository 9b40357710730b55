"""Run a design on a model: every key is one scoring pass with some settings changed.

Facets named like a field of `Settings` change that field; `data` d > 0 is the d-th fresh data set
(0 is the discovery set). Everything else a run depends on is in the context of its key.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from circuitvar.audit.design import Design, RunKey, run_keys
from circuitvar.audit.prompts import discovery_batch, fresh_batch
from circuitvar.audit.run_store import RunTable, run_design, run_table
from circuitvar.audit.settings import SETTING_NAMES, Settings
from circuitvar.circuits.methods import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.metrics import get_metric
from circuitvar.tasks.types import Task

DATA = "data"
"""Facet whose levels number independent data sets."""


def design_context(task: Task, model: Model, settings: Settings) -> str:
    """Digest of what all runs share: task and version, model weights, settings."""
    record = {
        "task": task.key,
        "version": task.version,
        "model": model.digest,
        "dtype": str(model.dtype),
        "settings": settings.as_dict(),
    }
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def defined_runs(
    keys: Sequence[RunKey], settings: Settings
) -> tuple[tuple[RunKey, ...], tuple[RunKey, ...]]:
    """(runs whose method is defined for their ablation, the others)."""
    kept, dropped = [], []
    for key in keys:
        changed = settings_of(key, settings)
        fits = changed.ablation in get_method(changed.method).ablations
        (kept if fits else dropped).append(key)
    return tuple(kept), tuple(dropped)


def settings_of(key: RunKey, settings: Settings) -> Settings:
    """The settings of one run.

    Raises
    ------
    ValueError
        A facet is neither `data` nor a setting.
    """
    changes: dict[str, object] = {n: level for n, level in key.levels if n != DATA}
    unknown = sorted(set(changes) - set(SETTING_NAMES))
    if unknown:
        raise ValueError(
            f"facet {unknown[0]!r} is not a setting; choose {DATA} or one of "
            f"{', '.join(SETTING_NAMES)}"
        )
    return replace(settings, **changes)  # pyright: ignore[reportArgumentType]


def score_run(
    key: RunKey, *, task: Task, model: Model, settings: Settings
) -> dict[str, np.ndarray]:
    """Per-example scores of one run; depends on the key and what its context names alone."""
    changed = settings_of(key, settings)
    draw = int(dict(key.levels).get(DATA) or 0) + key.replicate
    drawn = (
        fresh_batch(task, changed, model, draw - 1)
        if draw
        else discovery_batch(task, changed, model)
    )
    options = ScoreOptions(ablation=changed.ablation, steps=changed.steps, seed=changed.seed)
    found = score_edges(
        model,
        drawn[0].batch,
        get_method(changed.method),
        metric=get_metric(changed.metric or task.metric),
        options=options,
    )
    return {"scores": found.values}


def run_on_model(
    folder: Path, design: Design, *, task: Task, model: Model, settings: Settings
) -> tuple[RunTable, tuple[RunKey, ...]]:
    """Score every defined run of a design that is not stored yet; (table, runs left out).

    Replicates are further fresh data sets, so a design with replicates should not also have the
    `data` facet.
    """
    if design.replicates > 1 and any(facet.name == DATA for facet in design.facets):
        raise ValueError(
            "replicates are fresh data sets, which the 'data' facet varies too; use one of them"
        )
    keys, left_out = defined_runs(
        run_keys(design, context=design_context(task, model, settings)), settings
    )
    if not keys:
        raise ValueError("no run of this design is defined; check methods against ablations")
    run_design(folder, keys, lambda key: score_run(key, task=task, model=model, settings=settings))
    return run_table(folder, keys), left_out
