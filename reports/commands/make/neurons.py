"""`circuitvar neurons TASK | labels FILE`: labels of units, and what they are worth."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, LabelArrays, ModelChoice, NeuronChoice, Output

NEURONS, LABELS = Output(Path("runs/neurons")), Output(Path("runs/labels"))


def neurons(
    task: Annotated[str, typer.Argument(help="Task key (see `circuitvar tasks`).")],
    where: Annotated[ModelChoice, Only("model", "device")] = POCKET,
    choice: NeuronChoice = NeuronChoice(),
    to: Output = NEURONS,
) -> None:
    """Label MLP neurons, heads or edges with concepts: bootstrap sets and linear explanations."""
    import pandas as pd

    from circuitvar.reports.console import print_table
    from circuitvar.reports.neurons import best_units, run_neurons
    from circuitvar.reports.page import check_writable

    check_writable(to.out)
    run = run_neurons(task, where.model, to.out, choice, device=where.device)
    if to.quiet:
        return
    frame = pd.concat([best_units(audit, 8) for audit in run.parts.values()])
    frame = pd.DataFrame(frame, columns=["unit", "label", "verdict", "vote", "held_out"])
    title = f"Best-explained units of {where.model} on {task}"
    print_table(frame, title=title, digits=3)
    print(f"written to {to.out}")


def labels(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="Label file, or folder of such files.")
    ],
    arrays: LabelArrays,
    layout: Annotated[
        str, Option("clip-dissect, linear-explanations, openai or delphi: who wrote it.", COMMON)
    ] = "clip-dissect",
    to: Output = LABELS,
) -> None:
    """Do your activations support the labels that another tool gave its units?"""
    from circuitvar.reports.console import print_table
    from circuitvar.reports.neurons import run_labels

    found = run_labels(path, layout, arrays, out=to.out)
    if not to.quiet:
        shown = found.loc[:, ["unit", "label", "support", "vote", "ours", "verdict"]]
        print_table(shown.astype(str), title="Labels")
        print(f"written to {to.out / 'labels.csv'}")
