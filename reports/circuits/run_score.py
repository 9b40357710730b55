"""From names on a command line to a folder with per-example scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.audit.edges import edge_summary
from circuitvar.audit.streams import stream
from circuitvar.circuits.files import read_edges
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import check, score_edges_stored, write_scores
from circuitvar.circuits.types import EdgeScores, ScoreOptions
from circuitvar.reports.circuits.run_score_finer import (
    FinerScores,
    check_granularity,
    score_finer,
    write_finer,
)
from circuitvar.reports.console import print_table, show_progress
from circuitvar.reports.options import ModelChoice, ScoreChoice
from circuitvar.reports.page import check_writable
from circuitvar.tasks.tokens import get_metric, sample_batch
from circuitvar.tasks.types import Task


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

    Finished blocks are kept in `out/blocks`: the same command again computes only what is missing.
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
    loaded = where.load()
    tokenized, _ = sample_batch(
        task,
        choice.n,
        loaded,
        rng=stream(options.seed, task.key, "discovery"),
        corruption=choice.corruption,
    )
    if edges is not None:
        kept = read_edges(edges, loaded.graph).circuit.kept
        if not kept.any():
            raise ValueError(f"{edges} holds no edge of a circuit; list at least one")
        options = replace(options, edges=tuple(np.flatnonzero(kept).tolist()))
    for role in choice.roles:
        check(loaded, tokenized.batch, how, measure, replace(options, role=role))
    results: dict[str, EdgeScores | FinerScores] = {}
    with show_progress(quiet=quiet) as progress:
        for role in choice.roles or (None,):
            changed = replace(options, role=role)
            folder = out if role is None else out / f"role-{role}"
            stage = f"{how.key} on {choice.n} prompts" + (f", role {role}" if role else "")
            if granularity == "edge":
                scores = score_edges_stored(
                    loaded,
                    tokenized.batch,
                    how,
                    metric=measure,
                    store=out / "blocks",
                    options=changed,
                    batch_size=choice.batch_size,
                    progress=lambda done, total, stage=stage: progress(stage, done, total),
                )
                write_scores(scores, folder)
            else:
                scores = score_finer(
                    loaded,
                    tokenized.batch,
                    how,
                    granularity,
                    metric=measure,
                    options=changed,
                    batch_size=choice.batch_size,
                )
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
