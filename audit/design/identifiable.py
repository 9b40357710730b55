"""Can the runs of a design tell its effects apart, from each other and from noise?"""

from collections.abc import Sequence
from math import prod

import numpy as np

from circuitvar.audit.runs import Design, Effect, RunKey, run_keys
from circuitvar.audit.variance import cross, moment_components


def labels_of(keys: Sequence[RunKey], effect: Effect) -> np.ndarray:
    """Level of a facet, or of an interaction of facets, in every run."""
    return cross(*[[dict(key.levels)[name] for key in keys] for name in effect])


def require_identifiable(
    design: Design, effects: Sequence[Effect], *, keys: Sequence[RunKey] | None = None
) -> None:
    """Refuse a design whose runs cannot tell the asked effects from each other and from noise.

    `keys`: the runs that are left where some cells are not defined; default all.

    Raises
    ------
    ValueError
        Names the effect and what to change.
    """
    by_name = {facet.name: facet for facet in design.facets}
    for effect in effects:
        name = " x ".join(effect)
        for facet in effect:
            if facet not in by_name:
                raise ValueError(f"no facet {facet!r}; the design has {', '.join(by_name)}")
            if len(by_name[facet].levels) < 2:
                raise ValueError(
                    f"{name} cannot be estimated: {facet!r} has one level; give it at least 2"
                )
        grouped = any(set(effect) <= set(group) for group in design.together)
        if len(effect) > 1 and design.crossing == "one-at-a-time" and not grouped:
            raise ValueError(
                f"{name} cannot be estimated by a one-at-a-time design, which never changes two "
                "facets together; use crossing 'full' or 'sampled', or name them in `together`"
            )
        if (
            design.crossing == "full"
            and design.replicates == 1
            and len(effect) == sum(len(facet.levels) > 1 for facet in design.facets)
        ):
            raise ValueError(
                f"{name} cannot be told from noise: each cell is run once; use replicates = 2"
            )
    keys = run_keys(design) if keys is None else keys
    if not effects:
        return
    factors = {" x ".join(effect): labels_of(keys, effect) for effect in effects}
    levels = [[len(by_name[facet].levels) - 1 for facet in effect] for effect in effects]
    few = _too_few(len(keys), 2 + sum(map(prod, levels))) if design.crossing == "sampled" else ""
    try:
        moment_components(np.zeros((len(keys), 1)), factors)
    except ValueError as error:
        raise ValueError(
            f"{', '.join(factors)} are confounded in {few}" if few else error
        ) from None
    indicators = np.concatenate([np.eye(code.max() + 1)[code] for code in factors.values()], axis=1)
    if np.linalg.matrix_rank(indicators) >= len(keys):
        raise ValueError(
            f"{', '.join(factors)} are confounded with noise in {few}"
            if few
            else f"{', '.join(factors)} use up all {len(keys)} runs, so they are confounded with "
            "noise; use replicates = 2 or more draws"
        )


def _too_few(draws: int, needed: int) -> str:
    if draws < needed:
        return (
            f"{draws} draws, which are too few: to tell them apart and from noise takes at least "
            f"{needed}; raise draws"
        )
    return f"these {draws} draws; raise draws, or take another seed"
