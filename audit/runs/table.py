"""The table of finished runs: what was varied, at which level, and the scores of every example."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.runs.bench import Bench
from circuitvar.audit.runs.design import RunKey
from circuitvar.circuits.scores import Behaviour
from circuitvar.circuits.types import Ablation, EdgeScores, Method
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Batch, PromptPair


@dataclass(frozen=True, eq=False)
class Run:
    """One finished run."""

    axis: str
    """What was varied: `method`, `corruption`, `noise`, `ablation`, `fresh-data`, `seed`; empty
    for the audited run."""
    level: str
    """What it was changed to, for a row of a table."""
    key: RunKey
    method: Method
    ablation: Ablation
    corruption: str
    """Key of the corruption, or `gaussian-noise` with its amplitude."""
    batch: Batch
    """The prompts that were scored."""
    scores: EdgeScores
    same_prompts: float = 1.0
    """Share of prompts whose clean side is a prompt of the audited run."""

    @cached_property
    def mean(self) -> Float[np.ndarray, " edge"]:
        """Mean score of each edge."""
        return self.scores.mean

    @property
    def gap(self) -> float:
        """Mean clean-corrupt gap of the metric, positive where corrupting does damage."""
        gap = float((self.scores.metric_clean - self.scores.metric_corrupt).mean())
        return gap if get_metric(self.scores.metric).higher_is_better else -gap


@dataclass(frozen=True, eq=False)
class Runs:
    """Every run of an audit, with the prompts that circuits are run on."""

    bench: Bench
    audited: Run
    others: tuple[Run, ...]
    """In the order in which they were planned."""
    heldout: Batch
    seen: tuple[PromptPair, ...]
    """The discovery prompts."""
    behaviour: Behaviour
    exact: EdgeScores | None = None
    exact_rows: Int[np.ndarray, " example"] | None = None
    """Rows of the audited scores that the exact ones belong to."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What was left out of the prompts, or read otherwise than it was given."""
    """Prompts that could not be used, by reason."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by stage."""

    @property
    def scores(self) -> EdgeScores:
        """Scores of the audited run."""
        return self.audited.scores

    def along(self, axis: str) -> tuple[Run, ...]:
        """The runs that differ along an axis, the audited one first; empty where nothing varied.

        Fresh data sets stand by themselves: the audited one is drawn from all words.
        """
        others = tuple(run for run in self.others if run.axis == axis)
        if not others or axis == "fresh-data":
            return others
        own = self.audited
        level = {
            "method": own.method.key,
            "ablation": f"{own.method.key}, {own.ablation}",
            "seed": next(iter(self.bench.models), self.bench.model.name),
        }.get(axis, own.corruption)
        return (replace(own, axis=axis, level=level), *others)
