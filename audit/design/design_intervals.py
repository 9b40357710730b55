"""Intervals for the variance components of a design, each summed over edges.

Edges share the runs, so a sum over them is worth at least the degrees of freedom of one edge:
taking those covers .95 and more for any correlation of edges. Heavy tails are seen, in part, by a
jackknife over levels: where all edges move together with t(3) effects, coverage is .85 to .95.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

from circuitvar.audit.design.identifiable import labels_of
from circuitvar.audit.design.one_at_a_time import ALONE, rows_of_block
from circuitvar.audit.intervals import summed_df
from circuitvar.audit.runs import SAMPLE, Design, Effect, RunKey
from circuitvar.audit.variance import FEW, mls_interval

LEAST = 3
"""Fewer levels than this are no sample."""
Interval = tuple[float, float, str]


def summed_interval(
    values: Float[np.ndarray, "run edge"], *, level: float = 0.95
) -> tuple[float, float, float]:
    """(low, high, degrees of freedom) of the variance over runs, summed over edges: d V / chi²_d.

    >>> x = np.random.default_rng(0).normal(size=(12, 50))
    >>> low, high, df = summed_interval(x)
    >>> low < 50 < high, df <= 11
    (True, True)
    """
    squares = ((values - values.mean(axis=0)) ** 2).sum(axis=1)
    return _chi2_interval(
        float(squares.sum()), summed_df(squares, len(values) - 1), level, len(values) - 1
    )


def _chi2_interval(
    total: float, df: float, level: float, nominal: float
) -> tuple[float, float, float]:
    tail, mean_square = (1 - level) / 2, total / nominal
    low, high = (df * mean_square / float(chi2.isf(p, df)) for p in (tail, 1 - tail))
    return low, high, df


def component_interval_of(
    design: Design,
    keys: Sequence[RunKey],
    values: Float[np.ndarray, "run edge"],
    effect: Effect,
    how: str,
    *,
    effects: Sequence[Effect],
    level: float = 0.95,
) -> Interval:
    """(low, high, how) of one line of `design_components`; NaN with the reason where there is none.

    `effects`: every effect that was solved for together. Random facets have one where their
    variance is read off single runs, and on balanced grids with one run a cell, whose mean squares
    are known (modified large sample; ends below 0 are 0); so has the residual of two facets.
    """
    is_random = {facet.name: facet.random for facet in design.facets}
    reason = ""
    if len(effect) > 1:
        reason = "an interaction"
    elif effect and not is_random[effect[0]]:
        reason = "fixed levels"
    elif effect and effect[0] == SAMPLE[0]:
        reason = "resamples share one data set"
    elif effect and how == ALONE:
        rows = values[rows_of_block(design, keys, effect)]
        if len(rows) < LEAST:
            return _none(f"fewer than {LEAST} levels")
        low, high, df = summed_interval(rows, level=level)
        return low, high, _words("chi²", df, len(rows))
    elif any(len(other) > 1 for other in effects):
        reason = "interactions were asked for"
    elif not balanced(keys, effects):
        reason = "cells are missing or run more than once"
    elif not effect and len(effects) != 2:
        reason = "holds all interactions"
    elif effect and labels_of(keys, effect).max() + 1 < LEAST:
        reason = f"fewer than {LEAST} levels"
    return _none(reason) if reason else _from_squares(keys, values, effect, effects, level)


def balanced(keys: Sequence[RunKey], effects: Sequence[Effect]) -> bool:
    """Whether every combination of levels was run once."""
    shape = [int(labels_of(keys, effect).max()) + 1 for effect in effects]
    cells = {tuple(dict(key.levels)[name] for effect in effects for name in effect) for key in keys}
    return len(cells) == len(keys) == int(np.prod(shape)) and len(effects) > 0


def _from_squares(
    keys, values, effect: Effect, effects: Sequence[Effect], level: float
) -> Interval:
    """From the mean squares of a balanced grid.

    What is subtracted counts as the interaction with the facet of fewest levels, the fewest degrees
    of freedom that it can have.
    """
    centred = values - values.mean(axis=0)
    codes = [labels_of(keys, other) for other in effects]
    sizes = [int(code.max()) + 1 for code in codes]
    squares, rest = [], centred.copy()
    for code, size in zip(codes, sizes, strict=True):
        means = np.stack([centred[code == i].mean(axis=0) for i in range(size)])
        squares.append(len(keys) / size * (means**2).sum(axis=1))
        rest -= means[code]
    left = (rest**2).sum(axis=1)
    left_df = len(keys) - 1 - sum(size - 1 for size in sizes)
    if not effect:
        longest = codes[int(np.argmax(sizes))]
        df = summed_df(np.bincount(longest, weights=left), left_df)
        low, high, df = _chi2_interval(float(left.sum()), df, level, left_df)
        return low, high, _words("chi²", df, max(sizes))
    at = list(effects).index(effect)
    size = sizes[at]
    others = [other - 1 for i, other in enumerate(sizes) if i != at]
    df = summed_df(squares[at], size - 1)
    low, high = mls_interval(
        np.array([squares[at].sum() / (size - 1)]),
        np.array([left.sum() / left_df]),
        df=(df, float((size - 1) * min(others))),
        divisor=len(keys) / size,
        level=level,
    )
    low, high = max(float(low[0]), 0.0), max(float(high[0]), 0.0)
    return low, high, _words("modified large sample", df, size)


def _words(method: str, df: float, levels: int) -> str:
    caution = f"; {levels} levels: leans on normal effects" if levels < FEW else ""
    return f"{method}, {df:.1f} degrees of freedom{caution}"


def _none(reason: str) -> Interval:
    return np.nan, np.nan, f"none: {reason}"
