"""The section of a neuron audit on a joined page: `section.json` beside its tables and figures."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.audit.neurons.views import SEED_AXIS
from circuitvar.reports.neurons.units import UNITS
from circuitvar.reports.page import SectionFigure, SectionTable, write_section

SHOWN = "unit label verdict score vote vote_low vote_high held_out".split()
"""Columns of the unit tables that the page shows; `units.csv` has them all."""
CLEAREST = 40
"""Units that the page lists."""
TABLES = {
    "clearest": "The {units} with the clearest labels",
    "ledger": "What moves the labels of {units}: one perturbation at a time",
    "seeds": "Labels of {units} in models of other training seeds",
    "formulas": "AND / OR / NOT formulas for {units}, judged on other prompts",
    "substitution": "{Units} replaced by their explanation",
}
"""Tables of each kind of unit, by file name."""
AXIS_WORDS = {
    "prompts": "resampling the prompts",
    "templates": "leaving out a template",
    "size": "a smaller probing set",
    "threshold": "another activity threshold",
    "metric": "a metric of another family",
    "name pool": "another name pool",
}
"""What axes that do not say it themselves change."""
FIGURES = {
    "verdicts": (
        "Verdicts of {units}",
        "{Units} by what resampling the prompts says of their label.",
    ),
    "votes": (
        "Which label wins for {units}",
        "Share of resamples of the prompts in which each concept is the best label of one of the "
        "{units}; dots mark the concepts in each set.",
    ),
    "perturbations": (
        "What moves the labels of {units}",
        "Share of labels that differ from those of the unperturbed audit: a dot per level, a line "
        "at their mean. Units of other training seeds are matched to look most alike, so their "
        "share is a lower estimate.",
    ),
    "ranges": (
        "Concepts by activation range",
        "Concept that sets each range of activations of the clearest unit most apart.",
    ),
}
CARD = (
    "The clearest of the {units}",
    "Its label with the verdict, the votes of resamples, the linear explanation with its "
    "simulation correlation, and the leading concept of each activation range.",
)
BOUNDS = (
    "Error of a score against its bounds",
    "Observed error of the similarity by number of prompts, below bounds that hold for any "
    "distribution. The unit is the best supported one whose error is above 0 at every number.",
)


def write_neurons_section(summary: Mapping[str, Any], out: Path) -> Path:
    """`section.json` of a folder that already holds the tables and figures."""
    provenance = summary["provenance"]
    tables, figures = [], []
    for kind, noun in UNITS.items():
        words = {"units": noun, "Units": noun[:1].upper() + noun[1:]}
        tables += [
            SectionTable(f"{kind}/{name}.csv", title.format(**words))
            for name, title in TABLES.items()
            if (out / kind / f"{name}.csv").is_file()
        ]
        figures += [
            SectionFigure(f"figures/{kind}-{name}.svg", *(part.format(**words) for part in text))
            for name, text in FIGURES.items()
            if (out / "figures" / f"{kind}-{name}.svg").is_file()
        ]
        card = summary[kind]["best"][:1] if kind in summary else []
        if card:
            path = f"figures/{card_name(kind, card[0]['unit'])}.svg"
            if (out / path).is_file():
                figures.append(SectionFigure(path, *(part.format(**words) for part in CARD)))
    if (out / "figures" / "bounds.svg").is_file():
        figures.append(SectionFigure("figures/bounds.svg", *BOUNDS))
    return write_section(
        out,
        kind="neurons",
        title=f"Neuron explanations: {provenance['model']}, {provenance['task']}"
        if provenance
        else "Neuron explanations",
        summary=neuron_sentences(summary),
        tables=tables,
        figures=figures,
    )


def card_name(kind: str, unit: str) -> str:
    """File name of a unit's card; heads by output have the names of heads by attention.

    >>> card_name("edges", "a0.h1->a1.h2<q>")
    'card-edges-a0.h1-to-a1.h2.q'
    """
    plain = re.sub(r"<(\w+)>", r".\1", unit.replace("->", "-to-"))
    return f"card-{plain}" if kind in ("neurons", "heads") else f"card-{kind}-{plain}"


def formulas(compositions: pd.DataFrame) -> pd.DataFrame:
    """The shown columns of the composition table."""
    names = {"held_out_iou": "formula_iou", "low": "gain_low", "high": "gain_high"}
    columns = "unit formula formula_iou concept concept_iou gain_low gain_high supported".split()
    return compositions.rename(columns=names).filter(items=columns)


def clearest(units: pd.DataFrame) -> pd.DataFrame:
    """The shown columns of units that are already in order, clearest first."""
    return units.filter(items=list(SHOWN)).head(CLEAREST)


def neuron_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Counts of verdicts, the clearest labels, what moves them, what replacing neurons keeps."""
    found = []
    for kind, noun in UNITS.items():
        if kind not in summary:
            continue
        entry = summary[kind]
        counts = ", ".join(f"{n} {verdict}" for verdict, n in entry["verdicts"].items())
        found.append(f"Labels of {entry['units']} {noun}: {counts}.")
        if entry["best"]:
            best = entry["best"][0]
            found.append(
                f"Clearest of the {noun}: {best['unit']}, {best['label']} ({best['verdict']}; wins "
                f"{best['vote']:.0%} of resamples, held-out score {best['held_out']:.3g})."
            )
        found += _moved(entry, noun)
    if summary["joint_substitution"] is not None:
        found.append(
            "With the best-explained neurons replaced by their explanations together, the "
            f"substitution score is {summary['joint_substitution']:.3g}."
        )
    return found


def _moved(entry: Mapping[str, Any], noun: str) -> list[str]:
    """Which perturbation changes most labels and which fewest, and agreement between seeds."""
    found = []
    rates = {axis: row["flip_rate"] for axis, row in entry.get("perturbations", {}).items()}
    rates.pop(SEED_AXIS, None)
    if len(rates) > 1:
        most, least = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
        found.append(
            f"Of the perturbations of one model, {AXIS_WORDS.get(most, most)} changes the most "
            f"labels of {noun} ({rates[most]:.0%}), {AXIS_WORDS.get(least, least)} the fewest "
            f"({rates[least]:.0%})."
        )
    if "seeds" in entry:
        seeds = entry["seeds"]
        found.append(
            f"In models of other training seeds {seeds['matched_agreement']:.0%} of the labels of "
            f"{noun} recur on the unit matched to each (an upper estimate); paired at random "
            f"within layers {seeds['random_agreement']:.0%} would."
        )
    return found
