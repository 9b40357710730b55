"""Arguments that several commands share."""

from typing import Annotated

import typer

from circuitvar.reports.commands.keys import complete

TaskName = Annotated[
    str | None,
    typer.Argument(
        help="Task key (see `circuitvar tasks`) or your own `module:attribute`.",
        autocompletion=complete("task"),
    ),
]
CircuitName = Annotated[
    str,
    typer.Argument(
        help="File of edges (.json, .pt, .csv, .graphml, .txt), shipped circuit (ioi-gpt2, ...), "
        "or planted:KEY."
    ),
]
