"""What each facet of a design changes, and whether changing it needs the model.

Pass facets change what the model computes: one scoring pass per combination. Sample facets choose
among stored per-example scores, and selection facets choose edges from stored scores; neither
calls the model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from circuitvar.audit.runs.design import Design, Facet, RunKey, run_keys
from circuitvar.audit.runs.finder_runs import FINDER, FINDER_SEED, check_finders, finder_of
from circuitvar.audit.runs.prompts import marks_roles
from circuitvar.audit.settings import Settings
from circuitvar.circuits.find import get_finder
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import DTYPES
from circuitvar.circuits.types import ABLATIONS
from circuitvar.tasks.lookup import near, unknown
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Task

DATA = "data"
"""Levels number independent data sets; 0 is the discovery set."""
SETTINGS = ("method", "metric", "corruption", "ablation", "steps", "n", "seed")
"""Facets that change the field of `Settings` of the same name."""
PASS = (*SETTINGS, DATA, "noise", "dtype", "batch_size", "checkpoint", FINDER, FINDER_SEED)
"""`noise`: amplitude of Gaussian noise as the corruption, null or 0 for none. `batch_size`: prompts
per forward pass. `checkpoint`: model name, or name@revision; null is the model of the run."""
SAMPLE = ("prompts", "template")
"""`prompts`: number of a bootstrap resample, 0 for all as drawn. `template`: its id, null for
all."""
POOLED = {"prompts": 0, "template": None}
"""The level of a sample facet that takes all its others together, and so is none of them."""
SELECTION = ("size", "signed", "selection", "granularity")
FREE = frozenset((*SAMPLE, *SELECTION))
"""Facets computed from stored per-example scores, without a model call."""
FACETS = (*PASS, *SAMPLE, *SELECTION)
"""Everything a design can vary."""
_MOST_DRAWS = 64
"""Times the asked number of draws that are looked through for runs that mean something."""


@dataclass(frozen=True)
class Levels:
    """What the levels of a facet may be."""

    kinds: tuple[type, ...] = (str,)
    null: bool = False
    """Whether null, the audited level, is one."""
    choices: tuple[str, ...] = ()
    least: int = 0

    @property
    def allowed(self) -> tuple[type, ...]:
        """Types of a level."""
        return (*self.kinds, type(None)) if self.null else self.kinds


LEVELS = {
    "method": Levels(),
    "metric": Levels(null=True),
    "corruption": Levels(null=True),
    "ablation": Levels(choices=ABLATIONS),
    "steps": Levels((int,), least=1),
    "n": Levels((int,), least=8),
    "seed": Levels((int,)),
    DATA: Levels((int,)),
    "noise": Levels((int, float), null=True),
    "dtype": Levels(null=True, choices=(*DTYPES,)),
    "batch_size": Levels((int,), null=True, least=1),
    "checkpoint": Levels(null=True),
    FINDER: Levels(null=True),
    FINDER_SEED: Levels((int,), null=True),
    "prompts": Levels((int,)),
    "template": Levels(null=True),
    "size": Levels((int,), null=True, least=1),
    "signed": Levels((bool,)),
    "selection": Levels(choices=("top-n", "pruned", "connected")),
    "granularity": Levels(choices=("edge", "head", "node")),
}
"""By facet. `selection`: the strongest `size` edges; the same without dangling edges; the smallest
top-n that connects the input to the logits, whatever `size` is. `granularity`, what is kept or
dropped as one: an edge; the q, k and v edges between two heads; all that leaves one source."""


def level_schema(name: str) -> dict[str, object]:
    """JSON schema of one level of a facet.

    >>> level_schema("size")
    {'type': ['integer', 'null'], 'minimum': 1}
    """
    levels = LEVELS[name]
    if levels.choices:
        return {"enum": [*([None] if levels.null else []), *levels.choices]}
    words = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
    kinds = [words[kind] for kind in levels.allowed]
    schema: dict[str, object] = {"type": kinds if len(kinds) > 1 else kinds[0]}
    return schema | ({"minimum": levels.least} if {"integer", "number"} & {*kinds} else {})


def check_facets(design: Design, task: Task | None = None) -> None:
    """Refuse facets that nothing implements and levels that mean nothing.

    Raises
    ------
    ValueError
        Names the facet, the level and what is allowed.
    """
    for facet in design.facets:
        if facet.name not in LEVELS:
            raise unknown("facet", facet.name, FACETS)
        for level in facet.levels:
            _check_level(facet, level)
        if task is not None:
            _check_names(facet, task)
    check_finders(design)
    names = {facet.name for facet in design.facets}
    if task is not None and task.distinct:
        _check_rows(design, task)
    if DATA in names and any(key.replicate for key in run_keys(design)):
        raise ValueError(
            "replicates are fresh data sets, which the 'data' facet varies too; use one of them, "
            "and no more draws than there are cells"
        )


def _check_rows(design: Design, task: Task) -> None:
    """A file has its own rows and no fresh ones: a second draw shares most of them."""
    asked = [facet for facet in design.facets if facet.name == DATA and len(facet.levels) > 1]
    if asked or design.replicates > 1:
        raise ValueError(
            f"the design asks for fresh data sets, but {task.source or task.key} has only its own "
            "rows, which every draw would share; leave `data` and replicates out and resample the "
            "rows, e.g. `prompts: [0, 1, ..., 30]` with `random: true`"
        )


def pools(design: Design, name: str, level: object) -> bool:
    """Whether a level of a random facet is its other levels together.

    All prompts as drawn beside resamples of them, or all templates beside single ones: it varies
    less than they do, so it is no level that variance between levels could be read from.

    >>> templates = Design((Facet("template", (None, "a", "b"), random=True),))
    >>> [pools(templates, "template", level) for level in (None, "a")]
    [True, False]
    """
    if name not in POOLED or level != POOLED[name]:
        return False
    return any(facet.name == name and facet.random for facet in design.facets)


def _check_names(facet: Facet, task: Task) -> None:
    """Levels that name something are known before anything is scored."""
    for level in facet.levels:
        if facet.name == "method":
            get_method(str(level))
        if facet.name == "metric" and level is not None:
            get_metric(str(level))
    if facet.name == "noise" and any(facet.levels) and not marks_roles(task):
        raise ValueError(
            f"task {task.key!r} marks no roles, so embedding noise has no tokens to fall on; leave "
            "out the facet 'noise'"
        )
    known = {
        "template": tuple(task.templates),
        "corruption": tuple(corruption.key for corruption in task.corruptions),
    }.get(facet.name)
    other = [x for x in facet.levels if x is not None and known is not None and x not in known]
    if known is not None and other:
        raise ValueError(
            f"task {task.key!r} has no {facet.name} {other[0]!r}; choose among "
            f"{', '.join(known) or 'none'}{near(str(other[0]), known)}"
        )


def _check_level(facet: Facet, level: object) -> None:
    levels = LEVELS[facet.name]
    kinds = levels.allowed
    if not isinstance(level, kinds) or (isinstance(level, bool) and bool not in kinds):
        allowed = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
        raise ValueError(f"level {level!r} of facet {facet.name!r} is not {allowed}")
    if levels.choices and level is not None and level not in levels.choices:
        null = ["null"] if levels.null else []
        raise unknown(facet.name, str(level), [*null, *levels.choices])
    if isinstance(level, float) and not math.isfinite(level):
        raise ValueError(f"level {level!r} of facet {facet.name!r} is not a finite number")
    if isinstance(level, int | float) and level < levels.least:
        raise ValueError(
            f"level {level!r} of facet {facet.name!r} is too small; use {levels.least} or more"
        )


def pass_key(key: RunKey) -> RunKey:
    """The pass a run reads: the run without the facets that need no model call.

    A finder is run again for whatever changes, its own seed among it.

    >>> pass_key(RunKey((("method", "eap"), ("size", 50)))).levels
    (('method', 'eap'),)
    """
    unread = frozenset() if finder_of(dict(key.levels)) else {*FREE, FINDER, FINDER_SEED}
    levels = tuple(pair for pair in key.levels if pair[0] not in unread)
    return RunKey(levels, key.replicate, key.context)


def settings_of(key: RunKey, settings: Settings) -> Settings:
    """The settings of one run.

    Raises
    ------
    ValueError
        A facet changes nothing that is known.
    """
    changes: dict[str, object] = {n: level for n, level in key.levels if n in SETTINGS}
    others = sorted({name for name, _ in key.levels} - set(LEVELS))
    if others:
        raise unknown("facet", others[0], FACETS)
    return replace(settings, **changes)  # pyright: ignore[reportArgumentType]


def defined_runs(
    keys: Sequence[RunKey],
    settings: Settings,
    *,
    design: Design | None = None,
    task: Task | None = None,
) -> tuple[tuple[RunKey, ...], tuple[RunKey, ...]]:
    """(runs that mean something, the others).

    A method must be defined for its ablation, and needs a metric that it can differentiate (the
    task's own where none is named); only single edges can be added until input and logits are
    connected. With `design`, a level that changes nothing beside the run's other levels is run at
    the facet's first level alone: `steps` of methods without steps, `corruption` under noise.
    """
    first = {facet.name: facet.levels[0] for facet in design.facets} if design else {}
    kept, dropped = [], []
    for key in keys:
        changed, levels = settings_of(key, settings), dict(key.levels)
        finder = finder_of(levels)
        fits = changed.ablation in get_method(changed.method).ablations
        whole = levels.get("granularity", "edge") != "edge"
        fits = fits and not (whole and levels.get("selection") == "connected")
        metric = changed.metric or (task.metric if task else None)
        smooth = metric is None or get_metric(metric).differentiable
        method = get_method(changed.method)
        fits = fits and (smooth or not (get_finder(finder) if finder else method).needs_gradient)
        inert = [("steps", not finder and "steps" not in method.uses)]
        inert += [("corruption", bool(levels.get("noise")))]
        fits = fits and not any(
            idle and name in first and levels[name] != first[name] for name, idle in inert
        )
        (kept if fits else dropped).append(key)
    return tuple(kept), tuple(dropped)


def planned_runs(
    design: Design, settings: Settings, *, task: Task | None = None, context: str = ""
) -> tuple[tuple[RunKey, ...], tuple[RunKey, ...]]:
    """(runs of a design that mean something, those left out).

    Draws of a sampled design that are left out are drawn again, so that it has as many runs as it
    asks for, or all there are.

    Raises
    ------
    ValueError
        No run means anything.
    """
    draws, wanted = design.draws, design.draws * design.replicates
    keys = run_keys(design, context=context)
    kept, dropped = defined_runs(keys, settings, design=design, task=task)
    fresh_data = any(facet.name == DATA for facet in design.facets)
    while len(kept) < wanted and draws < _MOST_DRAWS * design.draws:
        draws *= 2
        keys = run_keys(replace(design, draws=draws), context=context)
        if fresh_data:  # Then a replicate would be another level of the facet.
            keys = tuple(key for key in keys if key.replicate == 0)
        kept, dropped = defined_runs(keys, settings, design=design, task=task)
    if not kept:
        raise ValueError(
            "no run of this design is defined; check methods against ablations, and gradient "
            "methods against metrics without a gradient (accuracy, flip)"
        )
    if design.crossing == "sampled":
        kept = kept[:wanted]
        before = set(keys[: keys.index(kept[-1])])
        dropped = tuple(key for key in dropped if key in before)
    return kept, dropped
