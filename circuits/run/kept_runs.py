"""Runs of many circuits on many prompts, item by item, so that a stopped command goes on."""

import hashlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.kept import batch_digest, kept
from circuitvar.circuits.model import Model
from circuitvar.circuits.run.ablated_run import Constants
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Metric

WORK = 5e11
"""Multiplications of one item, about: seconds on one core. It follows from the model alone, so that
another machine finds the same items."""
TOGETHER = 8
"""Examples of an item before it holds fewer circuits: what circuits share is computed per item."""

Measured = Mapping[str, np.ndarray]
"""By name: `[circuit, example]`, or `[example]` for what is the same for all circuits."""


def run_in_items(
    model: Model,
    masks: Bool[np.ndarray, "circuit edge"],
    batch: Batch,
    measure: Callable[[Bool[np.ndarray, "circuit edge"], Batch], Measured],
    *,
    kind: str,
    metric: Metric,
    ablation: str,
    constants: Constants | None,
) -> dict[str, np.ndarray]:
    """What `measure(masks, batch)` gives, from the model's store as far as it is there.

    `constants` are those that the ablation uses; without a store everything is one item.
    """
    if model.store is None:
        return dict(measure(masks, batch))
    shared = {
        "run": kind,
        "metric": [metric.key, code_digest(metric.fn)],
        "ablation": ablation,
        "constants": None if constants is None else code_digest(constants),
    }
    circuits, examples = item_size(model, batch, len(masks))
    rows = []
    for few in _parts(len(masks), circuits):
        edges = hashlib.sha256(np.packbits(masks[few], axis=1).tobytes()).hexdigest()
        found = []
        for some in _parts(len(batch), examples):
            part = take(batch, some)
            own = {"data": batch_digest(part), "circuits": [len(masks[few]), edges]}
            compute = lambda m=masks[few], p=part: measure(m, p)  # noqa: E731
            found.append(kept(model, {**shared, **own}, compute))
        rows.append({name: np.concatenate([f[name] for f in found], axis=-1) for name in found[0]})
    return {
        name: np.concatenate([row[name] for row in rows]) if first.ndim > 1 else first
        for name, first in rows[0].items()
    }


def item_size(model: Model, batch: Batch, circuits: int) -> tuple[int, int]:
    """(circuits, examples) of one item."""
    embedding = model.vocab_size * model.architecture.d_model
    weights = max(1, sum(p.numel() for p in model.hf.parameters()) - embedding)
    runs = max(1, int(WORK / (3 * weights * batch.clean.shape[1])))
    examples = min(len(batch), max(1, min(runs, max(TOGETHER, runs // circuits))))
    return min(circuits, max(1, runs // examples)), examples


def _parts(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
