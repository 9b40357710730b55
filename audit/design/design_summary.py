"""What a finished design says: components of scores and of membership, Sobol shares, agreement.

Selection facets (size, rule, granularity) cannot change a score, so variance is decomposed twice:
of the scores, over the facets that can change them, and of membership (edge kept or not), over
all facets.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.design.design_intervals import Interval, component_interval_of
from circuitvar.audit.design.identifiable import labels_of, require_identifiable
from circuitvar.audit.design.one_at_a_time import block_variances, rows_of_block, single_runs
from circuitvar.audit.runs import SELECTION, Derived, Design, Effect, RunKey, any_finder, pools
from circuitvar.audit.variance import functional_anova, moment_components
from circuitvar.circuits.methods.catalog import get_method

Runs = Float[np.ndarray, "run edge"]
MOMENTS = "moment estimator"
ROUNDING = (16 * float(np.finfo(np.float32).eps)) ** 2
"""Variance, in mean squared scores, below which runs differ by the rounding of scores alone."""


def varied(keys: Sequence[RunKey], names: Sequence[str] | None = None) -> tuple[Effect, ...]:
    """The main effects that runs can speak about: facets with at least two levels among them."""
    present = [name for name, _ in keys[0].levels] if names is None else names
    return tuple(
        (name,) for name in present if len({repr(dict(key.levels)[name]) for key in keys}) > 1
    )


def score_runs(keys: Sequence[RunKey]) -> tuple[tuple[RunKey, ...], list[int]]:
    """Runs without the facets that cannot change a score, once each, and the row of each."""
    first: dict[RunKey, int] = {}
    for row, key in enumerate(keys):
        levels = tuple(pair for pair in key.levels if pair[0] not in SELECTION)
        first.setdefault(RunKey(levels, key.replicate), row)
    return tuple(first), list(first.values())


def require_answers(
    design: Design, keys: Sequence[RunKey], *, asked: Sequence[Effect] = ()
) -> None:
    """Refuse a design before it runs whose scores or circuits cannot tell its effects apart.

    Raises
    ------
    ValueError
        Names the effects and what to change.
    """
    parts = [(keys, asked)]
    if not any_finder(keys):
        parts.insert(0, (score_runs(keys)[0], _of_scores(asked)))
    for own, wanted in parts:
        if _read_directly(design, own):
            require_identifiable(design, wanted, keys=own)
            continue
        for rows, effects in moment_parts(design, own, wanted):
            require_identifiable(design, effects, keys=[own[row] for row in rows])


def moment_parts(
    design: Design, keys: Sequence[RunKey], asked: Sequence[Effect] = ()
) -> list[tuple[list[int], tuple[Effect, ...]]]:
    """(rows, effects) that are solved for together.

    Runs that take all levels of a random facet together (`facets.pools`) are left out.
    Where the rest of a one-at-a-time design was run with all levels together, it is one part and
    the facet another.
    """
    apart = [
        name
        for name, _ in keys[0].levels
        if {pools(design, name, dict(key.levels)[name]) for key in keys} == {True, False}
    ]
    if design.crossing == "one-at-a-time" and apart:
        default = {facet.name: facet.levels[0] for facet in design.facets}
        main = [
            row
            for row, key in enumerate(keys)
            if all(dict(key.levels)[name] == default[name] for name in apart)
        ]
        parts = [(main, (*varied([keys[row] for row in main]), *asked))]
        parts += [(rows_of_block(design, keys, (name,)).tolist(), ((name,),)) for name in apart]
        return [part for part in parts if part[1]]
    rows = [
        row
        for row, key in enumerate(keys)
        if not any(pools(design, name, dict(key.levels)[name]) for name in apart)
    ]
    return [(rows, (*varied([keys[row] for row in rows]), *asked))]


def _of_scores(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    return tuple(effect for effect in effects if not set(effect) & {*SELECTION})


def _read_directly(design: Design, keys: Sequence[RunKey]) -> bool:
    """Whether variances are read off the runs: one at a time, or one facet, each level run once."""
    present = {name for name, _ in keys[0].levels}
    wide = [f.name for f in design.facets if f.name in present and len(f.levels) > 1]
    alone = len(wide) == 1 and labels_of(keys, (wide[0],)).max() + 1 == len(keys)
    return alone or single_runs(design, keys)


def responses(derived: Derived) -> dict[str, tuple[tuple[RunKey, ...], Runs]]:
    """Scores once per set of levels that can change them, and membership of every run.

    Designs with finders have membership alone.
    """
    keys = derived.keys
    if any_finder(keys):
        return {"membership": (keys, derived.masks.astype(np.float64))}
    own, rows = score_runs(keys)
    scores = derived.scores[rows]
    if mixes_units(own):
        with np.errstate(invalid="ignore"):
            scores = scores / np.sqrt((scores**2).mean(axis=1, keepdims=True))
        scores = np.nan_to_num(scores)
    return {"score": (own, scores), "membership": (keys, derived.masks.astype(np.float64))}


def mixes_units(keys: Sequence[RunKey]) -> bool:
    """Whether scores of different runs have different units.

    So it is where metrics differ, or a method has a scale of its own. They are then divided by
    their root mean square over edges, run by run.
    """
    metrics = {dict(key.levels).get("metric") for key in keys}
    methods = {dict(key.levels).get("method") for key in keys} - {None}
    native = any(get_method(str(key)).unit == "native" for key in methods)
    return len(metrics) > 1 or (native and len(methods) > 1)


def design_components(
    design: Design, derived: Derived, *, interactions: Sequence[Effect] = (), level: float = 0.95
) -> pd.DataFrame:
    """One row per response and effect.

    Variance summed over edges with `low` and `high` where the design gives them (`interval` says
    from what, or why not), share, median share over edges.

    Shares of a response sum to 1, and are NaN where nothing varies. Negative estimates are kept and
    marked; variances of the size of rounding (`ROUNDING`) are 0. Random facets: variance over all
    levels there could be, from single ones alone (`facets.pools`); `fixed` ones: over the listed
    levels, (L - 1)/L of that. Single runs of a one-at-a-time design are read facet by facet
    (`one_at_a_time`), without a residual.

    Raises
    ------
    ValueError
        The runs cannot separate the effects; says which and what to do.
    """
    fixed = {facet.name: len(facet.levels) for facet in design.facets if not facet.random}
    frames = []
    for response, (keys, values) in responses(derived).items():
        wanted = interactions if response == "membership" else _of_scores(interactions)
        if not varied(keys):
            continue
        if _read_directly(design, keys):
            require_identifiable(design, wanted, keys=keys)
            lines = block_variances(design, keys, values)
        else:
            lines = _moment_lines(design, keys, values, wanted, fixed)
        if not lines:
            continue
        square = (values**2).mean(axis=0)
        per_edge = np.stack([variance for _, variance, _ in lines])
        per_edge[np.abs(per_edge) < ROUNDING * np.maximum(square, square.mean())] = 0.0
        summed, total = per_edge.sum(axis=1), per_edge.sum(axis=0)
        summed[np.abs(summed) < 1e-12 * np.abs(summed).sum()] = 0.0  # Rounding is not negative.
        summed[np.abs(summed) < ROUNDING * square.sum()] = 0.0
        intervals = _intervals(design, keys, values, lines, summed, level)
        known = total > 0
        share = per_edge[:, known] / total[known]
        frames.append(
            pd.DataFrame(
                {
                    "response": response,
                    "component": [" x ".join(effect) or "residual" for effect, _, _ in lines],
                    "kind": [_kind(effect, fixed) for effect, _, _ in lines],
                    "variance": summed,
                    "low": [low for low, _, _ in intervals],
                    "high": [high for _, high, _ in intervals],
                    "share": summed / summed.sum() if summed.sum() else np.nan,
                    "median_share": np.median(share, axis=1) if known.any() else np.nan,
                    "negative": summed < 0,
                    "how": [how for _, _, how in lines],
                    "interval": [text for _, _, text in intervals],
                }
            )
        )
    if not frames:
        raise ValueError("no facet has two levels among the runs; give one more levels")
    return pd.concat(frames, ignore_index=True)


def _intervals(design: Design, keys, values: Runs, lines, summed, level: float) -> list[Interval]:
    rows = range(len(keys))
    effects = [effect for effect, _, _ in lines if effect]
    if any(how == MOMENTS for _, _, how in lines):
        rows, effects = moment_parts(design, keys, [e for e in effects if len(e) > 1])[0]
    solved, found = [keys[row] for row in rows], []
    for variance, (effect, _, how) in zip(summed, lines, strict=True):
        at = (solved, values[rows]) if how == MOMENTS else (keys, values)
        own = component_interval_of(design, *at, effect, how, effects=effects, level=level)
        found.append(own if variance else (np.nan, np.nan, "none: nothing varies"))
    return found


def _moment_lines(
    design: Design,
    keys: Sequence[RunKey],
    values: Runs,
    asked: Sequence[Effect],
    fixed: dict[str, int],
) -> list[tuple[Effect, Float[np.ndarray, " edge"], str]]:
    """Effects and the residual (the empty effect) of the first part by the moment estimator."""
    lines, residual = [], []
    for rows, effects in moment_parts(design, keys, asked):
        own = [keys[row] for row in rows]
        require_identifiable(design, effects, keys=own)
        factors = {" x ".join(effect): labels_of(own, effect) for effect in effects}
        found = moment_components(values[rows], factors).values
        lines += [(e, found[i] * _finite(e, fixed), MOMENTS) for i, e in enumerate(effects)]
        residual = residual or [((), found[-1], MOMENTS)]
    return lines + residual


def _kind(effect: Effect, fixed: dict[str, int]) -> str:
    if not effect:
        return "residual"
    return "fixed" if all(name in fixed for name in effect) else "random"


def _finite(effect: Effect, fixed: dict[str, int]) -> float:
    """Share of a component that is left when all levels of its facets are in the design."""
    if _kind(effect, fixed) == "random":
        return 1.0
    return float(np.prod([1 - 1 / fixed[name] for name in effect]))


def sobol_table(derived: Derived, design: Design | None = None) -> pd.DataFrame:
    """Exact functional ANOVA of a full grid.

    The share of every main effect and interaction, and the total index of single facets. Empty
    where cells are missing or unevenly filled. With `design`, levels that take all levels of a
    random facet together are left out (`facets.pools`).
    """
    frames = []
    for response, (keys, values) in responses(derived).items():
        if design is not None:
            rows = [
                row
                for row, key in enumerate(keys)
                if not any(pools(design, name, level) for name, level in key.levels)
            ]
            keys, values = tuple(keys[row] for row in rows), values[rows]
        if not keys:
            continue
        names = tuple(effect[0] for effect in varied(keys))
        grid = full_grid(keys, values, names)
        if grid is None:
            continue
        least = ROUNDING * float((values**2).mean(axis=0).sum())
        rows = functional_anova(grid, names).rows(least=least)
        frames += [{"response": response, **row} for row in rows]
    columns = ["response", "effect", "variance", "share", "total_share"]
    return pd.DataFrame(frames, columns=columns)


def full_grid(keys: Sequence[RunKey], values: Runs, names: tuple[str, ...]):
    """Values on a grid, one axis per facet and then edges, replicates averaged.

    None if some cell is missing or filled more often than another.
    """
    if not names:
        return None
    codes = np.stack([labels_of(keys, (name,)) for name in names])
    shape = tuple(codes.max(axis=1) + 1)
    cell = np.ravel_multi_index(tuple(codes), shape)
    filled = np.bincount(cell, minlength=int(np.prod(shape)))
    if filled.min() == 0 or filled.min() != filled.max():
        return None
    grid = np.zeros((len(filled), values.shape[1]))
    np.add.at(grid, cell, values)
    return (grid / filled[0]).reshape(*shape, values.shape[1])
