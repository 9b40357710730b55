"""Analytic choices that could have been made otherwise: corruption, noise amplitude, ablation.

Each is one more scoring pass over the discovery prompts with one thing changed. Another corruption
is another question (which information is removed), so disagreement is not an error of either.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.types import Ablation, EdgeScores, Method
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Task

NOISE = "gaussian-noise"
"""Corruption key of embedding noise."""
EVERY = "all"
"""In `Settings.corruptions`: every corruption of the task but the audited one."""


@dataclass(frozen=True)
class Choice:
    """One specification of the analysis; fields not named are the audit's own."""

    axis: str
    """Perturbation axis it belongs to: `corruption`, `noise` or `ablation`."""
    method: Method
    ablation: Ablation
    corruption: str
    amplitude: float | None = None

    @property
    def name(self) -> str:
        """What was changed, for a row of a table."""
        if self.axis == "noise":
            return f"{NOISE} {self.amplitude:g}"
        if self.axis == "corruption":
            return self.corruption
        return f"{self.method.key}, {self.ablation}"


@dataclass(frozen=True, eq=False)
class Scored:
    """Mean scores under one choice."""

    choice: Choice
    mean: Float[np.ndarray, " edge"]
    gap: float
    """Mean clean-corrupt gap of the metric, positive where corrupting does damage."""
    matched: float
    """Share of prompts that are the very prompts of discovery."""


def own_corruption(task: Task, settings: Settings) -> str:
    """Key of the corruption that is audited."""
    if settings.corruption is not None:
        return settings.corruption
    return task.corruptions[0].key if task.corruptions else "as given"


def other_corruptions(task: Task, settings: Settings) -> tuple[str, ...]:
    """Corruptions to compare with; `all` stands for the task's others.

    Raises
    ------
    ValueError
        The task has no corruption of that name.
    """
    known = tuple(corruption.key for corruption in task.corruptions)
    asked = known if EVERY in settings.corruptions else settings.corruptions
    for key in asked:
        if key not in known:
            raise ValueError(
                f"task {task.key!r} has no corruption {key!r}; choose among "
                f"{', '.join(known) or 'none'}, or {EVERY}"
            )
    own = own_corruption(task, settings)
    return tuple(dict.fromkeys(key for key in asked if key != own))


def compared_methods(settings: Settings, method: Method) -> tuple[Method, ...]:
    """The audited method and those it is compared with, in that order."""
    others = (get_method(key) for key in settings.other_methods if key != method.key)
    return (method, *others)


def other_choices(task: Task, settings: Settings, method: Method) -> tuple[Choice, ...]:
    """Every further scoring pass that the settings ask for.

    A method that is not defined for an ablation is left out of the method x ablation grid.
    """
    own = own_corruption(task, settings)
    ablations = [a for a in dict.fromkeys(settings.ablations) if a != settings.ablation]
    return (
        *(
            Choice("corruption", method, settings.ablation, key)
            for key in other_corruptions(task, settings)
        ),
        *(
            Choice("noise", method, settings.ablation, NOISE, amplitude)
            for amplitude in dict.fromkeys(settings.noise)
        ),
        *(
            Choice("ablation", how, ablation, own)
            for ablation in ablations
            for how in compared_methods(settings, method)
            if ablation in how.ablations
        ),
    )


def score_choices(
    choices: tuple[Choice, ...], score: Callable[[Choice], tuple[EdgeScores, float]]
) -> Iterator[Scored]:
    """Run every choice; `score` returns its scores and the share of matched prompts."""
    for choice in choices:
        found, matched = score(choice)
        gap = float((found.metric_clean - found.metric_corrupt).mean())
        sign = 1.0 if get_metric(found.metric).higher_is_better else -1.0
        yield Scored(choice, found.mean, sign * gap, matched)
