"""The driver: any method, any number of prompts, one matrix `[example, edge]`.

It cuts the examples into chunks that fit in memory, checks what comes back, and writes down
everything a reader needs to reproduce the numbers.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from circuitvar.circuits.gradients import (
    check_differentiable,
    corrupt_run,
    metric_of,
    plain_run,
    reference_logits,
    role_mask,
)
from circuitvar.circuits.model import Model, corrupt_means
from circuitvar.circuits.types import ABLATIONS, EdgeScores, Method, Scored, ScoreOptions
from circuitvar.tasks.language import noise_positions
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.tokens import take, to_device
from circuitvar.tasks.types import Batch, Metric

MEMORY = 0.5e9
"""Bytes that a chunk of examples may take on a CPU; on CUDA it is half of what is free."""

_TENSORS = ("clean", "corrupt", "mask", "answers", "wrong_answers", "last", "index")


def score_edges(
    model: Model,
    batch: Batch,
    method: Method,
    *,
    metric: Metric,
    options: ScoreOptions | None = None,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EdgeScores:
    """Score every edge on every example.

    Scores do not depend on `batch_size` or on the order of examples beyond rounding. With
    `batch_size=None` chunks are sized by memory. `progress(done, total)` is called per chunk.

    Raises
    ------
    ValueError
        The method is not defined for the ablation, an edge column does not exist, or a score is
        not finite (named: method, edge, example).
    """
    options = ScoreOptions() if options is None else options
    check(model, batch, method, metric, options)
    batch = to_device(batch, model.device)
    options = with_means(model, batch, options)
    size = batch_size or chunk_size(model, batch, metric)
    n_columns = model.graph.n_edges if options.edges is None else len(options.edges)
    values = np.empty((len(batch), n_columns), dtype=np.float32)
    metrics = np.empty((2, len(batch)))
    for start in range(0, len(batch), size):
        rows = slice(start, min(start + size, len(batch)))
        part = take(batch, rows)
        scored = _run(model, part, method, metric, options)
        values[rows] = _checked(model, part, method, options, scored.values)
        metrics[:, rows] = _metrics(model, part, metric, scored)
        if progress is not None:
            progress(rows.stop, len(batch))
    return EdgeScores(
        graph=model.graph,
        values=values,
        metric_clean=metrics[0],
        metric_corrupt=metrics[1],
        method=method.key,
        metric=metric.key,
        templates=batch.templates,
        columns=options.edges,
        provenance=provenance(model, batch, method, metric, options, size),
    )


def score_roles(
    model: Model,
    batch: Batch,
    method: Method,
    *,
    metric: Metric,
    options: ScoreOptions | None = None,
    roles: tuple[str, ...] | None = None,
    batch_size: int | None = None,
) -> dict[str, EdgeScores]:
    """Scores with positions kept apart: for each role, patching only the tokens that play it.

    For methods linear in the patch the roles of a partition of the tokens sum to `score_edges`.
    """
    options = with_means(model, to_device(batch, model.device), options or ScoreOptions())
    return {
        role: score_edges(
            model,
            batch,
            method,
            metric=metric,
            options=replace(options, role=role),
            batch_size=batch_size,
        )
        for role in (tuple(batch.roles) if roles is None else roles)
    }


def check(
    model: Model, batch: Batch, method: Method, metric: Metric, options: ScoreOptions
) -> None:
    """Refuse combinations that are not defined, before anything is computed."""
    if method.needs_gradient:
        check_differentiable(metric, method.key)
    if method.metrics and metric.key not in method.metrics:
        raise ValueError(
            f"method {method.key!r} is defined for the metrics {', '.join(method.metrics)} only, "
            f"not for {metric.key!r}"
        )
    if options.ablation not in ABLATIONS:
        raise unknown("ablation", options.ablation, ABLATIONS)
    if options.ablation not in method.ablations:
        raise ValueError(
            f"method {method.key!r} is defined for {', '.join(method.ablations)} only, not for "
            f"{options.ablation!r} ablation: its path ends at the corrupted prompt, which is not "
            "what would be patched in; use 'eap' or 'exact'."
        )
    if options.role is not None and "role" not in method.uses:
        raise ValueError(
            f"method {method.key!r} patches nothing, so options.role={options.role!r} has no "
            "meaning for it; use role=None."
        )
    role_mask(batch, options)
    if not len(batch):
        raise ValueError("there are no examples to score.")
    if options.edges is not None:
        wrong = [e for e in options.edges if not 0 <= e < model.graph.n_edges]
        if wrong or not options.edges:
            raise ValueError(
                f"options.edges must name columns from 0 to {model.graph.n_edges - 1}, "
                f"got {wrong[:3] or 'none'}."
            )


def with_means(model: Model, batch: Batch, options: ScoreOptions) -> ScoreOptions:
    """For mean ablation: what every source writes on average over all of `batch`."""
    if not options.ablation.startswith("mean") or options.means is not None:
        return options
    positional = options.ablation == "mean-positional"
    means = corrupt_means(model.architecture, batch, positional=positional)
    return replace(options, means=means)


def chunk_size(model: Model, batch: Batch, metric: Metric) -> int:
    """Examples per chunk: source differences, activations and their gradients within memory."""
    architecture, graph = model.architecture, model.graph
    per_token = 1.3 * len(graph.sources) * architecture.d_model
    per_token += 45 * graph.n_layers * architecture.d_model
    vocabulary = 0 if metric.answers_only else 4 * architecture.unembed.weight.shape[0]  # type: ignore
    bytes_each = 4.0 * (batch.clean.shape[1] * per_token + vocabulary)
    budget = MEMORY
    if torch.device(model.device).type == "cuda":
        budget = 0.5 * torch.cuda.mem_get_info(model.device)[0]
    return max(1, min(256, int(budget / bytes_each)))


def _run(
    model: Model, batch: Batch, method: Method, metric: Metric, options: ScoreOptions
) -> Scored:
    found = method.fn(model, batch, metric=metric, options=options)
    return found if isinstance(found, Scored) else Scored(torch.as_tensor(found))


def _metrics(
    model: Model, batch: Batch, metric: Metric, scored: Scored
) -> Float[np.ndarray, "2 example"]:
    """Clean and corrupted metric, from the method's own runs where it made them."""
    if scored.metric_clean is None or scored.metric_corrupt is None:
        return clean_and_corrupt(model, batch, metric)
    return torch.stack((scored.metric_clean, scored.metric_corrupt)).cpu().numpy()


@torch.no_grad()
def clean_and_corrupt(model: Model, batch: Batch, metric: Metric) -> Float[np.ndarray, "2 example"]:
    """Metric of each example on the clean and on the corrupted run."""
    values, reference = [], None
    for trace in (plain_run(model, batch.clean, batch), corrupt_run(model, batch)):
        if reference is None:
            reference = reference_logits(model, batch, metric, trace)
        values.append(metric_of(model, batch, metric, trace, reference))
    return torch.stack(values).cpu().numpy()


def _checked(
    model: Model, batch: Batch, method: Method, options: ScoreOptions, scores: Tensor
) -> Float32[np.ndarray, "example edge"]:
    """Scores as numpy, of the wanted columns, all finite."""
    found = scores.detach()
    n_edges = model.graph.n_edges
    columns = range(n_edges) if options.edges is None else options.edges
    if options.edges is not None and found.shape == (len(batch), n_edges):
        found = found[:, torch.tensor(options.edges, device=found.device)]
    if found.shape != (len(batch), len(columns)):
        raise ValueError(
            f"method {method.key!r} returned scores of shape {tuple(found.shape)}; expected "
            f"[example, edge] = ({len(batch)}, {len(columns)})."
        )
    finite = torch.isfinite(found)
    if not bool(finite.all()):
        example, column = (int(i) for i in (~finite).nonzero()[0])
        edge = model.graph.edges[columns[column]]
        layer = "logits" if edge.dst.kind == "logits" else f"layer {edge.dst.layer}"
        raise ValueError(
            f"method {method.key!r} gave {float(found[example, column])} for edge {edge.name} "
            f"({layer}) on example {int(batch.index[example])}; check the model's dtype "
            f"({model.dtype}) and the metric at this example."
        )
    return found.float().cpu().numpy()


def provenance(
    model: Model,
    batch: Batch,
    method: Method,
    metric: Metric,
    options: ScoreOptions,
    batch_size: int,
) -> dict[str, object]:
    """What the numbers are and where they come from, as plain values."""
    recorded = asdict(replace(options, means=None))
    del recorded["means"]
    recorded["edges"] = "all" if options.edges is None else len(options.edges)
    return {
        "method": method.key,
        "citation": method.citation,
        "unit": metric.unit if method.unit == "metric" else "native",
        "metric": metric.key,
        "sign": "damage: positive = patching the edge hurts the behaviour",
        "norm": "differentiated in full; exact patching recomputes it",
        "input_node": "token embedding",
        "options": recorded,
        "model": model.name,
        "model_digest": model.digest,
        "revision": model.revision,
        "device": model.device,
        "dtype": model.dtype,
        "examples": len(batch),
        "noise": None if batch.noise is None else asdict(batch.noise),
        "data_digest": data_digest(batch),
        "batch_size": batch_size,
        "edges": model.graph.n_edges,
        "versions": {name: version(name) for name in ("circuitvar", "torch", "transformers")},
    }


def data_digest(batch: Batch) -> str:
    """sha256 of tokens, masks, answers, read-out positions, and noise where there is any."""
    digest = hashlib.sha256()
    for name in ("clean", "corrupt", "mask", "answers", "wrong_answers", "last"):
        array = getattr(batch, name).cpu().numpy()
        digest.update(repr((name, array.shape, str(array.dtype))).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    if batch.noise is not None:
        digest.update(repr((batch.noise.key, batch.index.tolist())).encode())
        digest.update(noise_positions(batch, batch.noise).cpu().numpy().tobytes())
    return digest.hexdigest()
