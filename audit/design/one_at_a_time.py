"""Variance by facet in a one-at-a-time design, whose single runs leave no residual.

Each facet is read in its own block: the runs in which everything else is at its default. What is
left between runs of one cell is then inside these variances; replicates would take it out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.design.identifiable import labels_of
from circuitvar.audit.runs import Design, Effect, RunKey, pools
from circuitvar.audit.variance import moment_components

Edge = Float[np.ndarray, " edge"]
ALONE = "variance over levels, the rest at default"
WITHIN = "moment estimator within the block"


def single_runs(design: Design, keys: Sequence[RunKey]) -> bool:
    """Whether this is a one-at-a-time design without replicates."""
    return design.crossing == "one-at-a-time" and not any(key.replicate for key in keys)


def rows_at_default(
    design: Design, keys: Sequence[RunKey], free: Sequence[str]
) -> Int[np.ndarray, " row"]:
    """Runs in which every facet but the `free` ones is at its first level."""
    default = {facet.name: facet.levels[0] for facet in design.facets}
    return np.array(
        [
            row
            for row, key in enumerate(keys)
            if all(level == default[name] for name, level in key.levels if name not in free)
        ],
        dtype=np.int64,
    )


def rows_of_block(
    design: Design, keys: Sequence[RunKey], free: Sequence[str]
) -> Int[np.ndarray, " row"]:
    """`rows_at_default` at levels of the free facets, without the run that takes all together."""
    return np.array(
        [
            row
            for row in rows_at_default(design, keys, free)
            if not any(pools(design, name, dict(keys[row].levels)[name]) for name in free)
        ],
        dtype=np.int64,
    )


def block_variances(
    design: Design, keys: Sequence[RunKey], values: Float[np.ndarray, "run edge"]
) -> list[tuple[Effect, Edge, str]]:
    """(effect, variance per edge, how) of every facet and group of a one-at-a-time design.

    Random facets: unbiased variance over levels; fixed ones: variance over the listed levels. A
    group whose runs identify its main effects gets them by the moment estimator, and one line for
    its interactions and the rest.
    """
    present = [name for name, _ in keys[0].levels]
    groups = [tuple(n for n in group if n in present) for group in design.together]
    grouped = {name for group in groups for name in group}
    random = {facet.name: facet.random for facet in design.facets}
    found: list[tuple[Effect, Edge, str]] = []
    for name in present:
        group = next((g for g in groups if name in g), (name,))
        if len(group) > 1 and name == group[0]:
            found += _group(design, keys, values, group)
        elif name not in grouped or len(group) == 1:
            rows = rows_of_block(design, keys, (name,))
            if len(rows) > 1:
                spread = values[rows].var(axis=0, ddof=int(random[name]), dtype=np.float64)
                found.append(((name,), spread, ALONE))
    return found


def _group(
    design: Design, keys: Sequence[RunKey], values: np.ndarray, group: Effect
) -> list[tuple[Effect, Edge, str]]:
    rows = rows_of_block(design, keys, group)
    inside = [keys[row] for row in rows]
    codes: Mapping[str, np.ndarray] = {
        name: labels_of(inside, (name,)) for name in group if len(inside)
    }
    codes = {name: code for name, code in codes.items() if code.max() > 0}
    indicators = [np.eye(code.max() + 1)[code] for code in codes.values()]
    fixed = {facet.name: len(facet.levels) for facet in design.facets if not facet.random}
    if len(codes) > 1 and np.linalg.matrix_rank(np.concatenate(indicators, axis=1)) < len(rows):
        solved = moment_components(values[rows], codes).values
        scale = [1 - 1 / fixed[name] if name in fixed else 1.0 for name in codes]
        lines = [((name,), solved[i] * scale[i], WITHIN) for i, name in enumerate(codes)]
        return [*lines, (group, solved[-1], WITHIN)]
    lines = []
    for name in codes:
        own = rows_of_block(design, keys, (name,))
        if len(own) > 1:
            ddof = int(name not in fixed)
            lines.append(((name,), values[own].var(axis=0, ddof=ddof, dtype=np.float64), ALONE))
    return lines
