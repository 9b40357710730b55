"""`circuitvar design`: run a crossed perturbation design and decompose its variance."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import (
    DataFile,
    Device,
    Dtype,
    ModelName,
    Out,
    Quiet,
    Revision,
    Seed,
)


def design(
    task: Annotated[
        str | None,
        typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
    ] = None,
    plan: Annotated[
        str, typer.Option("--plan", help="YAML design file, or a preset: quick, paper, full.")
    ] = "quick",
    model: ModelName = "pocket",
    data: DataFile = None,
    n: Annotated[int, typer.Option("--n", help="Prompts per run.")] = 100,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            "--ask", help="Interaction to estimate beside main effects: `facet:facet`; repeatable."
        ),
    ] = None,
    function: Annotated[
        bool,
        typer.Option(
            help="Run the circuits of each facet under the conditions of its levels, to tell "
            "other circuits with the same function from noise."
        ),
    ] = True,
    workers: Annotated[
        int, typer.Option("--workers", help="Processes; results do not depend on their number.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the budget and stop.")] = False,
    out: Out = Path("runs/design"),
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Run every cell of a design that is not stored yet; write runs, components and shares."""
    from circuitvar.audit.settings import Settings
    from circuitvar.circuits.loading import load_model
    from circuitvar.reports.console import print_table
    from circuitvar.reports.design import (
        TITLES,
        check_plan,
        interactions,
        plan_budget,
        resolve_design,
        run_plan,
    )
    from circuitvar.reports.named import resolve_task
    from circuitvar.reports.page import check_writable

    check_writable(out)
    question, asked = resolve_task(task, data), interactions(ask or ())
    chosen = resolve_design(plan, question)
    settings = Settings(n=n, seed=seed)
    check_plan(chosen, question, settings, asked=asked)
    loaded = load_model(model, device=device, dtype=dtype, revision=revision)
    if dry_run or not quiet:
        print(plan_budget(chosen, question, settings, loaded).sentence)
    if dry_run:
        return
    tables = run_plan(
        chosen, question, settings, loaded, out, asked=asked, function=function, workers=workers
    )
    if not quiet:
        for name in ("agreement", "function", "components"):
            if name in tables:
                print_table(
                    tables[name].map(lambda v: f"{v:.4g}" if isinstance(v, float) else v),
                    title=TITLES[name],
                )
        print(f"written to {out}")
