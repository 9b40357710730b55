"""`circuitvar demo`: the whole path on the pocket model, offline."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.reports.commands.options import Out, Quiet


def demo(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer prompts and replicates: a smoke test.")
    ] = False,
    out: Out = Path("runs/demo"),
    quiet: Quiet = False,
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
        out=out,
        quiet=quiet,
    )
