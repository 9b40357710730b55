"""What is refused of a plan before anything is scored.

Levels that are one and the same run, levels that no run has, plans without two levels of anything,
and models that cannot be loaded.
"""

from collections.abc import Mapping, Sequence

from circuitvar.audit.design.design_summary import varied
from circuitvar.audit.runs import Design, Facet, Level, RunKey, graph_of, pools, source_of
from circuitvar.audit.settings import Settings
from circuitvar.circuits.model import Model
from circuitvar.circuits.size import circuit_size
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Task


def check_levels(design: Design, task: Task, settings: Settings) -> None:
    """Refuse two levels of a facet that are the same run, which would halve its variance.

    Raises
    ------
    ValueError
        Names the facet and both levels.
    """
    default: dict[str, Level] = {
        "corruption": settings.corruption or next((c.key for c in task.corruptions), None),
        "metric": settings.metric or task.metric,
        "noise": 0,
    }
    _refuse_twins(design, default)


def check_on_model(
    design: Design,
    keys: Sequence[RunKey],
    model: Model,
    settings: Settings,
    *,
    waiting: Sequence[RunKey] | None = None,
) -> None:
    """Refuse what the model cannot do or already is.

    Sizes beyond its graph, levels that name its own size, type or name, and, among the runs that
    are `waiting` (default all), checkpoints that cannot be loaded or have another graph.

    Raises
    ------
    ValueError
        Names the level.
    """
    for key in keys:
        size = dict(key.levels).get("size") or settings.size
        circuit_size(model.graph.n_edges, None if size is None else int(size))
    default: dict[str, Level] = {
        "size": circuit_size(model.graph.n_edges, settings.size),
        "dtype": model.dtype,
        "checkpoint": f"{model.name}@{model.revision}" if model.revision else model.name,
    }
    _refuse_twins(design, default)
    for source in dict.fromkeys(
        source_of(key, model) for key in (keys if waiting is None else waiting)
    ):
        if source is not None and graph_of(*source) != model.graph:
            named, other = f"{source[0]}@{source[3]}" if source[3] else source[0], graph_of(*source)
            raise ValueError(
                f"checkpoint {named!r} has {other.n_edges} edges, {model.name!r} has "
                f"{model.graph.n_edges}; checkpoints of a design must share one architecture"
            )


def _refuse_twins(design: Design, default: Mapping[str, Level]) -> None:
    for facet in design.facets:
        same = [level for level in facet.levels if level in (None, default.get(facet.name))]
        if facet.name in default and len(same) > 1:
            first, second = ("null" if level is None else repr(level) for level in same[:2])
            raise ValueError(
                f"levels {first} and {second} of facet {facet.name!r} are the same run, so one of "
                "them only dilutes its variance; leave one out"
            )


def check_runs(design: Design, kept: Sequence[RunKey], left_out: Sequence[RunKey]) -> None:
    """Refuse plans that leave a facet, or all of them, without two levels to compare.

    Raises
    ------
    ValueError
        Names the facet and the level.
    """
    for facet in design.facets:
        left = {repr(dict(key.levels)[facet.name]) for key in kept}
        if len(facet.levels) > 1 and len(left) < 2:
            raise ValueError(
                f"facet {facet.name!r} has a single level, {next(iter(left))}, among the "
                f"{len(kept)} runs that are defined{_why(facet, left)}; choose a method "
                "that is defined for its other levels, or draw more runs"
            )
        gone = [level for level in facet.levels if repr(level) not in left]
        if gone and len(left_out) and design.crossing != "sampled":
            raise ValueError(
                f"level {gone[0]!r} of facet {facet.name!r} is in none of the {len(kept)} runs "
                f"that are defined{_why(facet, left)}; leave it out, or choose a method that is "
                "defined for it"
            )
        single = [level for level in facet.levels if not pools(design, facet.name, level)]
        if 1 == len(single) < len(facet.levels):
            raise ValueError(
                f"facet {facet.name!r} has a single level, {single[0]!r}, beside the run that "
                "takes all together, which is no level of a random facet; give two or more, or set "
                "random: false to compare the two runs"
            )
    if not varied(kept):
        raise ValueError("no facet has two levels among the runs; give one more levels")


def _why(facet: Facet, left: set[str]) -> str:
    gone = [level for level in facet.levels if repr(level) not in left]
    if facet.name == "steps":
        return " (the method has no steps)"
    if facet.name == "metric":
        hard = [str(key) for key in gone if key and not get_metric(str(key)).differentiable]
        return f" (no gradient of {' and '.join(hard)}, which the method needs)" if hard else ""
    return ""
