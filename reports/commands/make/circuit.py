"""`circuitvar evaluate | test | published CIRCUIT`: what a circuit that somebody found is worth."""

from pathlib import Path

from circuitvar.reports.commands.arguments import CircuitName
from circuitvar.reports.options import (
    CircuitChoice,
    CircuitTestOptions,
    EvaluateOptions,
    ModelChoice,
    Output,
    PublishedOptions,
)

EVALUATED, TESTED, PUBLISHED = (
    Output(Path("runs") / name) for name in ("evaluate", "test", "published")
)


def evaluate(
    circuit: CircuitName,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: EvaluateOptions = EvaluateOptions(),
    to: Output = EVALUATED,
) -> None:
    """Faithfulness, completeness, KL, circuit error and worst case of one circuit on held-out
    prompts, under five ablations; CPR and CMD on MIB's ten sizes.
    """
    from circuitvar.reports.circuits import run_evaluate

    run_evaluate(circuit, where=where, of=of, options=options, out=to.out, quiet=to.quiet)
    _print_summary(to)


def test(
    circuit: CircuitName,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: CircuitTestOptions = CircuitTestOptions(),
    to: Output = TESTED,
) -> None:
    """Equivalence and TOST, independence, minimality, sufficiency and partial necessity of one
    circuit; power next to every test that does not reject.
    """
    from circuitvar.reports.circuits import run_tests

    run_tests(circuit, where=where, of=of, options=options, out=to.out)
    _print_summary(to)


def _print_summary(to: Output) -> None:
    from circuitvar.reports.page import read_section

    if not to.quiet:
        print("\n".join(read_section(to.out).summary))
        print(f"written to {to.out}")


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
        shown = [not str(column).startswith("choice: ") for column in frame]
        print_table(frame.loc[:, shown], title=name)
    print(f"written to {to.out}")
