"""`circuitvar neurons TASK`: labels for neurons, heads or edges, with what they are worth."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, ModelChoice, NeuronChoice, Output

NEURONS = Output(Path("runs/neurons"))


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
    print_table(
        frame.map(lambda value: f"{value:.3g}" if isinstance(value, float) else value),
        title=f"Best-explained units of {where.model} on {task}",
    )
    print(f"written to {to.out}")
