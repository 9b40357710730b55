"""`circuitvar neurons TASK`: labels for neurons, heads or edges, with what they are worth."""

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
    units: Annotated[
        str,
        typer.Option(
            "--units",
            help="Kinds of units, with commas: neurons, pre, gate, up (MLP neurons before "
            "activation, gates, linear factors), heads (attention to key positions), "
            "heads-output, edges.",
        ),
    ] = "neurons,heads",
    direction: Annotated[
        str,
        typer.Option(
            "--direction",
            help="For heads-output: logit-difference, answer, wrong-answer, or a .npy or "
            ".safetensors file of one vector.",
        ),
    ] = "logit-difference",
    circuit: Annotated[
        str | None,
        typer.Option(
            "--circuit", help="For edges: a shipped circuit, planted:KEY, or a file of edges."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Edges to take when --circuit is a file of scores.")
    ] = None,
    other_model: Annotated[
        list[str] | None,
        typer.Option(
            "--other-model",
            help="Model of another training seed to compare labels with, as often as wanted; "
            "pocket models compare with their siblings.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", help="Threads; results do not depend on their number.")
    ] = 1,
    device: Device = "cpu",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Label MLP neurons, heads or edges with concepts: bootstrap sets and linear explanations."""
    import pandas as pd

    from circuitvar.audit.neurons.run import NeuronOptions
    from circuitvar.reports.console import print_table
    from circuitvar.reports.neurons import UnitChoice, best_units, run_neurons
    from circuitvar.reports.page import check_writable

    check_writable(out)
    run = run_neurons(
        task, model, out, prompts=prompts, held_out=heldout, seed=seed, device=device,
        options=NeuronOptions(compositions=compositions),
        units=UnitChoice(
            tuple(part.strip() for part in units.split(",")), direction=direction,
            circuit=circuit, size=size,
        ),
        other_models=None if other_model is None else tuple(other_model), workers=workers,
    )  # fmt: skip
    if quiet:
        return
    frame = pd.concat([best_units(audit, 8) for audit in run.parts.values()])
    frame = pd.DataFrame(frame, columns=["unit", "label", "verdict", "vote", "held_out"])
    print_table(
        frame.map(lambda value: f"{value:.3g}" if isinstance(value, float) else value),
        title=f"Best-explained units of {model} on {task}",
    )
    print(f"written to {out}")
