"""`circuitvar tasks | methods | models | doctor`: what can be named; is a model seen correctly?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, ModelChoice


def show_rows(rows: Sequence[Mapping[str, object]], *, title: str) -> None:
    """Print rows as a table."""
    import pandas as pd

    from circuitvar.reports.console import print_table

    print_table(pd.DataFrame(rows), title=title)


def tasks() -> None:
    """List the tasks: templates, corruptions, metric, and whether the pocket models do them."""
    from circuitvar.tasks.catalog import TASKS
    from circuitvar.tasks.planted import PLANTED_TASKS

    rows = [
        {
            "task": task.key,
            "what": task.title,
            "templates": len(task.templates),
            "corruptions": ", ".join(c.key for c in task.corruptions),
            "metric": task.metric,
            "pocket": "yes" if task.pocket else "no",
        }
        for task in (*TASKS, *PLANTED_TASKS)
    ]
    show_rows(rows, title="Tasks")


def methods() -> None:
    """List the attribution methods: citation, unit, cost and the ablations they are defined for."""
    from circuitvar.circuits.methods.catalog import METHODS

    rows = [
        {
            "method": method.key,
            "what": method.title,
            "citation": method.citation,
            "unit": method.unit,
            "cost": method.cost,
            "ablations": ", ".join(method.ablations),
        }
        for method in METHODS
    ]
    show_rows(rows, title="Methods")


def models() -> None:
    """List the models that ship with the package: pocket models with held-out accuracy, planted."""
    import json

    from circuitvar.tasks.planted import PLANTED
    from circuitvar.tasks.pocket import SEEDS, pocket_path

    rows = []
    for seed in SEEDS:
        log = pocket_path(seed) / "training_log.json"
        if not log.is_file():
            continue
        held_out = json.loads(log.read_text(encoding="utf-8"))["held_out"]
        accuracies = ", ".join(
            f"{task} {found['accuracy']:.3f}" for task, found in held_out.items()
        )
        rows.append(
            {
                "model": f"pocket:{seed}",
                "what": "GPT-2 architecture, 4 layers x 4 heads, trained on six tasks",
                "tasks": f"held-out accuracy: {accuracies}",
            }
        )
    rows += [
        {"model": f"planted:{p.key}", "what": p.title, "tasks": f"known circuit: {p.task.key}"}
        for p in PLANTED
    ]
    show_rows(rows, title="Any hub name or local checkpoint folder works too")


def doctor(
    model: Annotated[str, typer.Argument(help="Hub name, local folder or pocket model.")],
    where: Annotated[ModelChoice, Only("revision", "device", "dtype")] = POCKET,
) -> None:
    """Check a model: edge count, reconstruction of every destination's input, equal logits."""
    from circuitvar.circuits.loading import self_check

    checks = self_check(replace(where, model=model).load())
    rows = [
        {
            "check": check.name,
            "residual": f"{check.residual:.2g}",
            "allowed": f"{check.bar:.2g}",
            "result": "ok" if check.passed else "FAILED",
            "meaning": check.meaning,
        }
        for check in checks
    ]
    show_rows(rows, title=model)
    failed = [check.name for check in checks if not check.passed]
    if failed:
        raise ValueError(
            f"{model} failed: {', '.join(failed)}; its scores would be wrong and are refused"
        )
