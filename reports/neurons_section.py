"""The section of a neuron audit on a joined page: `section.json` beside its tables and figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.reports.section_file import SectionFigure, SectionTable, write_section

SHOWN = "unit label verdict score vote vote_low vote_high held_out".split()
"""Columns of the unit tables that the page shows; `units.csv` has them all."""
CLEAREST = 40
"""Units that the page lists."""
TABLES = {
    "neurons/clearest.csv": "The neurons with the clearest labels",
    "heads/clearest.csv": "The heads with the clearest labels",
    "neurons/substitution.csv": "Neurons replaced by their explanation",
}
FIGURES = {
    "neurons-verdicts": ("Verdicts", "Neurons by what resampling the prompts says of their label."),
    "neurons-votes": (
        "Which label wins in resamples",
        "Share of resamples of the prompts in which each concept is the best label of a neuron.",
    ),
    "heads-votes": (
        "Which label wins for heads",
        "Share of resamples of the prompts in which each concept is the best label of a head.",
    ),
    "bounds": (
        "Error of a score against its bounds",
        "Observed error of the similarity by number of prompts, below bounds that hold for any "
        "distribution.",
    ),
}


def write_neurons_section(summary: Mapping[str, Any], out: Path) -> Path:
    """`section.json` of a folder that already holds the tables and figures."""
    provenance = summary["provenance"]
    tables = [SectionTable(file, text) for file, text in TABLES.items() if (out / file).is_file()]
    return write_section(
        out,
        kind="neurons",
        title=f"Neuron explanations: {provenance['model']}, {provenance['task']}"
        if provenance
        else "Neuron explanations",
        summary=neuron_sentences(summary),
        tables=tables,
        figures=[
            SectionFigure(f"figures/{key}.svg", *text)
            for key, text in FIGURES.items()
            if (out / "figures" / f"{key}.svg").is_file()
        ],
    )


def clearest(units: pd.DataFrame) -> pd.DataFrame:
    """The shown columns of units that are already in order, clearest first."""
    return units.filter(items=list(SHOWN)).head(CLEAREST)


def neuron_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Counts of verdicts, the clearest labels, and what replacing neurons keeps."""
    found = []
    for part in ("neurons", "heads"):
        entry = summary[part]
        counts = ", ".join(f"{n} {verdict}" for verdict, n in entry["verdicts"].items())
        found.append(f"Labels of {entry['units']} {part}: {counts}.")
        if entry["best"]:
            best = entry["best"][0]
            found.append(
                f"Clearest of the {part}: {best['unit']}, {best['label']} ({best['verdict']}; wins "
                f"{best['vote']:.0%} of resamples, held-out score {best['held_out']:.3g})."
            )
    if summary["joint_substitution"] is not None:
        found.append(
            "With the best-explained neurons replaced by their explanations together, the "
            f"substitution score is {summary['joint_substitution']:.3g}."
        )
    return found
