"""`circuitvar find TASK`: a circuit by a finder or by a rule over scores, written to a file."""

from pathlib import Path
from typing import Annotated

from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import NOTHING, Given
from circuitvar.reports.options import POCKET, DataFile, FindOptions, ModelChoice, Quiet


def find(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    options: FindOptions = FindOptions(),
    out: Annotated[
        Path,
        Option(
            "File; its ending is the format: .json (EAP-IG, MIB), .pt, .csv, .graphml or .txt "
            "(ACDC).",
            COMMON,
        ),
    ] = Path("runs/circuit.csv"),
    quiet: Quiet = False,
    given: Given = NOTHING,
) -> None:
    """Find a circuit with a finder, or with a method's scores and a selection rule."""
    from circuitvar.reports.circuits import refuse_unread, run_find
    from circuitvar.reports.named import resolve_task

    refuse_unread(options, given)
    circuit = run_find(resolve_task(task, data), where=where, out=out, options=options)
    if not quiet:
        print(
            f"{circuit.rule}: {circuit.requested} edges asked for, {circuit.selected} chosen, "
            f"{circuit.size} live"
        )
        left = circuit.selected - circuit.size
        dangling = f" without the {left} dangling ones" if left else ""
        print(f"a circuit of {circuit.size} edges{dangling} is written to {out}")
