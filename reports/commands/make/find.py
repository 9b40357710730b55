"""`circuitvar find TASK`: a circuit by a finder or by a rule over scores, written to a file."""

from pathlib import Path
from typing import Annotated

from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.commands.arguments import TaskName
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
) -> None:
    """Find a circuit with a finder, or with a method's scores and a selection rule."""
    from circuitvar.reports.circuits import run_find
    from circuitvar.reports.named import resolve_task

    circuit = run_find(
        resolve_task(task, data),
        model=where.model,
        out=out,
        options=options,
        device=where.device,
        dtype=where.dtype,
        revision=where.revision,
    )
    if not quiet:
        print(
            f"{circuit.rule}: {circuit.requested} edges asked for, {circuit.selected} chosen, "
            f"{circuit.size} live"
        )
        left = circuit.selected - circuit.size
        dangling = f" without the {left} dangling ones" if left else ""
        print(f"a circuit of {circuit.size} edges{dangling} is written to {out}")
