"""What runs share, and how one is measured: its prompts, its model, its scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from circuitvar.audit.runs.design import RunKey
from circuitvar.audit.runs.facets import DATA, settings_of
from circuitvar.audit.runs.models import model_of
from circuitvar.audit.runs.prompts import Drawn, discovery_batch, fresh_batch, heldout_batch
from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import EdgeScores, Method, ScoreOptions
from circuitvar.tasks.language import with_noise
from circuitvar.tasks.tokens import get_metric, take
from circuitvar.tasks.types import Batch, Metric, PromptPair, Task

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Bench:
    """Task, model and settings of all runs; a level of a run changes one of them."""

    task: Task
    model: Model
    settings: Settings
    method: Method | None = None
    """The user's own record in place of the one that `settings.method` names."""
    models: Mapping[str, Model] = field(default_factory=dict)
    """Loaded models by the level of `checkpoint` that means them, beside those that are named."""

    @property
    def audited_method(self) -> Method:
        """The method of runs that do not change it."""
        return self.method or get_method(self.settings.method)

    def settings_of(self, key: RunKey) -> Settings:
        """Settings of one run."""
        return settings_of(key, self.settings)

    def method_of(self, key: RunKey) -> Method:
        """Method of one run."""
        level = dict(key.levels).get("method")
        own = self.audited_method
        return own if level in (None, own.key) else get_method(str(level))

    def metric_of(self, key: RunKey) -> Metric:
        """Metric of one run: the task's own where none is named."""
        return get_metric(self.settings_of(key).metric or self.task.metric)

    def model_of(self, key: RunKey) -> Model:
        """Model of one run."""
        name = dict(key.levels).get("checkpoint")
        known = self.models.get(name) if isinstance(name, str) else None
        return known or model_of(key, self.model)


def drawn_prompts(bench: Bench, key: RunKey) -> Drawn:
    """The prompts of one run: those of discovery, or of a fresh data set."""
    changed, used = bench.settings_of(key), bench.model_of(key)
    draw = int(dict(key.levels).get(DATA) or 0) + key.replicate
    if draw:
        return fresh_batch(bench.task, changed, used, draw - 1)
    return discovery_batch(bench.task, changed, used)


def with_level_noise(bench: Bench, key: RunKey, batch: Batch) -> Batch:
    """The batch with the Gaussian noise of the run as its corruption, where it has some."""
    amplitude, changed = dict(key.levels).get("noise"), bench.settings_of(key)
    if not amplitude:
        return batch
    return with_noise(batch, float(amplitude), roles=changed.noise_roles, seed=changed.seed)


def evaluation_prompts(
    bench: Bench, key: RunKey, heldout: Batch, seen: tuple[PromptPair, ...]
) -> Batch:
    """The prompts that circuits are run on under the condition that a run stands for.

    A fresh data set stands for itself; a corruption, a template and noise change the `heldout`
    prompts, which are none of the discovery prompts `seen`.
    """
    levels = dict(key.levels)
    if levels.get(DATA):
        return drawn_prompts(bench, key)[0].batch
    if levels.get("corruption") is not None:
        changed = bench.settings_of(key)
        heldout = heldout_batch(bench.task, changed, bench.model, seen)[0].batch
    if levels.get("template") is not None:
        rows = np.flatnonzero(np.array(heldout.templates) == levels["template"])
        heldout = take(heldout, rows)
    return with_level_noise(bench, key, heldout)


def score_prompts(
    bench: Bench, key: RunKey, batch: Batch, *, progress: Progress | None = None
) -> EdgeScores:
    """Scores of one run on a batch."""
    changed, levels = bench.settings_of(key), dict(key.levels)
    rows = levels.get("batch_size")
    known = {
        "metric": bench.metric_of(key),
        "options": ScoreOptions(ablation=changed.ablation, steps=changed.steps, seed=changed.seed),
        "batch_size": None if rows is None else int(rows),
        "progress": progress,
    }
    return score_edges(bench.model_of(key), batch, bench.method_of(key), **known)
