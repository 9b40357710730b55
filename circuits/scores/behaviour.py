"""The behaviour gate: whether a model does the task at all, before anything is audited."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.circuits.intervals import mean_interval
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores.score import chunk_size, clean_and_corrupt
from circuitvar.tasks.tokens import damage, get_metric, take, to_device
from circuitvar.tasks.types import Batch, Metric
from circuitvar.tasks.units import sampling_units

MIN_ACCURACY = 0.6
"""Smallest share of clean prompts answered rightly; guessing between two answers gives 0.5."""


@dataclass(frozen=True, eq=False)
class Behaviour:
    """How well a model does a task, and what corruption does to it."""

    gap: float
    """Damage of corrupting the whole prompt, mean over prompts, in units of the metric."""
    low: float
    high: float
    """t interval of the gap."""
    level: float
    unit: str
    n_units: int
    """Independent units the interval rests on."""
    over: str
    """What these are: `template` or `prompt`."""
    right: Bool[np.ndarray, " example"]
    """Whether the right answer beats the wrong one, prompt by prompt."""
    templates: tuple[str, ...]
    metric_clean: Float[np.ndarray, " example"]
    metric_corrupt: Float[np.ndarray, " example"]

    @property
    def n(self) -> int:
        """Prompts."""
        return len(self.right)

    @property
    def accuracy(self) -> float:
        """Share of clean prompts whose best answer beats the best wrong answer."""
        return float(self.right.mean())

    @property
    def weak(self) -> bool:
        """True when the model does not do the task: too few right answers or no clear gap."""
        return self.accuracy < MIN_ACCURACY or not self.low > 0.0

    @property
    def sentence(self) -> str:
        """The numbers in one sentence."""
        return (
            f"accuracy {self.accuracy:.0%} on {self.n} prompts, clean-corrupt gap "
            f"{self.gap:.3g} {self.unit} [{self.low:.3g}, {self.high:.3g}] "
            f"({self.level:.0%} t interval over {self.n_units} {self.over}s)"
        )


def measure_behaviour(
    model: Model,
    batch: Batch,
    *,
    metric: Metric,
    level: float = 0.95,
    batch_size: int | None = None,
) -> Behaviour:
    """Task accuracy and the clean-corrupt gap of the metric with its t interval.

    Every prompt weighs the same, as in the denominator of faithfulness. The interval is over
    templates where they are the sampling unit, because prompts of one are not independent: of the
    residuals sum_i (drop_i - gap) of each template, scaled to the mean number of prompts.
    """
    batch = to_device(batch, model.device)
    accuracy = get_metric("accuracy")
    size = batch_size or chunk_size(model, batch, accuracy)
    right, values = [], []
    for start in range(0, len(batch), size):
        part = take(batch, slice(start, start + size))
        right.append(clean_and_corrupt(model, part, accuracy)[0])
        values.append(clean_and_corrupt(model, part, metric))
    clean, corrupt = np.concatenate(values, axis=1)
    drop = np.asarray(damage(metric, clean, corrupt), dtype=float)
    of_example, over = sampling_units(len(batch), batch.templates)
    residual = np.bincount(of_example, weights=drop - drop.mean())
    units = drop.mean() + residual * len(residual) / len(drop)
    gap, low, high = mean_interval(units, level)
    return Behaviour(
        gap=gap,
        low=low,
        high=high,
        level=level,
        unit=metric.unit,
        n_units=len(units),
        over=over,
        right=np.concatenate(right).astype(bool),
        templates=batch.templates,
        metric_clean=clean,
        metric_corrupt=corrupt,
    )


def require_behaviour(behaviour: Behaviour, *, task: str, allow_weak: bool = False) -> None:
    """Refuse to audit a behaviour that is not there.

    Raises
    ------
    ValueError
        With the numbers, unless `allow_weak`.
    """
    if behaviour.weak and not allow_weak:
        raise ValueError(
            f"the model does not do {task!r}: {behaviour.sentence}; at least {MIN_ACCURACY:.0%} "
            "accuracy and a gap above 0 are needed. Use another model or task, or allow_weak "
            "(--allow-weak) to audit it anyway."
        )
