"""`circuitvar score TASK`: per-example edge scores on disk."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import (
    AblationKey,
    CorruptionKey,
    DataFile,
    Device,
    Dtype,
    MethodKey,
    MetricKey,
    ModelName,
    Out,
    Quiet,
    Revision,
    Seed,
    Steps,
)


def score(
    task: Annotated[
        str | None,
        typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
    ] = None,
    model: ModelName = "pocket",
    method: MethodKey = "eap-ig-inputs",
    n: Annotated[int, typer.Option("--n", help="Prompts to score.")] = 100,
    out: Out = Path("runs/scores"),
    data: DataFile = None,
    metric: MetricKey = None,
    corruption: CorruptionKey = None,
    ablation: AblationKey = "patching",
    steps: Steps = 5,
    rule: Annotated[
        str,
        typer.Option(
            "--rule", help="Integration rule: left (published), midpoint, gauss-legendre."
        ),
    ] = "left",
    granularity: Annotated[
        str,
        typer.Option("--granularity", help="What is scored: edge, node, or neuron (MLP units)."),
    ] = "edge",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            help="Patch only the tokens of this role, e.g. IO; repeat to keep roles apart.",
        ),
    ] = None,
    edges: Annotated[
        Path | None,
        typer.Option("--edges", help="Score only the edges in this file (any circuit format)."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Examples at once; by memory if omitted.")
    ] = None,
    top: Annotated[int, typer.Option("--top", help="Strongest edges to print.")] = 20,
    seed: Seed = 0,
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    quiet: Quiet = False,
) -> None:
    """Score every edge on every prompt; write scores.safetensors and edges.csv."""
    from circuitvar.circuits.types import ScoreOptions
    from circuitvar.reports.circuits import print_strongest, run_score
    from circuitvar.reports.named import resolve_task

    if top < 1:
        raise ValueError(f"--top is {top}; give 1 or more, or --quiet to print no edges")
    results = run_score(
        resolve_task(task, data),
        n=n,
        model=model,
        method=method,
        metric=metric,
        corruption=corruption,
        options=ScoreOptions(
            ablation=ablation,  # pyright: ignore[reportArgumentType] - checked when scoring
            steps=steps,
            rule=rule,  # pyright: ignore[reportArgumentType]
            seed=seed,
        ),
        out=out,
        granularity=granularity,
        roles=tuple(role or ()),
        edges=edges,
        batch_size=batch_size,
        revision=revision,
        device=device,
        dtype=dtype,
        quiet=quiet,
    )
    if not quiet:
        for name, scores in results.items():
            print_strongest(scores, top, role=name)
