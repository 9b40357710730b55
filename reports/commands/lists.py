"""`circuitvar tasks | methods | models`: what can be named on the command line."""

import pandas as pd

from circuitvar.reports.console import print_table


def tasks() -> None:
    """List the tasks: templates, corruptions, metric, and whether the pocket models do them."""
    from circuitvar.tasks.catalog import TASKS

    rows = [
        {
            "task": task.key,
            "what": task.title,
            "templates": len(task.templates),
            "corruptions": ", ".join(c.key for c in task.corruptions),
            "metric": task.metric,
            "pocket": "yes" if task.pocket else "no",
        }
        for task in TASKS
    ]
    print_table(pd.DataFrame(rows), title="Tasks")


def methods() -> None:
    """List the attribution methods: citation, unit, cost and the ablations they are defined for."""
    from circuitvar.circuits.methods import METHODS

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
    print_table(pd.DataFrame(rows), title="Methods")


def models() -> None:
    """List the pocket models that ship with the package, with their held-out accuracy."""
    from circuitvar.tasks.pocket.paths import SEEDS, pocket_accuracy, pocket_path

    rows = []
    for seed in SEEDS:
        accuracy = pocket_accuracy(seed)
        rows.append(
            {
                "model": f"pocket:{seed}",
                "architecture": "GPT-2, 4 layers x 4 heads",
                **{task: f"{value:.3f}" for task, value in accuracy.items()},
                "folder": str(pocket_path(seed)),
            }
        )
    print_table(pd.DataFrame(rows), title="Pocket models; any hub name or local folder works too")
