"""Scores of nodes and of MLP hidden units on disk: `circuitvar score --granularity node|neuron`."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from circuitvar.circuits.methods.patching import node_damage
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import chunk_size, data_digest, score_edges, write_tensors
from circuitvar.circuits.types import Method, ScoreOptions
from circuitvar.circuits.units import neuron_scores, node_scores
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.tokens import chunks, to_device
from circuitvar.tasks.types import Batch, Metric

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
    """Score every node (by `exact-node` or as the sum of its edges) or every MLP hidden unit.

    Raises
    ------
    ValueError
        The method is not defined for the granularity, or the model has no MLPs.
    """
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
    names = _names(model, granularity, values.shape[1])
    return FinerScores(
        granularity,
        names,
        values.astype(np.float32),
        method.key,
        metric.key,
        batch.templates,
        data_digest(batch),
    )


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
    frame = pd.DataFrame(
        {
            "column": np.arange(len(scores.names)),
            scores.granularity: scores.names,
            "mean_score": scores.values.mean(axis=0, dtype=np.float64),
        }
    )
    frame.to_csv(table, index=False, lineterminator="\n")
    header = {
        "format": FORMAT,
        "granularity": scores.granularity,
        "method": scores.method,
        "metric": scores.metric,
        "templates": list(scores.templates),
        "data_digest": scores.data,
    }
    text = json.dumps(header, indent=1, sort_keys=True) + "\n"
    (folder / "scores.json").write_text(text, encoding="utf-8")
    tensors = {"scores": scores.values}
    return [table, folder / "scores.json", write_tensors(folder / "scores.safetensors", tensors)]
