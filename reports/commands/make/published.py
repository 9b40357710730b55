"""`circuitvar published NAME|FILE`: audit a circuit that somebody found."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import DataFile, Device, Dtype, Out, Quiet, Seed


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
    data: DataFile = None,
    variant: Annotated[
        str, typer.Option("--variant", help="Variant of a shipped circuit; its default if omitted.")
    ] = "",
    size: Annotated[
        int | None,
        typer.Option("--size", help="Strongest edges to take from a file that holds scores only."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Prompts per condition.")] = 100,
    family: Annotated[
        str,
        typer.Option(
            "--null",
            help="Random circuits: connected, strata or edges; or random-weights: shuffled models.",
        ),
    ] = "connected",
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help="Random knock-outs come from outside the circuit (`outside`) or from the whole "
            "`model`.",
        ),
    ] = "outside",
    draws: Annotated[int, typer.Option("--draws", help="Random circuits drawn.")] = 100,
    out: Out = Path("runs/published"),
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    quiet: Quiet = False,
) -> None:
    """Does it hold on other templates, corruptions and words; is it better than random; is it
    found again?
    """
    from circuitvar.reports.circuits import run_published
    from circuitvar.reports.console import print_table
    from circuitvar.reports.page import check_writable

    check_writable(out)
    found = run_published(
        circuit,
        model=model,
        task=task,
        data=data,
        variant=variant,
        size=size,
        n=n,
        family=family,
        reference=reference,  # pyright: ignore[reportArgumentType] - checked by the tests
        draws=draws,
        out=out,
        seed=seed,
        device=device,
        dtype=dtype,
    )
    if quiet:
        return
    for name, frame in found.tables.items():
        # The choices are the same in every row of a condition; the files have them.
        shown = frame.loc[:, [not str(column).startswith("choice: ") for column in frame]]
        print_table(
            shown.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value),
            title=name,
        )
    print(f"written to {out}")
