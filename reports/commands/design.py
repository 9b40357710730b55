"""`circuitvar design`: run a crossed perturbation design and decompose its variance."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import Device, ModelName, Out, Quiet, Seed, TaskName


def design(
    task: TaskName,
    plan: Annotated[
        str, typer.Option("--plan", help="YAML design file, or a preset: quick, paper, full.")
    ] = "quick",
    model: ModelName = "pocket",
    n: Annotated[int, typer.Option("--n", help="Prompts per run.")] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the budget and stop.")] = False,
    out: Out = Path("runs/design"),
    device: Device = "cpu",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Run every cell of a design that is not stored yet; write runs, components and shares."""
    from circuitvar.audit.settings import Settings
    from circuitvar.reports.console import print_table
    from circuitvar.reports.run_design import plan_budget, resolve_design, run_plan
    from circuitvar.reports.tasks_by_name import resolve_task
    from circuitvar.reports.write import check_writable

    check_writable(out)
    chosen, question = resolve_design(plan), resolve_task(task, None)
    settings = Settings(n=n, seed=seed)
    loaded, sentence = plan_budget(chosen, question, settings, model=model, device=device)
    if dry_run or not quiet:
        print(sentence)
    if dry_run:
        return
    frame = run_plan(chosen, question, settings, loaded, out)
    if not quiet:
        print_table(
            frame.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value),
            title="Variance components, summed over all edges",
        )
        print(f"written to {out}")
