"""A perturbation design from its file to a folder: budget, runs with resume, components."""

from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from circuitvar.audit.axis import runs_axis
from circuitvar.audit.budget import budget
from circuitvar.audit.design import Design, Effect, require_identifiable, run_keys
from circuitvar.audit.design_file import PRESETS, read_design, write_design
from circuitvar.audit.perturb import circuit_size
from circuitvar.audit.run_design import run_on_model, score_run
from circuitvar.audit.settings import Settings
from circuitvar.circuits.model import Model, load_model
from circuitvar.circuits.select import top_n_masks
from circuitvar.reports.table_text import to_csv
from circuitvar.tasks.types import Task

TRIAL = 16
"""Prompts scored to time one pass."""


def resolve_design(plan: str) -> Design:
    """A preset by name, or a YAML design file.

    Raises
    ------
    ValueError
        Neither a preset nor a file.
    """
    for name, design in PRESETS:
        if plan == name:
            return design
    if not Path(plan).is_file():
        names = ", ".join(name for name, _ in PRESETS)
        raise ValueError(f"plan {plan!r} is neither a file nor a preset; presets are {names}")
    return read_design(plan)


def plan_budget(
    design: Design, task: Task, settings: Settings, *, model: str, device: str = "cpu"
) -> tuple[Model, str]:
    """The loaded model, and what the design will cost on it, from a short trial."""
    loaded = load_model(model, device=device)
    trial = Settings(n=TRIAL, heldout=8, seed=settings.seed, method=settings.method)
    clock = perf_counter()
    score_run(run_keys(design)[0], task=task, model=loaded, settings=trial)
    seconds = (perf_counter() - clock) / TRIAL
    cost = budget(
        design,
        examples=settings.n,
        n_edges=loaded.graph.n_edges,
        seconds_per_example=seconds,
    )
    return loaded, cost.sentence


def varied(design: Design) -> tuple[Effect, ...]:
    """The main effects a design can speak about: facets with at least two levels."""
    return tuple((facet.name,) for facet in design.facets if len(facet.levels) > 1)


def run_plan(
    design: Design, task: Task, settings: Settings, model: Model, out: Path
) -> pd.DataFrame:
    """Run what is not stored, write `runs.csv`, `components.csv`, `agreement.csv`, `design.yaml`.

    Returns the components: variance of the mean score summed over edges, by facet, with shares.
    Negative estimates are kept.

    Raises
    ------
    ValueError
        The design cannot separate its facets; says which and what to do.
    """
    effects = varied(design)
    require_identifiable(design, effects)
    table, left_out = run_on_model(out / "runs", design, task=task, model=model, settings=settings)
    found = table.components(effects)
    total = found.values.sum(axis=1)
    frame = pd.DataFrame(
        {
            "component": found.names,
            "variance": total,
            "share": total / total.sum(),
            "median_share": np.nanmedian(found.shares[:, found.total != 0], axis=1),
        }
    )
    size = circuit_size(model.graph.n_edges, settings.size)
    axis = runs_axis(
        top_n_masks(table.scores, size, absolute=not settings.signed),
        key="design",
        title="All runs of the design",
        unit="run",
        level=settings.level,
    )
    agreement = pd.DataFrame(
        [
            {
                "runs": axis.runs,
                "left_out": len(left_out),
                "size": size,
                "phi": axis.phi.value,
                "phi_low": axis.phi.low,
                "phi_high": axis.phi.high,
                "jaccard": axis.jaccard.value,
                "jaccard_low": axis.jaccard.low,
                "jaccard_high": axis.jaccard.high,
                "chance": axis.chance,
            }
        ]
    )
    for name, content in (
        ("runs.csv", table.frame()),
        ("components.csv", frame),
        ("agreement.csv", agreement),
    ):
        (out / name).write_text(to_csv(content), encoding="utf-8")
    write_design(design, out / "design.yaml")
    return frame
