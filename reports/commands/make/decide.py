"""`circuitvar decide TASK`: add prompts until stability is decided or the budget is spent."""

from typing import Annotated

import typer

from circuitvar.reports.commands.options import (
    DataFile,
    Device,
    Dtype,
    MethodKey,
    ModelName,
    Quiet,
    Revision,
    Seed,
)


def decide(
    task: Annotated[
        str | None,
        typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
    ] = None,
    model: ModelName = "pocket",
    method: MethodKey = "eap-ig-inputs",
    n: Annotated[int, typer.Option("--n", help="Prompts a circuit is found on.")] = 50,
    budget: Annotated[
        int, typer.Option("--budget", help="Prompts to spend at most; at least 60 n.")
    ] = 10_000,
    bar: Annotated[float, typer.Option("--bar", help="phi that counts as stable.")] = 0.75,
    size: Annotated[
        int | None, typer.Option("--size", help="Edges to keep; a tenth of the graph if omitted.")
    ] = None,
    data: DataFile = None,
    level: Annotated[float, typer.Option("--level", help="Confidence level.")] = 0.95,
    seed: Seed = 0,
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    quiet: Quiet = False,
) -> None:
    """Compare circuits of fresh pairs of data sets until phi is decided against the bar.

    The interval holds however often it is looked at, so stopping early is allowed.
    """
    from circuitvar.audit.settings import Settings
    from circuitvar.audit.single import until_decided
    from circuitvar.audit.verdicts import Bars
    from circuitvar.circuits.loading import load_model
    from circuitvar.reports.console import show_progress
    from circuitvar.reports.named import resolve_task

    settings = Settings(method=method, n=n, size=size, confidence=level, seed=seed)
    question = resolve_task(task, data)
    loaded = load_model(model, device=device, dtype=dtype, revision=revision)
    with show_progress(quiet=quiet) as progress:
        found, verdict = until_decided(
            question,
            loaded,
            settings,
            budget=budget,
            bars=Bars(phi=bar),
            progress=lambda done, total: progress("pairs of data sets", done, total),
        )
    print(f"{verdict.outcome} after {2 * n * found.n} prompts: {verdict.reason}")
    if verdict.needed:
        print(f"To decide: {verdict.needed}.")
