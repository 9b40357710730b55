"""`circuitvar audit TASK`: discover, perturb, evaluate, report."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.audit.settings import preset as preset_called
from circuitvar.circuits.option import COMMON, OUTPUT, STATISTICS, Option
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import NOTHING, Given
from circuitvar.reports.options import (
    POCKET,
    DataFile,
    ModelChoice,
    Output,
    SeedModels,
    split_names,
)

AUDIT = Output(Path("runs/audit"))


def audit(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    settings: Settings = Settings(),
    preset: Annotated[
        str | None, Option("`quick`, `paper` or `full`: values of all options not given.", COMMON)
    ] = None,
    seed_models: SeedModels = (),
    bar: Annotated[
        tuple[str, ...],
        Option("A bar of the verdicts, e.g. `jaccard=0.7` or `phi=0.9`; repeatable.", STATISTICS),
    ] = (),
    allow_weak: Annotated[
        bool, Option("Go on although the model does not do the task; reported.", OUTPUT)
    ] = False,
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
    resolved = resolve_task(task, data)
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
