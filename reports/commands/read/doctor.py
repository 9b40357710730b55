"""`circuitvar doctor MODEL`: does this suite see the model's residual stream correctly?"""

from typing import Annotated

import typer

from circuitvar.reports.commands.options import Device, Dtype, Revision


def doctor(
    model: Annotated[str, typer.Argument(help="Hub name, local folder or pocket model.")],
    revision: Revision = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Check a model: edge count, reconstruction of every destination's input, equal logits."""
    import pandas as pd

    from circuitvar.circuits.loading import load_model, self_check
    from circuitvar.reports.console import print_table

    checks = self_check(load_model(model, device=device, dtype=dtype, revision=revision))
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
