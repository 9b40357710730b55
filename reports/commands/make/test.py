"""`circuitvar test CIRCUIT`: the statistical tests a claim must pass."""

from pathlib import Path

from circuitvar.reports.commands.arguments import CircuitName
from circuitvar.reports.options import CircuitChoice, CircuitTestOptions, ModelChoice, Output

FOLDER = Output(Path("runs/test"))


def test(
    circuit: CircuitName,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: CircuitTestOptions = CircuitTestOptions(),
    to: Output = FOLDER,
) -> None:
    """Equivalence and TOST, independence, minimality, sufficiency and partial necessity of one
    circuit; power next to every test that does not reject.
    """
    from circuitvar.reports.circuits import run_tests
    from circuitvar.reports.page import read_section

    run_tests(circuit, where=where, of=of, options=options, out=to.out)
    if not to.quiet:
        print("\n".join(read_section(to.out).summary))
        print(f"written to {to.out}")
