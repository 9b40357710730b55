"""The driver: any method, any number of prompts, one matrix `[example, edge]`.

It cuts the examples into chunks that fit in memory, checks what comes back, and writes down
everything a reader needs to reproduce the numbers.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

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
from circuitvar.circuits.kept import batch_digest, kept
from circuitvar.circuits.model import Model, corrupt_means
from circuitvar.circuits.scores.provenance import provenance, scoring_identity
from circuitvar.circuits.scores.rounding import require_above_rounding
from circuitvar.circuits.types import ABLATIONS, EdgeScores, Method, Scored, ScoreOptions
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.tokens import chunks, take, to_device
from circuitvar.tasks.types import Batch, Metric

MEMORY = 0.5e9
"""Bytes that a chunk of examples may take on a CPU; on CUDA it is half of what is free."""
BLOCK = 64
"""Examples per item of the model's store."""
ON_DISK = 2**28
"""Bytes of scores from which they are kept in a file that is mapped, not in memory."""

Progress = Callable[[int, int], None]
"""Told what is done and the total, after every chunk."""


def score_edges(
    model: Model,
    batch: Batch,
    method: Method,
    *,
    metric: Metric,
    options: ScoreOptions | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> EdgeScores:
    """Score every edge on every example.

    Scores do not depend on `batch_size` or on the order of examples beyond rounding. With
    `batch_size=None` chunks are sized by memory. `progress(done, total)` is called per chunk.
    A model with a store keeps every finished block of examples there: the same call again, after
    an interruption or in another process, computes only what is missing.

    Raises
    ------
    ValueError
        The method is not defined for the ablation, an edge column does not exist, or a score is
        not finite (named: method, edge, example).
    """
    asked = opened(model, batch, method, metric, options, batch_size)
    return asked.filled(progress)


@dataclass(frozen=True, eq=False)
class Scoring:
    """A call that was checked: prompts on the model's device, options with their means."""

    model: Model
    batch: Batch
    method: Method
    metric: Metric
    options: ScoreOptions
    size: int
    """Examples per chunk."""

    @property
    def shape(self) -> tuple[int, int]:
        """Examples and edges of the matrix."""
        edges = self.options.edges
        return len(self.batch), self.model.graph.n_edges if edges is None else len(edges)

    def scored(self, part: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Scores `[example, edge]` of a chunk, and its metrics `[clean or corrupted, example]`."""
        model, method, metric, options = self.model, self.method, self.metric, self.options
        found = method.fn(model, part, metric=metric, options=options)
        scored = found if isinstance(found, Scored) else Scored(torch.as_tensor(found))
        values = _checked(model, part, method, options, scored.values)
        if scored.metric_clean is None or scored.metric_corrupt is None:
            return values, clean_and_corrupt(model, part, metric)
        # From the method's own runs, where it made them.
        metrics = torch.stack((scored.metric_clean, scored.metric_corrupt))
        return values, metrics.cpu().numpy()

    def kept(self, part: Batch, shared: Mapping[str, object]) -> tuple[np.ndarray, np.ndarray]:
        """`scored`, from the model's store where it is there."""
        # Methods that draw random numbers draw them per example.
        own = {"data": batch_digest(part), "examples": part.index.tolist()}

        def compute() -> Mapping[str, np.ndarray]:
            found = [self.scored(some) for some in chunks(part, self.size)]
            values = np.concatenate([scores for scores, _ in found])
            return {"scores": values, "metrics": np.concatenate([m for _, m in found], axis=1)}

        arrays = kept(self.model, {**shared, **own}, compute)
        return arrays["scores"], arrays["metrics"]

    def filled(self, progress: Progress | None) -> EdgeScores:
        """Scores of all examples, a chunk, or a block of the store, at a time."""
        batch, store, n = self.batch, self.model.store, len(self.batch)
        asked = self.model, batch, self.method, self.metric, self.options
        values, metrics = _matrix(store, *self.shape), np.empty((2, n))
        scored, step = self.scored, self.size
        if store is not None:
            scored, step = partial(self.kept, shared=scoring_identity(*asked)), BLOCK
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            values[rows], metrics[:, rows] = scored(take(batch, rows))
            if start == 0 and self.method.exact:
                require_above_rounding(self.model, batch, self.metric, values[rows])
            if progress is not None:
                progress(rows.stop, n)
        return EdgeScores(
            graph=self.model.graph,
            values=values,
            metric_clean=metrics[0],
            metric_corrupt=metrics[1],
            method=self.method.key,
            metric=self.metric.key,
            templates=batch.templates,
            columns=self.options.edges,
            provenance=provenance(*asked, size=self.size),
        )


def _matrix(folder: Path | None, n: int, n_columns: int) -> np.ndarray:
    """Room for all scores: in memory, or from `ON_DISK` bytes on in a file that leaves no trace."""
    if folder is None or 4 * n * n_columns < ON_DISK:
        return np.empty((n, n_columns), dtype=np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, prefix=".matrix-") as file:
        return np.memmap(file, np.float32, mode="w+", shape=(n, n_columns))


def opened(
    model: Model,
    batch: Batch,
    method: Method,
    metric: Metric,
    options: ScoreOptions | None,
    batch_size: int | None,
) -> Scoring:
    """The call of `score_edges`, checked and ready to be computed."""
    options = options or ScoreOptions()
    check(model, batch, method, metric, options)
    batch = to_device(batch, model.device)
    options = with_means(model, batch, options)
    size = batch_size or chunk_size(model, batch, metric)
    return Scoring(model, batch, method, metric, options, size)


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
