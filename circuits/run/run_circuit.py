"""Fast forward pass of a circuit, per example, equal to `reference.run_patched`.

Only what can differ from the all-ablated run is computed: heads and MLPs that are read and have a
live in-circuit input, positions from the first differing token on, and in the last layer the
read-out position alone. Values are kept by content (which edges feed a node, and what those
carry), so circuits that share a part share its computation.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model import Model, logits_at, metric_at, run_mlp
from circuitvar.circuits.prune import reads_of, stages
from circuitvar.circuits.run.ablated_run import (
    Backdrop,
    Constants,
    examples_at_once,
    mean_constants,
    prepare,
)
from circuitvar.circuits.run.circuit_heads import run_heads
from circuitvar.circuits.run.circuit_state import Memo, Run, at_read_out, inputs, tail_sum
from circuitvar.circuits.run.kept_runs import run_in_items
from circuitvar.circuits.types import Ablation
from circuitvar.tasks.tokens import chunks, get_metric
from circuitvar.tasks.types import Batch, Metric


def needed_sources(
    graph: Graph, kept: Bool[np.ndarray, "src dst"], *, coupled: bool = False
) -> Bool[np.ndarray, " src"]:
    """Sources from which a path of kept edges leads to the logits.

    `coupled`: heads of a layer share a post-norm, so if one is needed all are.
    """
    reads = reads_of(graph)
    needed = np.zeros(len(graph.sources), dtype=bool)
    wanted = np.zeros(len(graph.destinations), dtype=bool)
    wanted[-1] = True
    for first, stop in reversed(stages(graph)):
        block = slice(first, stop)
        needed[block] = np.any(kept[block] & wanted, axis=1)
        if coupled:
            needed[block] = needed[block].any()
        wanted |= np.any(reads[block] & needed[block, None], axis=0)
    return needed


def final_streams(
    model: Model, backdrop: Backdrop, masks: Bool[np.ndarray, "circuit edge"]
) -> Iterator[Float[Tensor, "batch d_model"]]:
    """The stream that the logits read at the read-out position, for one circuit after another.

    Raises
    ------
    ValueError
        If the masks do not have one column per edge of the model's graph.
    """
    masks = np.atleast_2d(np.asarray(masks, dtype=bool))
    if masks.shape[1] != model.graph.n_edges:
        raise ValueError(
            f"masks must have {model.graph.n_edges} edges, the number in the graph of "
            f"{model.name!r}; got {masks.shape[1]}"
        )
    return streams_of(model, backdrop, masks)


def streams_of(
    model: Model, backdrop: Backdrop, masks: Iterable[Bool[np.ndarray, " edge"]]
) -> Iterator[Float[Tensor, "batch d_model"]]:
    """`final_streams` of masks that may be decided one by one, each after the last result."""
    graph = model.graph
    memo = Memo()
    delta = backdrop.input_delta
    stack = delta.new_empty(len(graph.sources), delta.numel())
    coupled = any(layer.attn_post_norm is not None for layer in model.architecture.layers)
    # The empty circuit writes nothing, so beside it another one is alone.
    alone = isinstance(masks, np.ndarray) and int(masks.any(axis=1).sum()) <= 1
    for mask in masks:
        kept = graph.matrix(mask)
        needed = needed_sources(graph, kept, coupled=coupled)
        yield _stream(Run(backdrop, graph, kept, needed, memo, stack, alone=alone))


@torch.no_grad()
def _stream(run: Run) -> Float[Tensor, "batch d_model"]:
    graph, backdrop, delta = run.graph, run.backdrop, run.backdrop.input_delta
    if run.needed[0]:
        run.add(0, run.memo.id(("input",)), delta, at_read_out(backdrop, delta))
    for index in range(graph.n_layers):
        run_heads(run, index)
        if graph.has_mlp:
            _run_mlp(run, index)
    return backdrop.final + tail_sum(run, len(graph.destinations) - 1)


def _run_mlp(run: Run, index: int) -> None:
    """Run one MLP, if anything needs it, and add what it writes to the run."""
    backdrop, layers = run.backdrop, run.backdrop.architecture.layers
    base, layer = backdrop.layers[index], layers[index]
    name = f"m{index}"
    source, destination = run.graph.source_index[name], run.graph.destination_index[name]
    if not run.needed[source]:
        return
    signature = run.signature(destination)
    if not signature and base.mlp_values is None:
        return
    key = run.memo.id(("mlp", index, signature))
    value = run.memo.get(key)
    last = index == len(layers) - 1
    start = backdrop.first
    if value is None:
        ablated = base.mlp if base.mlp_values is None else base.mlp_values
        if last:
            mid = at_read_out(backdrop, base.mid[:, start:]) + tail_sum(run, destination)
            written = run_mlp(layer, mid[:, None])[2]
            value = written - at_read_out(backdrop, ablated[:, start:])[:, None]
        else:
            mid = inputs(run, [destination], base.mid[:, start:])[0]
            value = run_mlp(layer, mid)[2] - ablated[:, start:]
        run.memo.put(key, value)
    run.add(source, key, value, value[:, 0] if last else at_read_out(backdrop, value))


@torch.no_grad()
def circuit_scores(
    model: Model,
    masks: Bool[np.ndarray, "circuit edge"],
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation = "patching",
    constants: Constants | None = None,
    batch_size: int | None = None,
) -> tuple[Float[np.ndarray, "circuit example"], Float[np.ndarray, " example"]]:
    """Metric of every circuit, and of the full model, per example.

    Circuits that follow each other and differ in few edges share most of their computation.

    Raises
    ------
    ValueError
        If a value is NaN, or the masks do not fit the model's graph.
    """
    metric = get_metric(metric) if isinstance(metric, str) else metric
    masks = np.atleast_2d(np.asarray(masks, dtype=bool))
    if constants is None and ablation in ("mean", "mean-positional"):
        constants = mean_constants(model, batch, positional=ablation == "mean-positional")
    scores = run_in_items(
        model,
        masks,
        batch,
        partial(_metrics, model, metric, ablation, constants, batch_size),
        kind="metric",
        metric=metric,
        ablation=ablation,
        constants=constants,
    )
    values = scores["value"]
    if np.isnan(values).any():
        circuit, example = np.argwhere(np.isnan(values))[0]
        raise ValueError(
            f"metric {metric.key!r} of circuit {circuit} on example {int(batch.index[example])} "
            "is NaN; check the prompt and the model's dtype"
        )
    return values, scores["full"]


def _metrics(
    model: Model,
    metric: Metric,
    ablation: Ablation,
    constants: Constants | None,
    batch_size: int | None,
    masks: Bool[np.ndarray, "circuit edge"],
    batch: Batch,
) -> dict[str, np.ndarray]:
    """`value` `[circuit, example]` and `full` `[example]`."""
    rows, full = [], []
    for part in chunks(batch, batch_size or examples_at_once(model, batch)):
        backdrop = prepare(model, part, ablation=ablation, constants=constants)
        reference = None
        if metric.needs_reference:
            reference = logits_at(model.architecture, backdrop.full).float()
        streams = final_streams(model, backdrop, masks)
        found = [metric_at(model.architecture, s, part, metric, reference).cpu() for s in streams]
        rows.append(torch.stack(found))
        full.append(metric_at(model.architecture, backdrop.full, part, metric, reference).cpu())
    return {
        "value": torch.cat(rows, dim=1).double().numpy(),
        "full": torch.cat(full).double().numpy(),
    }
