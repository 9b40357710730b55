"""`circuitvar demo`: the whole path on the pocket model, offline."""

from pathlib import Path
from typing import Annotated

from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.options import Output

DEMO = Output(Path("runs/demo"))


def demo(
    quick: Annotated[bool, Option("Fewer prompts and replicates: a smoke test.", COMMON)] = False,
    to: Output = DEMO,
) -> None:
    """Audit the indirect-object circuit of the pocket model and write a stability report."""
    from circuitvar.audit.settings import QUICK, Settings
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
