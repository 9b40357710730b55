"""`circuitvar labels FILE`: labels of another tool against your own activations."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.circuits.option import COMMON, Option
from circuitvar.reports.options import LabelArrays, Output

FOLDER = Output(Path("runs/labels"))


def labels(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="Label file, or folder of such files.")
    ],
    arrays: LabelArrays,
    layout: Annotated[
        str, Option("clip-dissect, linear-explanations, openai or delphi: who wrote it.", COMMON)
    ] = "clip-dissect",
    to: Output = FOLDER,
) -> None:
    """Do your activations support the labels that another tool gave its units?"""
    from circuitvar.reports.console import print_table
    from circuitvar.reports.neurons import run_labels

    found = run_labels(path, layout, arrays, out=to.out)
    if not to.quiet:
        shown = found.loc[:, ["unit", "label", "support", "vote", "ours", "verdict"]]
        print_table(shown.astype(str), title="Labels")
        print(f"written to {to.out / 'labels.csv'}")
