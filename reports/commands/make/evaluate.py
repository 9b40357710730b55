"""`circuitvar evaluate CIRCUIT`: how faithful is it, at which size, under which ablation?"""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import (
    CorruptionKey,
    DataFile,
    Device,
    Dtype,
    MethodKey,
    MetricKey,
    Out,
    Quiet,
    Revision,
    Seed,
)

CircuitName = Annotated[
    str,
    typer.Argument(
        help="File of edges (.json, .pt, .csv, .graphml, .txt), shipped circuit (ioi-gpt2, ...), "
        "or planted:KEY."
    ),
]
CircuitModel = Annotated[
    str, typer.Option("--model", help="Hub name, local folder, pocket or planted model.")
]
CircuitTask = Annotated[
    str | None, typer.Option("--task", help="Task key; the circuit's own when it names one.")
]
Variant = Annotated[
    str, typer.Option("--variant", help="Variant of a shipped circuit; its default if omitted.")
]
FileSize = Annotated[
    int | None,
    typer.Option("--size", help="Strongest edges to take from a file that holds scores only."),
]


def evaluate(
    circuit: CircuitName,
    model: CircuitModel,
    task: CircuitTask = None,
    data: DataFile = None,
    variant: Variant = "",
    size: FileSize = None,
    n: Annotated[int, typer.Option("--n", help="Held-out prompts.")] = 200,
    ablation: Annotated[
        list[str] | None,
        typer.Option(
            "--ablation",
            help="patching, mean, mean-positional, zero or optimal; repeatable, all if omitted.",
        ),
    ] = None,
    metric: MetricKey = None,
    corruption: CorruptionKey = None,
    method: MethodKey = "eap-ig-inputs",
    signed: Annotated[
        bool, typer.Option("--signed", help="Rank edges by signed score, not by |score|.")
    ] = False,
    unpruned: Annotated[
        bool, typer.Option("--unpruned", help="Keep dangling edges in the circuits of the curve.")
    ] = False,
    pairs: Annotated[
        int, typer.Option("--pairs", help="Crossed clean x corrupted pairs of the worst case.")
    ] = 2000,
    steps: Annotated[
        int, typer.Option("--steps", help="Gradient steps of optimal ablation.")
    ] = 100,
    out: Out = Path("runs/evaluate"),
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    revision: Revision = None,
    quiet: Quiet = False,
) -> None:
    """Faithfulness, completeness, KL, circuit error and worst case of one circuit on held-out
    prompts, under five ablations; CPR and CMD on MIB's ten sizes.
    """
    from circuitvar.reports.circuits import ALL_ABLATIONS, EvaluateOptions, run_evaluate
    from circuitvar.reports.page import read_section

    run_evaluate(
        circuit,
        model=model,
        task=task,
        data=data,
        variant=variant,
        options=EvaluateOptions(
            n=n,
            metric=metric,
            corruption=corruption,
            ablations=tuple(dict.fromkeys(ablation or ALL_ABLATIONS)),
            method=method,
            signed=signed,
            prune=not unpruned,
            pairs=pairs,
            steps=steps,
            size=size,
            seed=seed,
        ),
        out=out,
        device=device,
        dtype=dtype,
        revision=revision,
        quiet=quiet,
    )
    if not quiet:
        print("\n".join(read_section(out).summary))
        print(f"written to {out}")
