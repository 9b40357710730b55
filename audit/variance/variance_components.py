"""Variance components of balanced designs and of prompts in templates, for all edges at once.

Closed forms from mean squares; the same numbers as REML on balanced data at a ten-thousandth of
the cost. Negative estimates are kept: truncating them biases averages over edges.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.intervals import between_df, crossed_df, pooled, within_df
from circuitvar.audit.resampling import Scores, columns, membership
from circuitvar.tasks.units import unit_of_example

Edge = Float[np.ndarray, " edge"]


@dataclass(frozen=True, eq=False)
class Components:
    """Variance components of every edge, in squared score units."""

    names: tuple[str, ...]
    values: Float[np.ndarray, "component edge"]
    """Raw estimates; negative ones are kept: no evidence for the component."""
    mean_squares: Float[np.ndarray, "component edge"] | None = None
    df: tuple[int, ...] = ()
    subtracted: tuple[int, ...] = ()
    """Row of `mean_squares` that is subtracted; -1 for the residual, which is a mean square."""
    divisors: tuple[float, ...] = ()
    """value = (own mean square - subtracted mean square) / divisor."""
    effective_df: tuple[float, ...] = ()
    """Degrees of freedom the mean squares are worth, given the tails of the effects."""

    @property
    def total(self) -> Edge:
        """Sum of the components, residual included."""
        return self.values.sum(axis=0)

    @property
    def shares(self) -> Float[np.ndarray, "component edge"]:
        """Raw value over raw total; NaN for edges without variance. Columns sum to 1."""
        total, nothing = self.total, np.full(self.values.shape, np.nan)
        return np.divide(self.values, total, out=nothing, where=total != 0)

    def row(self, name: str) -> int:
        """Row of one component."""
        if name not in self.names:
            raise ValueError(f"no component {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)

    def of(self, name: str) -> Edge:
        """Variance of one component for every edge."""
        return self.values[self.row(name)]


def two_way(
    values: Float[np.ndarray, "row column edge"], *, names: tuple[str, str] = ("row", "column")
) -> Components:
    """Two crossed random factors, one observation per cell (e.g. corruption draws x prompts).

    var_row = (MS_row - MS_e)/b, var_column = (MS_column - MS_e)/a, residual = MS_e, which holds
    the interaction as well.

    >>> v = np.array([[3.0, 5, 4], [6, 9, 9]])[:, :, None]
    >>> two_way(v).values.ravel().round(4).tolist()
    [7.8333, 1.5, 0.5]
    """
    a, b, n_edges = _shape(values, 3, (2, 2))
    squares = np.empty((3, n_edges))
    for part, block in _blocks(values):
        rows, columns = block.mean(axis=1), block.mean(axis=0)
        grand = rows.mean(axis=0)
        squares[0, part] = b * ((rows - grand) ** 2).sum(axis=0)
        squares[1, part] = a * ((columns - grand) ** 2).sum(axis=0)
        flat = block.reshape(a * b, -1)
        total = np.einsum("ie,ie->e", flat, flat) - a * b * grand**2
        squares[2, part] = np.maximum(total - squares[0, part] - squares[1, part], 0)
    df = (a - 1, b - 1, (a - 1) * (b - 1))
    few = pooled(values).astype(np.float64)
    rows, columns = few.mean(axis=1), few.mean(axis=0)
    rest = few - rows[:, None] - columns[None] + rows.mean(axis=0)
    worth = (between_df(rows), between_df(columns), crossed_df(rest))
    return _from_squares((*names, "residual"), squares, df, (2, 2, -1), (b, a, 1), worth)


def nested(values: Float[np.ndarray, "template prompt draw edge"]) -> Components:
    """Prompts nested in templates, draws nested in prompts; one draw leaves two components.

    var_t = (MS_t - MS_p)/(P R), var_p = (MS_p - MS_e)/R, residual = MS_e.
    """
    names = ("template", "prompt", "residual")
    t, p, r, n_edges = _shape(values, 4, (2, 2, 1))
    squares = np.empty((3, n_edges))
    for part, block in _blocks(values):
        prompts = block.mean(axis=2)
        templates = prompts.mean(axis=1)
        squares[0, part] = p * r * ((templates - templates.mean(axis=0)) ** 2).sum(axis=0)
        squares[1, part] = r * ((prompts - templates[:, None]) ** 2).sum(axis=(0, 1))
        squares[2, part] = ((block - prompts[:, :, None]) ** 2).sum(axis=(0, 1, 2))
    df = (t - 1, t * (p - 1), t * p * (r - 1))
    few = pooled(values).astype(np.float64)
    prompts = few.mean(axis=2)
    inner = ((prompts - prompts.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    worth = (between_df(prompts.mean(axis=1)), within_df(inner, p - 1))
    if r == 1:
        return _from_squares(names[:2], squares[:2], df[:2], (1, -1), (p, 1), worth)
    rest = ((few - prompts[:, :, None]) ** 2).sum(axis=(1, 2))
    worth = (*worth, within_df(rest, p * (r - 1)))
    return _from_squares(names, squares, df, (1, 2, -1), (p * r, r, 1), worth)


def within_between(scores: Scores, clusters) -> tuple[Components, float, float]:
    """Between-template and within-template variance, templates of any sizes.

    var_between = (MS_between - MS_within)/n0 with n0 = (N - sum n_t²/N)/(T - 1). Also returns what
    turns them into the sampling variance of a mean score: var_between * c_b + var_within * c_w,
    with c_b = sum (n_t/N)² and c_w = 1/N.

    >>> y = np.array([[0.0], [2.0], [4.0], [6.0]])
    >>> within_between(y, ["a", "a", "b", "b"])[0].values.ravel().tolist()
    [7.0, 2.0]
    """
    units = unit_of_example(len(scores), clusters)
    sizes = np.bincount(units).astype(np.float64)
    total, number = float(sizes.sum()), len(sizes)
    if number < 2:
        raise ValueError(
            "all examples share one template, so between-template variance cannot be "
            "estimated; sample at least 2 templates"
        )
    if total == number:
        raise ValueError(
            "every template has one prompt, so within-template variance cannot be estimated; "
            "sample at least 2 prompts of some template"
        )
    member = membership(units)
    squares = np.empty((2, scores.shape[1]))
    for part, block in _blocks(scores):
        means = (member @ block) / sizes[:, None]
        grand = sizes @ means / total
        squares[0, part] = sizes @ (means - grand) ** 2
        squares[1, part] = ((block - means[units]) ** 2).sum(axis=0)
    n0 = (total - (sizes**2).sum() / total) / (number - 1)
    few = pooled(scores).astype(np.float64)
    means = (member @ few) / sizes[:, None]
    worth = (between_df(means), within_df(member @ (few - means[units]) ** 2, sizes - 1))
    names, df = ("between template", "within template"), (number - 1, int(total) - number)
    found = _from_squares(names, squares, df, (1, -1), (float(n0), 1), worth)
    return found, float(((sizes / total) ** 2).sum()), 1 / total


def design_effect(components: Components, c_between: float, c_within: float):
    """Variance of a mean score over what independent prompts would give, per edge.

    Above 1 when templates differ; NaN where an edge has no variance.
    """
    between, within = components.values
    actual = between * c_between + within * c_within
    independent = (between + within) * c_within
    nothing = np.full(len(actual), np.nan)
    return np.divide(actual, independent, out=nothing, where=independent > 0)


def _from_squares(names, squares, df, subtracted, divisors, worth) -> Components:
    mean_squares = squares / np.array(df, dtype=np.float64)[:, None]
    values = mean_squares.copy()
    for i, other in enumerate(subtracted):
        if other >= 0:
            values[i] = (mean_squares[i] - mean_squares[other]) / divisors[i]
    return Components(names, values, mean_squares, df, subtracted, divisors, worth)


def _shape(values, ndim: int, least: tuple[int, ...]):
    if values.ndim != ndim:
        raise ValueError(
            f"values have {values.ndim} axes; this design needs {ndim}, edges last "
            "(add a length-1 axis for a single edge)"
        )
    if any(have < need for have, need in zip(values.shape, least, strict=False)):
        raise ValueError(
            f"the design is {values.shape[:-1]}; it needs at least {least} levels to tell its "
            "components apart"
        )
    return values.shape


def _blocks(values):
    """Float64 column blocks, shifted by the first row so that constant edges give exact zeros."""
    first = values[(0,) * (values.ndim - 1)]
    for part in columns(values.shape[-1], 2048):
        yield part, values[..., part].astype(np.float64) - first[part].astype(np.float64)
