"""`circuitvar design`: run a crossed perturbation design and decompose its variance."""

from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.circuits.option import AT_LEAST_1, COMMON, OUTPUT, STATISTICS, Option
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, AllowWeak, DataFile, ModelChoice, Output, Strict

DESIGN = Output(Path("runs/design"))


def design(
    task: TaskName = None,
    plan: Annotated[str, Option("YAML design file, or a preset: quick, paper, full.", COMMON)] = (
        "quick"
    ),
    where: ModelChoice = POCKET,
    data: DataFile = None,
    strict: Strict = False,
    settings: Annotated[Settings, Only("n", "seed")] = Settings(n=100),
    ask: Annotated[
        tuple[str, ...],
        Option("Interaction to estimate beside main effects: `facet:facet`; repeatable."),
    ] = (),
    function: Annotated[
        bool,
        Option(
            "Run the circuits of each facet under the conditions of its levels, to tell other "
            "circuits with the same function from noise.",
            STATISTICS,
        ),
    ] = True,
    workers: Annotated[
        int, Option("Processes; results do not depend on their number.", OUTPUT, AT_LEAST_1)
    ] = 1,
    allow_weak: AllowWeak = False,
    dry_run: Annotated[bool, Option("Print the budget and stop.", OUTPUT)] = False,
    to: Output = DESIGN,
) -> None:
    """Run every cell of a design that is not stored yet; write runs, components and shares."""
    from circuitvar.reports.console import print_table
    from circuitvar.reports.design import (
        TITLES,
        check_plan,
        interactions,
        plan_budget,
        resolve_design,
        run_plan,
    )
    from circuitvar.reports.named import check_behaviour, resolve_task
    from circuitvar.reports.page import check_writable

    check_writable(to.out)
    question, asked = resolve_task(task, data, strict=strict), interactions(ask)
    chosen = resolve_design(plan, question)
    check_plan(chosen, question, settings, asked=asked)
    loaded = where.load(to.out)
    for caution in check_behaviour(question, loaded, settings, allow_weak=allow_weak):
        print(caution)
    if dry_run or not to.quiet:
        print(plan_budget(chosen, question, settings, loaded).sentence)
    if dry_run:
        return
    tables = run_plan(
        chosen, question, settings, loaded, to.out, asked=asked, function=function, workers=workers
    )
    if not to.quiet:
        for name in ("agreement", "function", "components"):
            if name in tables:
                print_table(tables[name], title=TITLES[name])
        print(f"written to {to.out}")
