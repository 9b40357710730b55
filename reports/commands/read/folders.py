"""`circuitvar table | verify | compare | check | join`: commands that read finished folders."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.circuits.confidence import ERROR_RATE
from circuitvar.circuits.option import COMMON, STATISTICS, Option
from circuitvar.reports.options import FindOptions
from circuitvar.tasks.lookup import unknown

Folders = Annotated[list[Path], typer.Argument(help="Report folders, each with a card.json.")]


def table(
    folders: Folders,
    layout: Annotated[
        str, Option("paper, methods, edges-by-class, noise, stability, variance or edges.", COMMON)
    ] = "paper",
    form: Annotated[str, Option("tex, md or csv.", COMMON, flags=("--format",))] = "tex",
    out: Annotated[
        Path | None, Option("File to write; standard output if omitted.", COMMON)
    ] = None,
) -> None:
    """Join report folders into one table for a paper."""
    from circuitvar.reports.page import check_writable, unwritable
    from circuitvar.reports.paper import paper_table

    if out is not None:
        check_writable(out.parent)
    texts = paper_table(folders, layout=layout).texts()
    if form not in texts:
        raise unknown("format", form, texts)
    if out is None:
        print(texts[form])
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(texts[form], encoding="utf-8")
    except OSError as error:
        raise unwritable(out, error) from error


def verify(
    card: Annotated[Path, typer.Argument(help="A card.json, or the report folder it is in.")],
) -> None:
    """Recompute a card's verdicts from its own numbers, and its numbers from the stored scores."""
    import pandas as pd

    from circuitvar.reports.console import print_table
    from circuitvar.reports.verify import verify_report

    checks = verify_report(card)
    rows = [
        {"check": c.name, "result": "ok" if c.ok else "FAILED", "detail": c.detail} for c in checks
    ]
    print_table(pd.DataFrame(rows), title=str(card))
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


def compare(
    first: Annotated[Path, typer.Argument(help="A report folder.")],
    second: Annotated[Path, typer.Argument(help="Another report folder.")],
) -> None:
    """Differences between two audits (methods, models, checkpoints) with intervals."""
    from circuitvar.reports.compare import compare_reports
    from circuitvar.reports.console import print_table

    print_table(compare_reports(first, second), title=f"{second} minus {first}")


def check(
    new: Annotated[Path, typer.Argument(help="Report folder of the new run.")],
    against: Annotated[Path, Option("Baseline: a report folder or its card.json.", COMMON)],
    alpha: Annotated[
        float, Option("Family-wise error rate.", STATISTICS, ERROR_RATE)
    ] = FindOptions.alpha,
) -> None:
    """Regression gate: exit 0 no worse or better, 1 significantly worse, 2 cannot tell, 3 changed.

    Exit code 2 is also that of a mistake in the command; then a sentence on standard error says
    what to do, and no outcome is printed.
    """
    from circuitvar.reports.compare import check_runs
    from circuitvar.reports.console import print_table

    gate = check_runs(new, against, alpha=alpha)
    print_table(gate.frame(), title=f"{new} against {against}: {gate.outcome}")
    print(gate.outcome)
    raise typer.Exit(gate.exit_code)


def join(
    run: Annotated[Path, typer.Argument(help="Report folder whose page gets the sections.")],
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Folders with a section.json: of evaluate, test, published, design, neurons or "
            "identify."
        ),
    ],
) -> None:
    """Put circuit, design, neuron and identifiability sections onto a run's page, without a new
    run.
    """
    from circuitvar.reports.page import join_sections

    print(f"open {join_sections(run, folders)}")
