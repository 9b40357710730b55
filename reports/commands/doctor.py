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
    from circuitvar.circuits.model import load_model
    from circuitvar.circuits.self_check import check_model
    from circuitvar.reports.console import print_table

    check = check_model(load_model(model, device=device, dtype=dtype, revision=revision))
    print_table(check.frame(), title=f"{model}: {'sound' if check.passed else 'REFUSED'}")
    if not check.passed:
        raise ValueError(check.reason)
