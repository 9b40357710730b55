"""Audit a circuit that somebody found: does it hold, does it beat random, is it found again?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.audit.streams import stream
from circuitvar.circuits.drawing import draw_circuit
from circuitvar.circuits.evaluate import run_circuit_tests
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.published import conditions_table, rediscovery_table, role_recall
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import Circuit, CircuitTestChoice
from circuitvar.reports.circuits.opened import open_circuit, write_tables
from circuitvar.reports.circuits.published_section import write_published_section
from circuitvar.reports.figures import save_figure
from circuitvar.reports.options import CircuitChoice, ModelChoice, PublishedOptions
from circuitvar.tasks.tokens import sample_batch
from circuitvar.tasks.types import Batch, Task


@dataclass(frozen=True, eq=False)
class PublishedAudit:
    """What became of a published circuit on a model."""

    circuit: Circuit
    tables: dict[str, pd.DataFrame]
    """conditions, tests, rediscovery, and roles where the circuit names them."""


AS_PUBLISHED = "as published"
FOUND_ON, HELD_OUT = "names of list a", "held-out names (list b)"
"""The two halves of a task's word lists, which share no name."""


def condition_batches(task: Task, model: Model, n: int, seed: int) -> dict[str, Batch]:
    """The same task with other names, under other corruptions and in single templates."""

    def draw(label: str, **which: Any) -> Batch:
        rng = stream(seed, task.key, "published", label)
        return sample_batch(task, n, model, rng=rng, **which)[0].batch

    batches = {AS_PUBLISHED: draw("all")}
    if {"a", "b"} <= set(task.pools):
        batches |= {FOUND_ON: draw("a", pool="a"), HELD_OUT: draw("b", pool="b")}
    for corruption in task.corruptions[1:]:
        batches[f"corruption {corruption.key}"] = draw(corruption.key, corruption=corruption.key)
    for template in task.templates:
        batches[f"template {template}"] = draw(template, templates=(template,))
    return batches


def run_published(
    name: str,
    *,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: PublishedOptions = PublishedOptions(),
    out: Path,
) -> PublishedAudit:
    """Run a circuit under every condition, test it, rediscover it; write tables and a drawing.

    Rediscovery scores prompts with the names of list a and is judged on held-out names (list b),
    where the task has the two lists.

    Raises
    ------
    ValueError
        Unknown names, a circuit of another architecture, or a file circuit without a task.
    """
    opened = open_circuit(name, where, of, out, size=options.size)
    loaded, found, metric = opened.model, opened.found, opened.metric
    circuit, published = found.circuit, found.published
    batches = condition_batches(opened.task, loaded, options.n, options.seed)
    main = batches[AS_PUBLISHED]
    found_on = batches.get(FOUND_ON, main)
    scores = {
        method: score_edges(loaded, found_on, get_method(method), metric=metric).mean
        for method in options.methods
    }
    tests = run_circuit_tests(
        loaded,
        circuit,
        main,
        metric=metric,
        rng=stream(options.seed, "published", "tests"),
        choice=CircuitTestChoice(options.family, options.reference, options.draws),
    )
    tables = {
        "conditions": conditions_table(loaded, circuit, batches, metric=metric),
        "tests": tests.frame,
        "rediscovery": rediscovery_table(
            loaded, circuit, scores, heldout=batches.get(HELD_OUT), metric=metric
        ),
    }
    if published is not None and published.roles:
        tables["roles"] = role_recall(published, scores[options.methods[0]])
    write_tables(tables, out, prefix="")
    figure = draw_circuit(
        circuit.graph,
        circuit.kept,
        weights=scores[options.methods[0]],
        weight_name="score",
        roles=found.roles,
    )
    for suffix in (".pdf", ".png", ".svg"):
        save_figure(figure, out / f"circuit{suffix}")
    write_published_section(out, name, circuit.size, tables)
    return PublishedAudit(circuit, tables)
