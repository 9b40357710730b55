"""Write a neuron audit to a folder: tables, figures, cards, summary, section of the page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import NeuronAudit
from circuitvar.audit.neurons.run import VERDICTS
from circuitvar.reports.figures import save_figure
from circuitvar.reports.neurons import figures
from circuitvar.reports.neurons.section import (
    CLEAREST,
    card_name,
    clearest,
    formulas,
    write_neurons_section,
)
from circuitvar.reports.page import check_writable


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """What `run_neurons` found."""

    parts: Mapping[str, NeuronAudit]
    """One audit per kind of unit, see `units.UNITS`."""
    substitution: pd.DataFrame
    """One row per replaced neuron, last row all of them together; empty without `neurons`."""
    bounds: pd.DataFrame
    """Error against bounds for the best-supported unit of the first kind."""
    provenance: Mapping[str, object]

    @property
    def neurons(self) -> NeuronAudit:
        """The audit of the MLP neurons."""
        return self.parts["neurons"]


def write_neurons(run: NeuronRun, out: Path) -> list[Path]:
    """Write tables, figures, cards and a summary; returns the paths."""
    check_writable(out)
    written = []
    for number, (part, audit) in enumerate(run.parts.items()):
        frames = audit.frames() | {"clearest": clearest(best_units(audit, CLEAREST))}
        if "compositions" in frames:
            frames["formulas"] = formulas(frames["compositions"])
        if part == "neurons":
            frames["substitution"] = run.substitution
        if number == 0:
            frames["bounds"] = run.bounds
        for name, frame in frames.items():
            if len(frame.columns):
                path = out / part / f"{name}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                frame.to_csv(path, index=False, lineterminator="\n")
                written.append(path)
    written += _write_figures(run, out / "figures")
    summary = out / "neurons.json"
    summary.write_text(json.dumps(summarize(run), indent=2) + "\n", encoding="utf-8")
    cards = out / "cards.md"
    cards.write_text(cards_markdown(run), encoding="utf-8")
    return [*written, summary, cards, write_neurons_section(summarize(run), out)]


def best_units(audit: NeuronAudit, count: int) -> pd.DataFrame:
    """Units with the clearest labels: stable before ambiguous, then by held-out score."""
    rank = np.array([VERDICTS.index(verdict) for verdict in audit.units["verdict"]])
    score = np.nan_to_num(audit.units["held_out"].to_numpy(dtype=float), nan=-np.inf)
    return audit.units.iloc[np.lexsort((-score, rank))[:count]]


def summarize(run: NeuronRun) -> dict[str, object]:
    """Counts of verdicts, best labels and substitution, as JSON values."""
    parts: dict[str, dict[str, object]] = {}
    shown = ["unit", "label", "verdict", "vote", "held_out"]
    for part, audit in run.parts.items():
        counts = audit.units["verdict"].value_counts()
        parts[part] = {
            "units": len(audit.units),
            "verdicts": {str(k): int(v) for k, v in counts.items()},
            "best": best_units(audit, 5).loc[:, shown].round(4).to_dict("records"),
            "perturbations": {
                row["axis"]: {"agreement": row["agreement"], "flip_rate": row["flip_rate"]}
                for row in audit.tables.get("ledger", pd.DataFrame()).to_dict("records")
            },
        }
        if "seeds" in audit.tables:
            means = audit.tables["seeds"].drop(columns=["model", "units"]).mean()
            parts[part]["seeds"] = {str(k): float(v) for k, v in means.items()}
    joint = float(run.substitution["substitution"].iloc[-1]) if len(run.substitution) else None
    return {"provenance": run.provenance, **parts, "joint_substitution": joint}


def cards_markdown(run: NeuronRun) -> str:
    """Explanation cards as text, for each kind of unit."""
    lines = ["# Explanation cards", ""]
    scores = {}
    if len(run.substitution):
        scores = dict(run.substitution.set_index("unit")["substitution"])
    for audit in run.parts.values():
        for _, row in best_units(audit, 6).iterrows():
            lines += [f"## {row['unit']}: {row['label']} ({row['verdict']})", ""]
            lines += [f"* {text}" for text in figures.card_lines(row)[1:]]
            if row["unit"] in scores:
                lines.append(f"* substitution score {scores[row['unit']]:.3f}")
            lines.append("")
    return "\n".join(lines)


def _write_figures(run: NeuronRun, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for part, audit in run.parts.items():
        best = best_units(audit, 2)
        shown = vote_units(audit)
        drawn[f"{part}-votes"] = figures.vote_bars(
            audit.votes, list(shown["unit"]), verdicts=list(shown["verdict"])
        )
        drawn[f"{part}-verdicts"] = figures.verdict_bars(audit.units)
        ranges = audit.tables.get("ranges", pd.DataFrame())
        for _, row in best.iterrows():
            card = figures.explanation_card(row, audit.votes, ranges)
            drawn[card_name(part, str(row["unit"]))] = card
        if len(ranges):
            unit = str(ranges["unit"].iloc[0])
            table = pd.DataFrame(ranges[ranges["unit"] == unit])
            drawn[f"{part}-ranges"] = figures.range_map_figure(table, title=unit)
        if "perturbations" in audit.tables:
            drawn[f"{part}-perturbations"] = figures.flip_rates(audit.tables["perturbations"])
    if len(run.bounds):
        drawn["bounds"] = figures.bound_curves(run.bounds)
    paths = []
    for key, figure in drawn.items():
        for suffix in (".png", ".pdf", ".svg"):
            paths.append(folder / f"{key}{suffix}")
            save_figure(figure, paths[-1])
    return paths


def vote_units(audit: NeuronAudit) -> pd.DataFrame:
    """The clearest stable and the clearest other units: stable ones alone are all one full bar."""
    rows = best_units(audit, len(audit.units))
    stable = rows["verdict"].to_numpy(dtype=str) == "stable"
    few = min(stable.sum(), max(3, 6 - (~stable).sum()))
    return pd.DataFrame(pd.concat([rows[stable].head(few), rows[~stable].head(6 - few)]))
