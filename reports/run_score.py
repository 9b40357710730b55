"""From names on a command line to a folder with per-example scores."""

from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.audit.edge_summary import edge_summary
from circuitvar.audit.streams import stream
from circuitvar.circuits.methods import get_method
from circuitvar.circuits.model import load_model
from circuitvar.circuits.score_files import write_scores
from circuitvar.circuits.score_store import score_edges_stored
from circuitvar.circuits.types import EdgeScores, ScoreOptions
from circuitvar.reports.console import print_table
from circuitvar.reports.progress import show_progress
from circuitvar.reports.write import check_writable
from circuitvar.tasks.metrics import get_metric
from circuitvar.tasks.sampling import sample_batch
from circuitvar.tasks.types import Task


def run_score(
    task: Task,
    *,
    n: int,
    model: str,
    method: str,
    metric: str | None = None,
    corruption: str | None = None,
    options: ScoreOptions | None = None,
    out: Path,
    batch_size: int | None = None,
    revision: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    quiet: bool = False,
) -> EdgeScores:
    """Draw prompts, score them and write the result; the prompts are those an audit would draw.

    Finished blocks are kept in `out/blocks`: the same command again computes only what is missing.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    check_writable(out)
    options = options or ScoreOptions()
    how = get_method(method)
    measure = get_metric(metric or task.metric)
    loaded = load_model(model, device=device, dtype=dtype, revision=revision)
    tokenized, _ = sample_batch(
        task,
        n,
        loaded.tokenizer,
        rng=stream(options.seed, task.key, "discovery"),
        corruption=corruption,
        max_length=loaded.context,
        vocab_size=loaded.vocab_size,
    )
    with show_progress(quiet=quiet) as progress:
        stage = f"{how.key} on {n} prompts"
        scores = score_edges_stored(
            loaded,
            tokenized.batch,
            how,
            metric=measure,
            store=out / "blocks",
            options=options,
            batch_size=batch_size,
            progress=lambda done, total: progress(stage, done, total),
        )
    write_scores(scores, out)
    return scores


def print_strongest(scores: EdgeScores, top: int) -> None:
    """The strongest edges by mean |score|, with standard error and sign consistency."""
    summary = edge_summary(scores.values)
    columns = range(scores.graph.n_edges) if scores.columns is None else scores.columns
    order = np.argsort(-np.abs(summary.mean), kind="stable")[:top]
    rows = [
        {
            "edge": scores.graph.edge_names[columns[i]],
            "score": f"{summary.mean[i]:.4g}",
            "se": f"{summary.se[i]:.2g}",
            "same sign": f"{summary.sign_consistency[i]:.0%}",
        }
        for i in order
    ]
    print_table(pd.DataFrame(rows), title=f"{scores.method}, {len(scores.values)} prompts")
