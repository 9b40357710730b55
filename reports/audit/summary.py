"""The last lines a terminal user reads: verdicts with their numbers, and where the files are."""

from pathlib import Path

import pandas as pd

from circuitvar.audit.types import Audit
from circuitvar.reports.card import cautions, null_sentence
from circuitvar.reports.console import print_table


def print_summary(audit: Audit, out: Path, paths: list[Path]) -> None:
    """Print one row per axis and one sentence per verdict."""
    rows = [
        {
            "perturbation": axis.title,
            "runs": axis.runs,
            "phi": f"{axis.phi.value:.3f}",
            "interval": f"[{axis.phi.low:.3f}, {axis.phi.high:.3f}]",
            "Jaccard": f"{axis.jaccard.value:.3f}",
            "chance": f"{axis.chance:.3f}",
        }
        for axis in audit.axes
    ]
    print_table(pd.DataFrame(rows), title=audit.title)
    if said := null_sentence(audit):
        print(said)
    for text in cautions(audit):
        print(f"{'CAUTION':>14}  {text}")
    for verdict in audit.verdicts:
        needed = f" To decide: {verdict.needed}." if verdict.needed else ""
        print(f"{verdict.outcome.upper():>14}  {verdict.claim}: {verdict.reason}{needed}")
    page = next((path for path in paths if path.name == "report.html"), out)
    print(f"{len(paths)} files in {out}; open {page}")
