"""`circuitvar audit | demo | decide`: discover, perturb, evaluate, report; fresh data to a bar."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.audit.settings import preset as preset_called
from circuitvar.circuits.option import COMMON, STATISTICS, Option
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import NOTHING, Given, Only
from circuitvar.reports.options import (
    POCKET,
    AllowWeak,
    DataFile,
    ModelChoice,
    Output,
    SeedModels,
    Strict,
    split_names,
)

AUDIT, DEMO, DECIDE = (Output(Path("runs") / name) for name in ("audit", "demo", "decide"))


def audit(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    strict: Strict = False,
    settings: Settings = Settings(),
    preset: Annotated[
        str | None, Option("`quick`, `paper` or `full`: values of all options not given.", COMMON)
    ] = None,
    seed_models: SeedModels = (),
    bar: Annotated[
        tuple[str, ...],
        Option("A bar of the verdicts, e.g. `jaccard=0.7` or `phi=0.9`; repeatable.", STATISTICS),
    ] = (),
    allow_weak: AllowWeak = False,
    to: Output = AUDIT,
    given: Given = NOTHING,
) -> None:
    """Audit a circuit: find it, perturb everything that could have been otherwise, and report.

    With a preset, prompts that mark no roles get no noise sweep. Files of prompts get no fresh
    data sets.
    """
    from circuitvar.audit.runs import marks_roles
    from circuitvar.audit.verdicts import changed_bars
    from circuitvar.circuits.methods.catalog import get_method, refuse_ignored
    from circuitvar.reports.audit import run_audit
    from circuitvar.reports.named import resolve_task

    if preset:
        own = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name in given}
        settings = replace(preset_called(preset), **own)
    compared = [get_method(key) for key in settings.other_methods]
    # Options that only the methods compared with read have an effect.
    refuse_ignored(
        get_method(settings.method), given.difference(*(method.uses for method in compared))
    )
    resolved = resolve_task(task, data, strict=strict)
    if settings.noise and "noise" not in given and not marks_roles(resolved):
        settings = replace(settings, noise=())
    if resolved.distinct and "fresh" not in given:
        settings = replace(settings, fresh=0)
    run_audit(
        resolved,
        settings,
        model=where.model,
        seed_models=split_names(seed_models),
        out=to.out,
        revision=where.revision,
        device=where.device,
        dtype=where.dtype,
        bars=changed_bars(bar),
        allow_weak=allow_weak,
        quiet=to.quiet,
    )


def demo(
    quick: Annotated[bool, Option("Fewer prompts and replicates: a smoke test.", COMMON)] = False,
    to: Output = DEMO,
) -> None:
    """Audit the indirect-object circuit of the pocket model and write a stability report."""
    from circuitvar.audit.settings import QUICK
    from circuitvar.reports.audit import run_audit
    from circuitvar.tasks.catalog import get_task

    run_audit(
        get_task("ioi"),
        QUICK if quick else Settings(),
        model="pocket:0",
        seed_models=("pocket:1",) if quick else tuple(f"pocket:{s}" for s in range(1, 5)),
        out=to.out,
        quiet=to.quiet,
    )


def decide(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    strict: Strict = False,
    settings: Annotated[Settings, Only("method", "n", "size", "confidence", "seed")] = Settings(
        n=50
    ),
    budget: Annotated[int, Option("Prompts to spend at most; at least 60 n.", COMMON)] = 10_000,
    bar: Annotated[float, Option("phi that counts as stable.", COMMON)] = 0.75,
    allow_weak: AllowWeak = False,
    to: Output = DECIDE,
) -> None:
    """Compare circuits of fresh pairs of data sets until phi is decided against the bar.

    The interval holds however often it is looked at, so stopping early is allowed.
    """
    from circuitvar.audit.single import until_decided
    from circuitvar.audit.verdicts import Bars
    from circuitvar.reports.console import show_progress
    from circuitvar.reports.named import check_behaviour, resolve_task

    question = resolve_task(task, data, strict=strict)
    loaded = where.load(to.out)
    for caution in check_behaviour(question, loaded, settings, allow_weak=allow_weak):
        print(caution)
    with show_progress(quiet=to.quiet) as progress:
        found, verdict = until_decided(
            question,
            loaded,
            settings,
            budget=budget,
            bars=Bars(phi=bar),
            progress=lambda done, total: progress("pairs of data sets", done, total),
        )
    print(f"{verdict.outcome} after {2 * settings.n * found.n} prompts: {verdict.reason}")
    if verdict.needed:
        print(f"To decide: {verdict.needed}.")
