"""`circuitvar neurons TASK`: labels for neurons and heads, with what they are worth."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import Device, ModelName, Out, Quiet, Seed


def neurons(
    task: Annotated[str, typer.Argument(help="Task key (see `circuitvar tasks`).")],
    model: ModelName = "pocket",
    out: Out = Path("runs/neurons"),
    prompts: Annotated[int, typer.Option("--prompts", help="Prompts of the probing set.")] = 240,
    heldout: Annotated[
        int, typer.Option("--heldout", help="Further prompts for substitution scores.")
    ] = 96,
    compositions: Annotated[
        int,
        typer.Option(
            "--compositions",
            min=0,
            max=3,
            help="Longest AND/OR/NOT formula to search, judged on other prompts; 0: none.",
        ),
    ] = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Label every MLP neuron and head with concepts, as bootstrap sets and linear explanations."""
    import pandas as pd

    from circuitvar.audit.neurons.audit_neurons import NeuronOptions
    from circuitvar.reports.console import print_table
    from circuitvar.reports.neurons_command import best_units, run_neurons
    from circuitvar.reports.write import check_writable

    check_writable(out)
    run = run_neurons(
        task, model, out, prompts=prompts, held_out=heldout, seed=seed, device=device,
        options=NeuronOptions(compositions=compositions),
    )  # fmt: skip
    if quiet:
        return
    frame = pd.concat([best_units(run.neurons, 8), best_units(run.heads, 8)])
    frame = pd.DataFrame(frame, columns=["unit", "label", "verdict", "vote", "held_out"])
    print_table(
        frame.map(lambda value: f"{value:.3g}" if isinstance(value, float) else value),
        title=f"Best-explained units of {model} on {task}",
    )
    print(f"written to {out}")
