"""`circuitvar published NAME|FILE`: audit a circuit that somebody found."""

from pathlib import Path

from circuitvar.reports.commands.arguments import CircuitName
from circuitvar.reports.options import CircuitChoice, ModelChoice, Output, PublishedOptions

PUBLISHED = Output(Path("runs/published"))


def published(
    circuit: CircuitName,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: PublishedOptions = PublishedOptions(),
    to: Output = PUBLISHED,
) -> None:
    """Does it hold on other templates, corruptions and words; is it better than random; is it
    found again?
    """
    from circuitvar.reports.circuits import run_published
    from circuitvar.reports.console import print_table

    found = run_published(circuit, where=where, of=of, options=options, out=to.out)
    if to.quiet:
        return
    for name, frame in found.tables.items():
        # The choices are the same in every row of a condition; the files have them.
        shown = frame.loc[:, [not str(column).startswith("choice: ") for column in frame]]
        print_table(
            shown.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value),
            title=name,
        )
    print(f"written to {to.out}")
