"""From names on a command line to a folder with per-example scores of edges, nodes or neurons."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from circuitvar.audit.edges import edge_summary
from circuitvar.audit.streams import stream
from circuitvar.circuits.files import read_edges
from circuitvar.circuits.kept import batch_digest
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.methods.patching import node_damage
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import (
    check,
    chunk_size,
    probe_method,
    score_edges,
    write_scores,
    write_tensors,
)
from circuitvar.circuits.types import EdgeScores, Method, ScoreOptions
from circuitvar.circuits.units import neuron_scores, node_scores
from circuitvar.reports.console import print_table, show_progress
from circuitvar.reports.options import ModelChoice, ScoreChoice
from circuitvar.reports.page import check_writable
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.tokens import chunks, get_metric, sample_batch, to_device
from circuitvar.tasks.types import Batch, Metric, Task

GRANULARITIES = ("edge", "node", "neuron")
FORMAT = 1


@dataclass(frozen=True, eq=False)
class FinerScores:
    """Per-example scores of nodes or neurons."""

    granularity: str
    names: tuple[str, ...]
    """One per column: `a0.h1`, or `m2.n17` for hidden unit 17 of the MLP in layer 2."""
    values: Float[np.ndarray, "example column"]
    method: str
    metric: str
    templates: tuple[str, ...]
    data: str
    """sha256 of the tokens."""


def check_granularity(granularity: str, method: Method) -> None:
    """Raise unless the granularity exists and the method is defined for it."""
    if granularity not in GRANULARITIES:
        raise unknown("granularity", granularity, GRANULARITIES)
    if granularity == "neuron" and method.key != "eap":
        raise ValueError(
            f"neurons are scored by first-order attribution only, not by {method.key!r}; "
            "use --method eap"
        )


def score_finer(
    model: Model,
    batch: Batch,
    method: Method,
    granularity: str,
    *,
    metric: Metric,
    options: ScoreOptions,
    batch_size: int | None = None,
) -> FinerScores:
    """Score every node (by `exact-node` or as the sum of its edges) or every MLP hidden unit."""
    check_granularity(granularity, method)
    batch = to_device(batch, model.device)
    if granularity == "node" and method.key != "exact-node":
        scores = score_edges(
            model, batch, method, metric=metric, options=options, batch_size=batch_size
        )
        values = node_scores(scores)
    else:
        score = node_damage if granularity == "node" else neuron_scores
        parts = chunks(batch, batch_size or chunk_size(model, batch, metric))
        found = [score(model, part, metric=metric, options=options).flatten(1) for part in parts]
        values = torch.cat(found).cpu().numpy()
    names, values = _names(model, granularity, values.shape[1]), values.astype(np.float32)
    about = method.key, metric.key, batch.templates, batch_digest(batch)
    return FinerScores(granularity, names, values, *about)


def _names(model: Model, granularity: str, columns: int) -> tuple[str, ...]:
    graph = model.graph
    if granularity == "node":
        return tuple(node.name for node in graph.sources)
    width = columns // graph.n_layers
    return tuple(f"m{layer}.n{unit}" for layer in range(graph.n_layers) for unit in range(width))


def write_finer(scores: FinerScores, folder: Path) -> list[Path]:
    """Write `scores.safetensors` (tensor `scores`), `nodes.csv` or `neurons.csv`, `scores.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{scores.granularity}s.csv"
    means = scores.values.mean(axis=0, dtype=np.float64)
    frame = pd.DataFrame({scores.granularity: scores.names, "mean_score": means})
    frame.to_csv(table, index_label="column", lineterminator="\n")
    header = {key: getattr(scores, key) for key in ("granularity", "method", "metric", "templates")}
    header |= {"format": FORMAT, "data_digest": scores.data}
    text = json.dumps(header, indent=1, sort_keys=True) + "\n"
    (folder / "scores.json").write_text(text, encoding="utf-8")
    tensors = {"scores": scores.values}
    return [table, folder / "scores.json", write_tensors(folder / "scores.safetensors", tensors)]


def run_score(
    task: Task,
    *,
    where: ModelChoice,
    choice: ScoreChoice = ScoreChoice(),
    options: ScoreOptions = ScoreOptions(),
    out: Path,
    quiet: bool = False,
) -> dict[str, EdgeScores | FinerScores]:
    """Draw prompts, score them and write the result; the prompts are those an audit would draw.

    Finished blocks are kept in `out/runs`: the same command again computes only what is missing.
    With a file of edges, its edges alone are scored. With roles, each is scored apart, patching
    only the tokens that play it, and written to `out/role-NAME`; the result has one entry per
    role, "" for all positions.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    check_writable(out)
    how, granularity, edges = get_method(choice.method), choice.granularity, choice.edges
    check_granularity(granularity, how)
    if granularity != "edge" and edges is not None:
        raise ValueError(f"edges are chosen, but granularity {granularity!r} scores none; drop one")
    measure = get_metric(choice.metric or task.metric)
    loaded = where.load(out)
    rng = stream(options.seed, task.key, "discovery")
    tokenized, _ = sample_batch(task, choice.n, loaded, rng=rng, corruption=choice.corruption)
    if edges is not None:
        kept = read_edges(edges, loaded.graph).circuit.kept
        if not kept.any():
            raise ValueError(f"{edges} holds no edge of a circuit; list at least one")
        options = replace(options, edges=tuple(np.flatnonzero(kept).tolist()))
    if ":" in choice.method:
        wrong = probe_method(loaded, tokenized.batch, how, metric=measure, options=options).refused
        if wrong:
            raise ValueError(f"method {how.key!r} gives no scores of examples: {'; '.join(wrong)}")
    for role in choice.roles:
        check(loaded, tokenized.batch, how, measure, replace(options, role=role))
    results: dict[str, EdgeScores | FinerScores] = {}
    with show_progress(quiet=quiet) as progress:
        for role in choice.roles or (None,):
            folder = out if role is None else out / f"role-{role}"
            stage = f"{how.key} on {choice.n} prompts" + (f", role {role}" if role else "")
            asked: dict[str, Any] = {"metric": measure, "batch_size": choice.batch_size}
            asked["options"] = replace(options, role=role)
            if granularity == "edge":
                scores = score_edges(
                    loaded,
                    tokenized.batch,
                    how,
                    **asked,
                    progress=lambda done, total, stage=stage: progress(stage, done, total),
                )
                write_scores(scores, folder)
            else:
                scores = score_finer(loaded, tokenized.batch, how, granularity, **asked)
                write_finer(scores, folder)
            results[role or ""] = scores
    return results


def print_strongest(scores: EdgeScores | FinerScores, top: int, *, role: str = "") -> None:
    """The strongest columns by mean |score|, with standard error and sign consistency."""
    summary = edge_summary(scores.values)
    if isinstance(scores, FinerScores):
        names, what = scores.names, scores.granularity
    else:
        columns = range(scores.graph.n_edges) if scores.columns is None else scores.columns
        names, what = tuple(scores.graph.edge_names[column] for column in columns), "edge"
    order = np.argsort(-np.abs(summary.mean), kind="stable")[:top]
    rows = [
        {
            what: names[i],
            "score": f"{summary.mean[i]:.4g}",
            "se": f"{summary.se[i]:.2g}",
            # A score of exactly 0 on every prompt has no sign.
            "same sign": f"{summary.sign_consistency[i]:.0%}" if scores.values[:, i].any() else "–",
        }
        for i in order
    ]
    title = f"{scores.method}, {len(scores.values)} prompts" + (f", role {role}" if role else "")
    print_table(pd.DataFrame(rows), title=title)
