"""Which runs an audit asks for: one thing changed at a time, everything else as audited.

Another corruption is another question (which information is removed), so disagreement is not an
error of either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuitvar.audit.runs import Bench, Level, RunKey
from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Method
from circuitvar.tasks.types import Task

NOISE = "gaussian-noise"
"""Corruption key of embedding noise."""
EVERY = "all"
"""In `Settings.corruptions`: every corruption of the task but the audited one."""
STAGES = {
    "method": "other methods",
    "corruption": "other choices",
    "noise": "other choices",
    "ablation": "other choices",
    "fresh-data": "fresh data",
    "seed": "training seeds",
}
"""Stage of an audit that the runs of an axis belong to."""


@dataclass(frozen=True)
class Planned:
    """One run that is asked for."""

    axis: str
    level: str
    """What it changes, for a row of a table."""
    key: RunKey

    @property
    def text(self) -> str:
        """For a progress bar."""
        if self.axis == "method":
            return f"{self.level} for comparison"
        kind = {"fresh-data": "fresh data", "seed": "training seed"}.get(self.axis, self.axis)
        return f"{kind}: {self.level}"


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


def seed_levels(models: Sequence[Model]) -> tuple[str, ...]:
    """Names of models that differ in their training seed, told apart where they are the same."""
    names = [model.name for model in models]
    return tuple(f"{n} ({i + 1})" if names.count(n) > 1 else n for i, n in enumerate(names))


def audit_plan(bench: Bench) -> tuple[Planned, ...]:
    """Every run beside the audited one.

    A method that is not defined for an ablation is left out of the method x ablation grid.

    Raises
    ------
    ValueError
        A method or corruption is unknown.
    """
    task, settings, own = bench.task, bench.settings, bench.audited_method
    methods = compared_methods(settings, own)
    ablations = [a for a in dict.fromkeys(settings.ablations) if a != settings.ablation]
    amplitudes = dict.fromkeys(settings.noise)
    return (
        *(_planned("method", how.key, method=how.key) for how in methods[1:]),
        *(_planned("corruption", c, corruption=c) for c in other_corruptions(task, settings)),
        *(_planned("noise", f"{NOISE} {size:g}", noise=size) for size in amplitudes),
        *(
            _planned("ablation", f"{how.key}, {ablation}", method=how.key, ablation=ablation)
            for ablation in ablations
            for how in methods
            if ablation in how.ablations
        ),
        *(_planned("fresh-data", f"data set {i + 1}", data=i + 1) for i in range(settings.fresh)),
        *(_planned("seed", name, checkpoint=name) for name in [*bench.models][1:]),
    )


def _planned(axis: str, level: str, **levels: Level) -> Planned:
    return Planned(axis, level, RunKey((*levels.items(),)))
