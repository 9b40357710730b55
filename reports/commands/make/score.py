"""`circuitvar score | find TASK`: per-example edge scores, and a circuit written to a file."""

from pathlib import Path
from typing import Annotated

from circuitvar.circuits.option import COMMON, OUTPUT, Option
from circuitvar.circuits.types import ScoreOptions
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import NOTHING, Given
from circuitvar.reports.options import (
    POCKET,
    DataFile,
    FindOptions,
    ModelChoice,
    Output,
    Quiet,
    ScoreChoice,
    Strict,
)

SCORES = Output(Path("runs/scores"))


def score(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    strict: Strict = False,
    choice: ScoreChoice = ScoreChoice(),
    options: ScoreOptions = ScoreOptions(),
    top: Annotated[int, Option("Strongest edges to print.", OUTPUT)] = 20,
    to: Output = SCORES,
    given: Given = NOTHING,
) -> None:
    """Score every edge on every prompt; write scores.safetensors and edges.csv."""
    from circuitvar.circuits.methods.catalog import get_method, refuse_ignored
    from circuitvar.reports.circuits import print_strongest, run_score
    from circuitvar.reports.named import resolve_task

    if top < 1:
        raise ValueError(f"--top is {top}; give 1 or more, or --quiet to print no edges")
    refuse_ignored(get_method(choice.method), given)
    results = run_score(
        resolve_task(task, data, strict=strict),
        where=where,
        choice=choice,
        options=options,
        out=to.out,
        quiet=to.quiet,
    )
    if not to.quiet:
        for name, scores in results.items():
            print_strongest(scores, top, role=name)


def find(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
    strict: Strict = False,
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
    circuit = run_find(
        resolve_task(task, data, strict=strict), where=where, out=out, options=options
    )
    if not quiet:
        print(
            f"{circuit.rule}: {circuit.requested} edges asked for, {circuit.selected} chosen, "
            f"{circuit.size} live"
        )
        left = circuit.selected - circuit.size
        dangling = f" without the {left} dangling ones" if left else ""
        print(f"a circuit of {circuit.size} edges{dangling} is written to {out}")
