"""`circuitvar published NAME|FILE`: audit a circuit that somebody found."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import Device, Dtype, Out, Quiet, Seed


def published(
    circuit: Annotated[
        str,
        typer.Argument(
            help="Shipped circuit (ioi-gpt2, greater-than-gpt2, induction-gpt2, ...), planted:KEY, "
            "or a file of edges: .json, .pt, .csv, .graphml, .txt."
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", help="Hub name, local folder, pocket or planted model.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="Task key; the circuit's own when it names one.")
    ] = None,
    variant: Annotated[
        str, typer.Option("--variant", help="Variant of a shipped circuit; its first if omitted.")
    ] = "",
    n: Annotated[int, typer.Option("--n", help="Prompts per condition.")] = 100,
    family: Annotated[
        str, typer.Option("--null", help="Random circuits: connected, strata or edges.")
    ] = "connected",
    draws: Annotated[int, typer.Option("--draws", help="Random circuits drawn.")] = 100,
    out: Out = Path("runs/published"),
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    quiet: Quiet = False,
) -> None:
    """Does it hold on other templates, corruptions and words; is it better than random; is it
    found again?"""
    from circuitvar.reports.console import print_table
    from circuitvar.reports.run_published import run_published
    from circuitvar.reports.write import check_writable

    check_writable(out)
    found = run_published(
        circuit,
        model=model,
        task=task,
        variant=variant,
        n=n,
        family=family,
        draws=draws,
        out=out,
        seed=seed,
        device=device,
        dtype=dtype,
    )
    if quiet:
        return
    for name, frame in found.tables.items():
        print_table(
            frame.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value),
            title=name,
        )
    print(f"written to {out}")
