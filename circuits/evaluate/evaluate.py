"""How faithful is a circuit, example by example, on held-out prompts?

Everything a reader may want of one run is kept per example: the metric of circuit, full model and
empty circuit, changed predictions, accuracy and KL. Ratios are formed afterwards, both ways.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.circuits.model import Model, logits_at, metric_at
from circuitvar.circuits.run import (
    Constants,
    check_ablation,
    examples_at_once,
    final_streams,
    mean_constants,
    prepare,
    run_in_items,
)
from circuitvar.circuits.types import Ablation, Circuit, Faithfulness
from circuitvar.tasks.tokens import accuracy, chunks, flip, get_metric, kl
from circuitvar.tasks.types import Batch, Metric

UNEMBED_TOGETHER = 4
"""Circuits whose logits over the whole vocabulary are in memory at once."""
MEANS = {
    **{f"metric_{which}": which for which in ("circuit", "full", "empty")},
    **{"circuit_error": "flipped", "accuracy": "correct", "kl": "kl"},
}
"""Means over examples in a summary, and the fields they are of."""


def miller_choices(ablation: str, *, complement: bool = False) -> dict[str, str]:
    """The six choices of Miller et al. 2024 (arXiv 2407.08734) as made by `evaluate`."""
    value = {
        "patching": "activation on the corrupted prompt",
        "mean": "mean over tokens of the corrupted prompts",
        "mean-positional": "mean over corrupted prompts at the same position",
        "zero": "zero",
        "optimal": "constant fitted to minimise KL",
    }
    return {
        "granularity": "edges between heads (q, k, v apart), MLPs, input and logits",
        "component": "value of the source in the destination's input",
        "ablation value": value[ablation],
        "token positions": "all",
        "direction": "clean run with edges ablated (destroys the behaviour)",
        "ablated set": "the circuit" if complement else "the complement of the circuit",
    }


def evaluate(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation | Literal["optimal"] = "patching",
    constants: Constants | None = None,
    batch_size: int | None = None,
) -> Faithfulness:
    """Run a circuit on a held-out batch: `evaluate_masks` for one circuit."""
    masks, size = circuit.kept[None], batch_size
    return evaluate_masks(
        model, masks, batch, metric=metric, ablation=ablation, constants=constants, batch_size=size
    )[0]


@torch.no_grad()
def evaluate_masks(
    model: Model,
    masks: Bool[np.ndarray, "circuit edge"],
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation | Literal["optimal"] = "patching",
    constants: Constants | None = None,
    batch_size: int | None = None,
) -> list[Faithfulness]:
    """Run many circuits on one batch; what they share is computed once.

    Edges outside the circuit carry the ablation value of their source: its output on the
    corrupted prompt (`patching`), its mean over the corrupted prompts of this batch (`mean`,
    `mean-positional`, or of other data through `constants`), zero, or fitted constants (`optimal`,
    which needs `constants` from `optimal_constants`). The metric keeps its own
    sign and unit; KL is KL(full || circuit) in nats over the whole vocabulary.

    Raises
    ------
    ValueError
        If the ablation is unknown, the masks do not fit the model's graph, or the metric of some
        example is NaN.
    """
    if ablation != "optimal" or constants is None:
        check_ablation(ablation)
    metric = get_metric(metric) if isinstance(metric, str) else metric
    masks = np.atleast_2d(np.asarray(masks, dtype=bool))
    if constants is None and ablation in ("mean", "mean-positional"):
        constants = mean_constants(model, batch, positional=ablation == "mean-positional")
    measured = run_in_items(
        model,
        masks,
        batch,
        partial(_measured, model, metric, ablation, constants, batch_size),
        kind="evaluation",
        metric=metric,
        ablation=ablation,
        constants=constants,
    )
    _refuse_nan(metric, measured, batch)
    return [
        Faithfulness(
            circuit=measured["value"][row],
            full=measured["full"],
            empty=measured["empty"],
            **{name: measured[name][row] for name in ("flipped", "correct", "kl")},
            metric=metric.key,
            ablation=ablation,
            templates=batch.templates,
            choices=miller_choices(ablation),
        )
        for row in range(len(masks))
    ]


def _measured(
    model: Model,
    metric: Metric,
    ablation: Ablation | Literal["optimal"],
    constants: Constants | None,
    batch_size: int | None,
    masks: Bool[np.ndarray, "circuit edge"],
    batch: Batch,
) -> dict[str, np.ndarray]:
    """`value`, `flipped`, `correct`, `kl` `[circuit, example]`; `empty` and `full` `[example]`."""
    everything = np.concatenate([masks, np.zeros((1, masks.shape[1]), dtype=bool)])
    none = np.flatnonzero(~masks.any(axis=1))
    parts: list[dict[str, Tensor]] = []
    for part in chunks(batch, batch_size or examples_at_once(model, batch)):
        backdrop = prepare(model, part, ablation=ablation, constants=constants)
        *streams, empty = final_streams(model, backdrop, everything)
        logits = _all_logits(model, [backdrop.full, *streams])
        full = next(logits)
        rows = [_read(row, part, metric, full) for row in logits]
        found = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        # Of the empty circuit the metric is all that is asked, unless it is among the circuits.
        value = metric_at(model.architecture, empty, part, metric, full)
        found["empty"] = found["value"][none[0]] if none.size else value
        parts.append(found | {"full": metric.fn(full, part, full)})
    return {
        name: torch.cat([part[name] for part in parts], dim=-1).cpu().numpy() for name in parts[0]
    }


def _all_logits(model: Model, streams: Sequence[Tensor]) -> Iterator[Tensor]:
    """Logits of one stream after another; the unembedding is read once for a few of them."""
    for start in range(0, len(streams), UNEMBED_TOGETHER):
        some = streams[start : start + UNEMBED_TOGETHER]
        together = logits_at(model.architecture, torch.cat(list(some)))
        together = together if together.dtype == torch.float64 else together.float()
        yield from together.split([len(stream) for stream in some])


def _read(logits: Tensor, batch: Batch, metric: Metric, full: Tensor) -> dict[str, Tensor]:
    compared = batch.wrong_answers.shape[1] > 0 and bool((batch.wrong_answers >= 0).any(1).all())
    correct = (
        accuracy(logits, batch) > 0
        if compared
        else (logits.argmax(-1, keepdim=True) == batch.answers).any(dim=1)
    )
    return {
        "value": metric.fn(logits, batch, full),
        "flipped": flip(logits, batch, full) > 0,
        "correct": correct,
        # Rounding can leave a KL of -1e-8.
        "kl": kl(logits, batch, full).clamp(min=0.0),
    }


def _refuse_nan(metric: Metric, measured: Mapping[str, np.ndarray], batch: Batch) -> None:
    for name in ("value", "empty", "full"):
        bad = np.flatnonzero(np.isnan(np.atleast_2d(measured[name])).any(axis=0))
        if bad.size:
            raise ValueError(
                f"metric {metric.key!r} of example {int(batch.index[bad[0]])} is NaN; "
                "check the prompt and the model's dtype"
            )


def complement(circuit: Circuit) -> Circuit:
    """All edges that are not in the circuit; running it knocks the circuit out."""
    kept = ~circuit.kept
    size = int(kept.sum())
    return Circuit(circuit.graph, kept, f"complement of: {circuit.rule}", size, size)


def completeness(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation | Literal["optimal"] = "patching",
    constants: Constants | None = None,
) -> Faithfulness:
    """Run the model with the circuit's own edges ablated and everything else intact.

    A complete circuit leaves nothing behind: the faithfulness of its complement is near 0.
    """
    out = complement(circuit)
    result = evaluate(model, out, batch, metric=metric, ablation=ablation, constants=constants)
    return replace(result, choices=miller_choices(ablation, complement=True))


def per_example(faithfulness: Faithfulness) -> Float[np.ndarray, " example"]:
    """(m(C) - m(empty)) / (m(full) - m(empty)) of each example; NaN where the gap is zero."""
    gap = faithfulness.full - faithfulness.empty
    ratio = np.full(len(gap), np.nan)
    np.divide(faithfulness.circuit - faithfulness.empty, gap, out=ratio, where=gap != 0)
    return ratio


def summarize(faithfulness: Faithfulness) -> Mapping[str, float]:
    """One row of numbers: faithfulness both ways with its spread over examples, KL, error.

    `mean_of_ratios` weighs every example alike and is unstable when some gap is near zero, which
    `iqr` shows (Miller et al. 2024 report up to 50 points); `faithfulness` is the ratio of means.
    """
    ratios = per_example(faithfulness)
    known = ratios[~np.isnan(ratios)]
    spread = (known.mean(), *np.percentile(known, (25, 50, 75))) if known.size else [np.nan] * 4
    mean, low, middle, high = map(float, spread)
    ratio = {"mean_of_ratios": mean, "median_ratio": middle, "iqr": high - low}
    means = {name: float(getattr(faithfulness, field).mean()) for name, field in MEANS.items()}
    return {"faithfulness": faithfulness.value, **ratio, **means, "n": len(faithfulness.circuit)}


def evaluate_circuits(
    model: Model,
    circuits: Sequence[Circuit],
    batch: Batch,
    *,
    metric: Metric | str,
    ablation: Ablation = "patching",
) -> list[Faithfulness]:
    """`evaluate_masks` for circuits."""
    masks = np.stack([circuit.kept for circuit in circuits])
    return evaluate_masks(model, masks, batch, metric=metric, ablation=ablation)
