"""From a circuit's name to a folder with everything its evaluation has to say."""

from pathlib import Path
from typing import Any

import pandas as pd

from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import (
    Tail,
    complement,
    completeness,
    crossed_tail,
    curve_areas,
    evaluate,
    evaluate_optimal,
    faithfulness_curve,
    per_example,
    summarize,
)
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.prune import prune_dangling
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import Circuit, Faithfulness
from circuitvar.reports.circuits.evaluate_section import curve_figure, write_evaluate_section
from circuitvar.reports.circuits.opened import draw_named, open_circuit, write_tables
from circuitvar.reports.console import show_progress
from circuitvar.reports.figures import save_figure
from circuitvar.reports.named import NamedCircuit, discovery_and_heldout
from circuitvar.reports.options import CircuitChoice, EvaluateOptions, ModelChoice
from circuitvar.tasks.types import Batch, Metric


def run_evaluate(
    name: str,
    *,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: EvaluateOptions = EvaluateOptions(),
    out: Path,
    quiet: bool = False,
) -> dict[str, pd.DataFrame]:
    """Evaluate one circuit on held-out prompts; write `circuits_*.csv`, figures and a section.

    Tables: `evaluation` (per ablation: faithfulness both ways, KL, circuit error, accuracy,
    completeness, the six choices of Miller et al. 2024), `curve` and `areas` (MIB's ten sizes, CPR
    and CMD on both axes; not for optimal ablation), `tail` (worst crossed pairs), `examples`.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    opened = open_circuit(name, where, of, out, size=options.size, metric=options.metric)
    loaded, found, metric = opened.model, opened.found, opened.metric
    fit, heldout = discovery_and_heldout(
        opened.task, loaded, options.n, seed=options.seed, corruption=options.corruption
    )
    cautions = opened.cautions(heldout)
    with show_progress(quiet=quiet) as progress:
        runs = {}
        for done, ablation in enumerate(options.ablations):
            progress("running the circuit", done, len(options.ablations))
            runs[ablation] = _both(loaded, found.circuit, fit, heldout, metric, ablation, options)
        progress("running the circuit", len(options.ablations), len(options.ablations))
        curve = _curves(loaded, found, fit, heldout, metric, options, progress)
        tail = _tail(loaded, found.circuit, heldout, options)
    tables = {
        "evaluation": evaluation_table(found.circuit, runs),
        "examples": examples_table(heldout, runs),
    }
    if len(curve):
        tables |= {"curve": curve, "areas": areas_table(curve)}
    if tail is not None:
        tables["tail"] = tail_table(tail)
    _write(out, found, tables, cautions)
    return tables


Runs = dict[str, tuple[Faithfulness, Faithfulness]]
"""Ablation -> (the circuit run, the circuit knocked out)."""


def _both(
    model: Model,
    circuit: Circuit,
    fit: Batch,
    heldout: Batch,
    metric: Metric,
    ablation: str,
    options: EvaluateOptions,
) -> tuple[Faithfulness, Faithfulness]:
    if ablation != "optimal":
        how: dict[str, Any] = {"metric": metric, "ablation": ablation}
        knocked_out = completeness(model, circuit, heldout, **how)
        return evaluate(model, circuit, heldout, **how), knocked_out
    how = {"metric": metric, "steps": options.fit_steps}
    run, knocked_out = (
        evaluate_optimal(
            model, which, fit, heldout, rng=stream(options.seed, "optimal", name), **how
        )
        for name, which in (("circuit", circuit), ("complement", complement(circuit)))
    )
    return run, knocked_out


def _curves(
    model: Model,
    found: NamedCircuit,
    fit: Batch,
    heldout: Batch,
    metric: Metric,
    options: EvaluateOptions,
    progress,
) -> pd.DataFrame:
    """`faithfulness_curve` per ablation; edges ranked by the file's scores or the method's."""
    ablations = [a for a in options.ablations if a != "optimal"]
    if not ablations:
        return pd.DataFrame()
    ranking, scores = "scores in the file", found.scores
    if scores is None:
        ranking = options.method
        scores = score_edges(model, fit, get_method(options.method), metric=metric).mean
    frames = []
    for done, ablation in enumerate(ablations):
        progress("ten sizes", done, len(ablations))
        frame = faithfulness_curve(
            model,
            scores,
            heldout,
            metric=metric,
            ablation=ablation,  # pyright: ignore[reportArgumentType] - checked in the options
            signed=options.signed,
            prune=not options.unpruned,
        )
        frame.insert(0, "ablation", ablation)
        frame.insert(1, "ranked_by", f"{ranking}, {'signed' if options.signed else 'absolute'}")
        frames.append(frame)
    progress("ten sizes", len(ablations), len(ablations))
    return pd.concat(frames, ignore_index=True)


def _tail(model: Model, circuit: Circuit, heldout: Batch, options: EvaluateOptions) -> Tail | None:
    """None where no two prompts can be crossed."""
    lengths = {tuple(row) for row in heldout.mask.tolist()}
    if heldout.noise is not None or len(lengths) == len(heldout):
        return None
    rng = stream(options.seed, "crossed")
    return crossed_tail(model, circuit, heldout, rng=rng, n_pairs=options.pairs)


def evaluation_table(circuit: Circuit, runs: Runs) -> pd.DataFrame:
    """One row per ablation; sizes asked for, chosen and live on every row."""
    sizes = {
        "requested": circuit.requested,
        "selected": circuit.selected,
        "live": int(prune_dangling(circuit.graph, circuit.kept).sum()),
    }
    return pd.DataFrame(
        {
            "ablation": ablation,
            **sizes,
            **summarize(inside),
            "complement": outside.value,
            "complement_kl": float(outside.kl.mean()),
            **{f"choice: {key}": value for key, value in inside.choices.items()},
        }
        for ablation, (inside, outside) in runs.items()
    )


def examples_table(batch: Batch, runs: Runs) -> pd.DataFrame:
    """One row per ablation and held-out prompt."""
    frames = []
    for ablation, (inside, outside) in runs.items():
        metrics = {f"metric_{key}": getattr(inside, key) for key in ("circuit", "full", "empty")}
        found = {key: getattr(inside, key) for key in ("kl", "flipped", "correct")}
        ratios = {"faithfulness": per_example(inside), **found, "complement": per_example(outside)}
        rows = {"example": batch.index.cpu().numpy(), "template": list(batch.templates)}
        frames.append(pd.DataFrame({"ablation": ablation, **rows, **metrics, **ratios}))
    return pd.concat(frames, ignore_index=True)


def areas_table(curve: pd.DataFrame) -> pd.DataFrame:
    """CPR and CMD per ablation, axis and what is on the axis."""
    return pd.DataFrame(
        {
            "ablation": ablation,
            "edges": asked,
            "axis": axis,
            "cpr": areas[f"cpr{suffix}_{axis}"],
            "cmd": areas[f"cmd{suffix}_{axis}"],
        }
        for ablation, part in curve.groupby("ablation", sort=False)
        for areas in (curve_areas(part),)
        for asked, suffix in (("requested", ""), ("live", "_live"))
        for axis in ("linear", "log")
    )


def tail_table(tail: Tail) -> pd.DataFrame:
    """One row: KL to the full model over crossed pairs, in nats."""
    row = {"pairs": len(tail.kl), "mean_kl": tail.mean, "share": tail.share}
    return pd.DataFrame([row | {"tail_mean_kl": tail.tail_mean, "worst_kl": tail.worst}])


def _write(
    out: Path, found: NamedCircuit, tables: dict[str, pd.DataFrame], cautions: list[str]
) -> None:
    write_tables(tables, out)
    if found.circuit.size:
        save_figure(draw_named(found, found.scores), out / "circuits_drawing.svg")
    if "curve" in tables:
        save_figure(curve_figure(tables), out / "circuits_curve.svg")
    write_evaluate_section(out, found.name, tables, cautions, in_file=found.in_file)
