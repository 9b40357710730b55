"""Read back a report folder: what tables over several runs, comparisons and gates start from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.reports.card.document import read_card
from circuitvar.reports.card.manifest import require_one_report
from circuitvar.reports.tables import labels_of


@dataclass(frozen=True, eq=False)
class Run:
    """One audited circuit on disk."""

    folder: Path
    card: Mapping[str, Any]
    frames: Mapping[str, pd.DataFrame]
    """`stability`, `edges`, `estimates` and every `tables/<name>.csv`, as far as they exist."""

    @property
    def labels(self) -> dict[str, str]:
        """Model, task, method, metric and ablation, as far as they are recorded."""
        return labels_of(self.card["provenance"])

    def frame(self, name: str) -> pd.DataFrame:
        """One table of the run.

        Raises
        ------
        ValueError
            The run has no such table.
        """
        if name not in self.frames:
            raise ValueError(
                f"{self.folder} has no table {name!r}; it has {', '.join(sorted(self.frames))}"
            )
        return self.frames[name]

    def estimate(self, name: str) -> Mapping[str, Any]:
        """One headline estimate of the card; all numbers None when the run does not have it."""
        for entry in self.card["estimates"]:
            if entry["name"] == name:
                return entry
        return {"name": name, "value": None, "se": None, "low": None, "high": None, "n": 0}


def read_run(folder: Path | str) -> Run:
    """The card and every table of a report folder.

    Raises
    ------
    ValueError
        The folder holds no readable card, or its files are not of one report.
    """
    folder = Path(folder)
    if not (folder / "card.json").is_file():
        raise ValueError(
            f"{folder} holds no card.json; pass a folder that `circuitvar audit` wrote"
        )
    card = read_card(folder / "card.json")
    require_one_report(folder)
    paths = [*sorted(folder.glob("*.csv")), *sorted(folder.glob("tables/*.csv"))]
    frames = {path.stem: pd.read_csv(path) for path in paths}
    return Run(folder, card, frames)
