"""`circuitvar score TASK`: per-example edge scores, for the user's own statistics."""

from pathlib import Path
from typing import Annotated

from circuitvar.circuits.option import OUTPUT, Option
from circuitvar.circuits.types import ScoreOptions
from circuitvar.reports.commands.arguments import TaskName
from circuitvar.reports.commands.from_record import NOTHING, Given
from circuitvar.reports.options import POCKET, DataFile, ModelChoice, Output, ScoreChoice

SCORES = Output(Path("runs/scores"))


def score(
    task: TaskName = None,
    where: ModelChoice = POCKET,
    data: DataFile = None,
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
        resolve_task(task, data),
        where=where,
        choice=choice,
        options=options,
        out=to.out,
        quiet=to.quiet,
    )
    if not to.quiet:
        for name, scores in results.items():
            print_strongest(scores, top, role=name)
