"""Audit the neurons and heads of a model on a task and write tables, figures and cards.

Writes to `out`: `neurons/` and `heads/` with one CSV per frame, `figures/`, `cards.md`,
`neurons.json` and `section.json`. Frames are unrounded.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.audit_neurons import VERDICTS, NeuronOptions, audit_neurons
from circuitvar.audit.neurons.types import NeuronAudit, ProbingSet
from circuitvar.reports import neuron_figures
from circuitvar.reports.neurons_section import CLEAREST, clearest, write_neurons_section
from circuitvar.reports.style import save_figure

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.audit.types import Estimate
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, PromptPair

FORMAT = 1


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """What `run_neurons` found."""

    neurons: NeuronAudit
    heads: NeuronAudit
    substitution: pd.DataFrame
    """One row per replaced neuron, last row all of them together."""
    bounds: pd.DataFrame
    provenance: dict[str, object] = field(default_factory=dict)


def run_neurons(
    task: str,
    model: str = "pocket",
    out: Path | str | None = None,
    *,
    prompts: int = 192,
    held_out: int = 96,
    substituted: int = 8,
    seed: int = 0,
    device: str = "cpu",
    options: NeuronOptions | None = None,
) -> NeuronRun:
    """Label every MLP neuron and head of `model` on `task`; write a report folder to `out`.

    Args:
        prompts: prompts of the probing set; `held_out` more for substitution scores.
        substituted: best-explained neurons whose explanation is put in their place.
        out: folder to write; None writes nothing.

    Raises:
        ValueError: unknown task or model, or too few usable prompts.
    """
    from circuitvar.circuits.model import load_model
    from circuitvar.tasks.catalog import get_task
    from circuitvar.tasks.tokens import tokenize

    chosen, loaded = get_task(task), load_model(model, device=device)
    probe, other, choose = np.random.default_rng(seed).spawn(3)
    pairs = chosen.sample(prompts, rng=probe)
    batch = tokenize(pairs, loaded.tokenizer).batch
    held_pairs = chosen.sample(held_out, rng=other)
    held_batch = tokenize(held_pairs, loaded.tokenizer).batch
    run = _audit(
        loaded, chosen.metric, (batch, pairs), (held_batch, held_pairs), choose,
        replace(options or NeuronOptions(), seed=seed), substituted,
    )  # fmt: skip
    run.provenance.update(
        task=task, model=model, model_digest=loaded.digest, seed=seed, format=FORMAT,
        prompts=len(batch), held_out=len(held_batch),
    )  # fmt: skip
    if out is not None:
        write_neurons(run, Path(out))
    return run


def _audit(
    model: "Model",
    metric: str,
    probe: "tuple[Batch, tuple[PromptPair, ...]]",
    held: "tuple[Batch, tuple[PromptPair, ...]]",
    rng: np.random.Generator,
    options: NeuronOptions,
    substituted: int,
) -> NeuronRun:
    from circuitvar.audit.neurons.adapters import (
        attention_probing_set,
        live_units,
        neuron_probing_set,
    )
    from circuitvar.audit.neurons.token_concepts import token_concepts

    concepts = token_concepts(probe[0], model.tokenizer, pairs=probe[1])
    neurons = live_units(neuron_probing_set(model, probe[0], concepts))
    heads = live_units(attention_probing_set(model, probe[0], concepts))
    found = audit_neurons(neurons, options)
    head_audit = audit_neurons(heads, replace(options, perturbations=None, self_check=False))
    return NeuronRun(
        neurons=found,
        heads=head_audit,
        substitution=_substitution(model, metric, neurons, found, held, rng, options, substituted),
        bounds=_bounds(neurons, found, rng, options),
    )


def _substitution(
    model: "Model",
    metric: str,
    data: ProbingSet,
    audit: NeuronAudit,
    held: "tuple[Batch, tuple[PromptPair, ...]]",
    rng: np.random.Generator,
    options: NeuronOptions,
    count: int,
) -> pd.DataFrame:
    """Replace the best-explained neurons by their linear explanation on held-out prompts."""
    from circuitvar.audit.neurons.adapters import align_columns, substitution_scores
    from circuitvar.audit.neurons.audit_neurons import distinct_concepts
    from circuitvar.audit.neurons.linear_explanation import linear_explanations
    from circuitvar.audit.neurons.token_concepts import token_concepts
    from circuitvar.tasks.metrics import get_metric

    if options.linear is None or not count:
        return pd.DataFrame()
    found = linear_explanations(
        distinct_concepts(data, options.concepts), rng=rng, options=options.linear
    )
    tokens = token_concepts(held[0], model.tokenizer, pairs=held[1], min_prompts=1)
    columns = align_columns(tokens, distinct_concepts(data, options.concepts))
    order = np.argsort(-np.nan_to_num(found.test, nan=-1.0), kind="stable")
    units = [found.units[i] for i in order[:count] if found.length[i]]
    if not units:
        return pd.DataFrame()
    each, joint = substitution_scores(
        model, held[0], get_metric(metric), tokens, columns, found, units, rng=rng
    )
    rows = [_score_row(name, score) for name, score in each.items()]
    rows.append(_score_row(f"all {len(units)} together", joint))
    simulated = dict(zip(found.units, found.test, strict=True))
    for row in rows:
        row["simulation_correlation"] = simulated.get(str(row["unit"]), float("nan"))
    return pd.DataFrame(rows)


def _score_row(name: str, score: "Estimate") -> dict[str, object]:
    return {
        "unit": name,
        "substitution": score.value,
        "se": score.se,
        "low": score.low,
        "high": score.high,
        "prompts": score.n,
    }


def _bounds(
    data: ProbingSet, audit: NeuronAudit, rng: np.random.Generator, options: NeuronOptions
) -> pd.DataFrame:
    """Error against bounds for the best-supported labelled neuron."""
    from circuitvar.audit.neurons.error_curve import error_curve

    held_out = audit.units["held_out"].to_numpy(dtype=float)
    if np.isnan(held_out).all():
        return pd.DataFrame()
    unit = int(np.nanargmax(held_out))
    name = str(audit.units["label"].iloc[unit]).split(" = ")[0].removeprefix("not ")
    concept = data.names.index(name)
    return error_curve(
        data,
        unit,
        concept,
        rng=rng,
        concepts=int(audit.aliases["eligible"].to_numpy().sum()),
        quantile=options.concepts.quantile,
        threshold=options.concepts.threshold,
    )


def write_neurons(run: NeuronRun, out: Path) -> list[Path]:
    """Write tables, figures, cards and a summary; returns the paths."""
    from circuitvar.reports.write import check_writable

    check_writable(out)
    written = []
    for part, audit in (("neurons", run.neurons), ("heads", run.heads)):
        frames = {"units": audit.units, "votes": audit.votes, "aliases": audit.aliases,
                  "metrics": audit.metrics, **audit.tables}  # fmt: skip
        frames["clearest"] = clearest(best_units(audit, CLEAREST))
        if part == "neurons":
            frames |= {"substitution": run.substitution, "bounds": run.bounds}
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
    parts: dict[str, object] = {}
    for part, audit in (("neurons", run.neurons), ("heads", run.heads)):
        counts = audit.units["verdict"].value_counts()
        parts[part] = {
            "units": len(audit.units),
            "verdicts": {str(k): int(v) for k, v in counts.items()},
            "best": [
                {"unit": row["unit"], "label": row["label"], "verdict": row["verdict"],
                 "vote": round(row["vote"], 4), "held_out": round(row["held_out"], 4)}
                for row in best_units(audit, 5).to_dict("records")
            ],
        }  # fmt: skip
    joint = float(run.substitution["substitution"].iloc[-1]) if len(run.substitution) else None
    return {"provenance": run.provenance, **parts, "joint_substitution": joint}


def cards_markdown(run: NeuronRun, *, count: int = 6) -> str:
    """Explanation cards as text, neurons and heads."""
    lines = ["# Explanation cards", ""]
    scores = {}
    if len(run.substitution):
        scores = dict(zip(run.substitution["unit"], run.substitution["substitution"], strict=True))
    for audit in (run.neurons, run.heads):
        for _, row in best_units(audit, count).iterrows():
            lines += [f"## {row['unit']}: {row['label']} ({row['verdict']})", ""]
            lines += [f"* {text}" for text in neuron_figures.card_lines(row)[1:]]
            if row["unit"] in scores:
                lines.append(f"* substitution score {scores[row['unit']]:.3f}")
            lines.append("")
    return "\n".join(lines)


def _write_figures(run: NeuronRun, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    for part, audit in (("neurons", run.neurons), ("heads", run.heads)):
        best = best_units(audit, 6)
        figures[f"{part}-votes"] = neuron_figures.vote_bars(audit.votes, list(best["unit"]))
        figures[f"{part}-verdicts"] = neuron_figures.verdict_bars(audit.units)
        ranges = audit.tables.get("ranges", pd.DataFrame())
        for _, row in best.head(2).iterrows():
            card = neuron_figures.explanation_card(row, audit.votes, ranges)
            figures[f"card-{row['unit']}"] = card
        if len(ranges):
            unit = str(ranges["unit"].iloc[0])
            table = pd.DataFrame(ranges[ranges["unit"] == unit])
            figures[f"{part}-ranges"] = neuron_figures.range_map_figure(table, title=unit)
    if len(run.bounds):
        figures["bounds"] = neuron_figures.bound_curves(run.bounds)
    paths = []
    for key, figure in figures.items():
        for suffix in (".png", ".pdf", ".svg"):
            paths.append(folder / f"{key}{suffix}")
            save_figure(figure, paths[-1])
    return paths
