"""`circuitvar doctor MODEL`: does this suite see the model's residual stream correctly?"""

from dataclasses import replace
from typing import Annotated

import typer

from circuitvar.reports.commands.from_record import Only
from circuitvar.reports.options import POCKET, ModelChoice


def doctor(
    model: Annotated[str, typer.Argument(help="Hub name, local folder or pocket model.")],
    where: Annotated[ModelChoice, Only("revision", "device", "dtype")] = POCKET,
) -> None:
    """Check a model: edge count, reconstruction of every destination's input, equal logits."""
    import pandas as pd

    from circuitvar.circuits.loading import self_check
    from circuitvar.reports.console import print_table

    checks = self_check(replace(where, model=model).load())
    rows = [
        {
            "check": check.name,
            "residual": f"{check.residual:.2g}",
            "allowed": f"{check.bar:.2g}",
            "result": "ok" if check.passed else "FAILED",
            "meaning": check.meaning,
        }
        for check in checks
    ]
    print_table(pd.DataFrame(rows), title=model)
    failed = [check.name for check in checks if not check.passed]
    if failed:
        raise ValueError(
            f"{model} failed: {', '.join(failed)}; its scores would be wrong and are refused"
        )
