"""`circuitvar find TASK`: find a circuit and write it in any interchange format."""

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
    ModelName,
    Quiet,
    Revision,
    Seed,
)


def find(
    task: Annotated[
        str | None,
        typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
    ] = None,
    model: ModelName = "pocket",
    finder: Annotated[
        str | None,
        typer.Option(
            "--finder",
            help="acdc, edge-pruning, mask-gradient or your own module:attribute; scores and a "
            "rule if omitted.",
        ),
    ] = None,
    method: MethodKey = "eap-ig-inputs",
    rule: Annotated[
        str,
        typer.Option(
            "--rule",
            help="top-n, top-fraction, threshold, greedy, connected (smallest), smallest-faithful, "
            "significant (max-T), inner or outer (of the top n).",
        ),
    ] = "top-n",
    amount: Annotated[
        float | None,
        typer.Option(
            "--amount",
            help="Edges (or share, or score) the rule takes; a tenth, at most 200, if omitted.",
        ),
    ] = None,
    signed: Annotated[
        bool, typer.Option("--signed", help="Rank by signed score, not by |score|.")
    ] = False,
    epsilon: Annotated[
        float, typer.Option("--epsilon", help="Largest error that smallest-faithful allows.")
    ] = 0.1,
    error: Annotated[
        str,
        typer.Option(
            "--error", help="Error of smallest-faithful: circuit-error, faithfulness or kl."
        ),
    ] = "circuit-error",
    level: Annotated[
        float, typer.Option("--level", help="Error rate of significant, inner and outer.")
    ] = 0.05,
    minimum_effect: Annotated[
        float, typer.Option("--minimum-effect", help="Effect that significant tests against.")
    ] = 0.0,
    n: Annotated[int, typer.Option("--n", help="Prompts to find on; as many are held out.")] = 100,
    data: DataFile = None,
    metric: MetricKey = None,
    corruption: CorruptionKey = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="File; its ending is the format: .json (EAP-IG, MIB), .pt, .csv, .graphml or "
            ".txt (ACDC).",
        ),
    ] = Path("runs/circuit.csv"),
    seed: Seed = 0,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    revision: Revision = None,
    quiet: Quiet = False,
) -> None:
    """Find a circuit with a finder, or with a method's scores and a selection rule."""
    from circuitvar.reports.circuits import FindOptions, run_find
    from circuitvar.reports.named import resolve_task

    circuit = run_find(
        resolve_task(task, data),
        model=model,
        out=out,
        options=FindOptions(
            finder=finder,
            method=method,
            rule=rule,
            amount=amount,
            signed=signed,
            epsilon=epsilon,
            error=error,
            alpha=level,
            minimum_effect=minimum_effect,
            n=n,
            metric=metric,
            corruption=corruption,
            seed=seed,
        ),
        device=device,
        dtype=dtype,
        revision=revision,
    )
    if not quiet:
        print(
            f"{circuit.rule}: {circuit.requested} edges asked for, {circuit.selected} chosen, "
            f"{circuit.size} live"
        )
        left = circuit.selected - circuit.size
        dangling = f" without the {left} dangling ones" if left else ""
        print(f"a circuit of {circuit.size} edges{dangling} is written to {out}")
