"""What circuits are run under when their function is compared: model, prompts, metric, ablation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation, Faithfulness
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Metric

PROMPTS = 50
"""Prompts per condition, at most: the first ones."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One column of a `FunctionMatrix`."""

    model: Model
    batch: Batch
    metric: Metric
    ablation: Ablation


def run_under(
    conditions: Mapping[str, Condition],
) -> Callable[[str, Bool[np.ndarray, "circuit edge"]], Sequence[Faithfulness]]:
    """The `run` of `function_matrix`: circuits under the condition of that name."""

    def run(name: str, masks: Bool[np.ndarray, "circuit edge"]) -> Sequence[Faithfulness]:
        at = conditions[name]
        few = take(at.batch, slice(0, PROMPTS))
        return evaluate_masks(at.model, masks, few, metric=at.metric, ablation=at.ablation)

    return run
