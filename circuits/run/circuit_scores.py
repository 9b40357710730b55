"""The metric of many circuits on one batch: what the tests and finders need, and nothing else."""

import numpy as np
import torch
from jaxtyping import Bool, Float

from circuitvar.circuits.model import Model, logits_at, metric_at
from circuitvar.circuits.run.ablated_run import Constants, examples_at_once, mean_constants, prepare
from circuitvar.circuits.run.run_circuit import final_streams
from circuitvar.circuits.types import Ablation
from circuitvar.tasks.tokens import chunks, get_metric
from circuitvar.tasks.types import Batch, Metric


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
    rows, full = [], []
    for part in chunks(batch, batch_size or examples_at_once(model, batch)):
        backdrop = prepare(model, part, ablation=ablation, constants=constants)
        reference = None
        if metric.needs_reference:
            reference = logits_at(model.architecture, backdrop.full).float()
        streams = final_streams(model, backdrop, masks)
        rows.append(
            [metric_at(model.architecture, s, part, metric, reference).cpu() for s in streams]
        )
        full.append(metric_at(model.architecture, backdrop.full, part, metric, reference).cpu())
    scores = np.stack(
        [torch.cat([part[i] for part in rows]).double().numpy() for i in range(len(masks))]
    )
    if np.isnan(scores).any():
        circuit, example = np.argwhere(np.isnan(scores))[0]
        raise ValueError(
            f"metric {metric.key!r} of circuit {circuit} on example {int(batch.index[example])} "
            "is NaN; check the prompt and the model's dtype"
        )
    return scores, torch.cat(full).double().numpy()
