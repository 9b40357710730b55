"""Audit a circuit that somebody found: does it hold, does it beat random, is it found again?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import run_circuit_tests
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.published import conditions_table, rediscovery_table, role_recall
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import Circuit, CircuitTestChoice
from circuitvar.reports.circuits.opened import draw_named, open_circuit, write_tables
from circuitvar.reports.figures import save_figure
from circuitvar.reports.options import CircuitChoice, ModelChoice, PublishedOptions
from circuitvar.reports.page import SectionFigure, SectionTable, write_section
from circuitvar.tasks.tokens import sample_batch
from circuitvar.tasks.types import Batch, Task

TABLES = {
    "conditions": "What the circuit does under each condition",
    "tests": "Hypothesis tests",
    "rediscovery": "Would it be found again?",
    "roles": "Recall by role",
}


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
    cautions = opened.cautions(main)
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
    figure = draw_named(found, scores[options.methods[0]])
    for suffix in (".pdf", ".png", ".svg"):
        save_figure(figure, out / f"circuit{suffix}")
    write_published_section(out, name, circuit.size, tables, cautions)
    return PublishedAudit(circuit, tables)


def write_published_section(
    out: Path,
    name: str,
    size: int,
    tables: Mapping[str, pd.DataFrame],
    cautions: Sequence[str] = (),
) -> Path:
    """`section.json` of kind `circuit`; `circuit.svg` and one CSV per table must be in `out`."""
    return write_section(
        out,
        kind="circuit",
        title=f"Published circuit: {name}",
        summary=[*cautions, *published_sentences(name, size, tables)],
        tables=[SectionTable(f"{key}.csv", TABLES.get(key, key)) for key in tables],
        figures=[SectionFigure("circuit.svg", name, "Edges by the score of the first method.")],
    )


def published_sentences(name: str, size: int, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What was found, quoting the tables."""
    rows = tables["conditions"].to_dict("records")
    values = [(float(row["faithfulness"]), str(row["condition"])) for row in rows]
    own, lowest = values[0][0], min(values)
    found = [
        f"{name} ({size} edges) keeps {own:.3g} of the metric as published, and least under "
        f"{lowest[1]}: {lowest[0]:.3g}."
    ]
    found += [str(reading) for reading in tables["tests"]["reading"]]
    for row in tables["rediscovery"].to_dict("records"):
        found.append(
            f"{row['method']} finds {row['edges_shared']} of its {row['edges_a']} edges again "
            f"(Jaccard {row['edge_jaccard']:.3g}, chance {row['chance_jaccard']:.3g}; p = "
            f"{row['p_random']:.3g} against random edges, {row['p_stratified']:.3g} against edges "
            f"of the same layers and types; overlap coefficient {row['edge_coefficient']:.3g} of "
            f"edges, {row['node_coefficient']:.3g} of nodes)."
        )
        if "faithfulness_found" in row:
            found.append(
                f"With held-out names it keeps {row['faithfulness']:.3g} of the metric, the "
                f"{row['method']} circuit of its size {row['faithfulness_found']:.3g}."
            )
    return found
