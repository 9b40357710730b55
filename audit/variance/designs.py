"""Designs of several factors: full grids of choices, and incomplete ones of random factors.

Functional ANOVA is exact on full factorial grids: Sobol shares by inclusion-exclusion of marginal
means, which sum to 1, interactions included; one choice at a time hides these and underestimates
joint variation. The moment estimator takes any design, unbalanced, crossed, nested, with missing
cells: one quadratic form per factor plus the total, whose expectations depend on the design only,
so a single small solve serves all edges (the Henderson-I family). It equals ANOVA on balanced data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from circuitvar.audit.resampling import columns
from circuitvar.audit.variance.variance_components import Components

Edge = Float[np.ndarray, " edge"]


@dataclass(frozen=True, eq=False)
class FunctionalAnova:
    """Variance of every effect over the grid, all levels weighted equally."""

    factors: tuple[str, ...]
    variance: dict[tuple[str, ...], Edge]
    """Effect, e.g. ("method",) or ("method", "ablation"), to its variance per edge."""

    @property
    def total(self) -> Edge:
        """Variance over the whole grid."""
        return np.sum(list(self.variance.values()), axis=0)

    def share(self, *effect: str) -> Edge:
        """Sobol index of one effect; NaN where nothing varies."""
        if effect not in self.variance:
            known = ", ".join(" x ".join(e) for e in self.variance)
            raise ValueError(f"no effect {' x '.join(effect)!r}; there are {known}")
        return _ratio(self.variance[effect], self.total)

    def total_share(self, factor: str) -> Edge:
        """Total index: shares of every effect that holds the factor."""
        parts = [value for effect, value in self.variance.items() if factor in effect]
        if not parts:
            raise ValueError(f"no factor {factor!r}; there are {', '.join(self.factors)}")
        return _ratio(np.sum(parts, axis=0), self.total)

    def rows(self, *, least: float = 0.0) -> list[dict[str, object]]:
        """effect, variance summed over edges, share, total_share (single factors) of every effect.

        Variances below `least` count as 0; shares are NaN where nothing varies.
        """
        summed = {effect: float(v.sum()) for effect, v in self.variance.items()}
        summed = {effect: v if abs(v) >= least else 0.0 for effect, v in summed.items()}
        total, rows = sum(summed.values()), []
        for effect, variance in summed.items():
            holding = [v for other, v in summed.items() if effect[0] in other]
            whole = sum(holding) / total if len(effect) == 1 and total else np.nan
            share = variance / total if total else np.nan
            row = {"effect": " x ".join(effect), "variance": variance, "share": share}
            rows.append({**row, "total_share": whole})
        return rows


def functional_anova(grid: Float[np.ndarray, "..."], factors: tuple[str, ...]) -> FunctionalAnova:
    """Decompose a full grid: one axis per factor, then an optional edge axis.

    f_S = sum_{T subset of S} (-1)^(#S - #T) mean of the grid over all factors not in T; the
    variance of an effect is the mean of f_S². With one value per cell the highest interaction also
    holds the noise: replicate a cell to tell them apart.

    >>> a, b = np.array([-1.0, 0, 1])[:, None], np.array([-1.0, 1])[None, :]
    >>> f = functional_anova(a + 2 * b + 0.5 * a * b, ("a", "b"))
    >>> [round(float(v[0] / f.total[0]), 4) for v in f.variance.values()]
    [0.1379, 0.8276, 0.0345]
    """
    number = len(factors)
    values = np.asarray(grid, dtype=np.float64)
    if values.ndim == number:
        values = values[..., None]
    if values.ndim != number + 1 or number == 0:
        raise ValueError(
            f"the grid has {np.ndim(grid)} axes for factors {factors}; "
            "give one axis per factor and at most one more for edges"
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "the grid has missing cells; a functional ANOVA needs the full factorial, use "
            "`moment_components` for incomplete designs"
        )
    means = {
        kept: values.mean(axis=tuple(i for i in range(number) if i not in kept), keepdims=True)
        for size in range(number + 1)
        for kept in combinations(range(number), size)
    }
    variance = {}
    for effect in list(means)[1:]:
        part = np.zeros_like(means[effect])
        for sub in (kept for kept in means if set(kept) <= set(effect)):
            part = part + (-1) ** (len(effect) - len(sub)) * means[sub]
        name = tuple(factors[i] for i in effect)
        variance[name] = (part**2).mean(axis=tuple(range(number)))
    return FunctionalAnova(tuple(factors), variance)


def _ratio(top, bottom):
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def moment_components(
    values: Float[np.ndarray, "row edge"], factors: Mapping[str, Sequence[object] | np.ndarray]
) -> Components:
    """Components of the named random factors and the residual, for all edges.

    q_j = y'(P_j - P_mean) y with P_j the averaging projector of factor j, and the total;
    E[q_j] = sum_i tr((P_j - P_mean) Z_i Z_i') var_i. An interaction is a factor like another: see
    `cross`.

    >>> y = np.array([[3.0], [5], [4], [6], [9], [9]])
    >>> f = {"draw": [0, 0, 0, 1, 1, 1], "prompt": [0, 1, 2, 0, 1, 2]}
    >>> moment_components(y, f).values.ravel().round(4).tolist()
    [7.8333, 1.5, 0.5]

    Raises
    ------
    ValueError
        When a factor does not vary, or factors are confounded so that no solution exists.
    """
    rows, n_edges = values.shape
    codes = {name: _codes(name, labels, rows) for name, labels in factors.items()}
    cells = np.arange(rows)
    members = [csr_array((np.ones(rows), (code, cells))) for code in codes.values()]
    expected = _expectations(members, rows)
    if np.linalg.cond(expected) > 1e10:
        raise ValueError(
            f"factors {', '.join(codes)} are confounded with each other or with the residual in "
            "this design; cross them, replicate a cell, or drop one"
        )
    forms = np.empty((len(members) + 1, n_edges))
    sizes = [np.asarray(member.sum(axis=1)).ravel() for member in members]
    for part in columns(n_edges):
        block = values[:, part].astype(np.float64)
        block = block - block.mean(axis=0)
        for j, (member, size) in enumerate(zip(members, sizes, strict=True)):
            sums = member @ block
            forms[j, part] = np.einsum("ae,ae->e", sums / size[:, None], sums)
        forms[-1, part] = np.einsum("ie,ie->e", block, block)
    solved = np.linalg.solve(expected, forms)
    return Components((*codes, "residual"), solved)


def cross(*labels: Sequence[object] | np.ndarray) -> Int[np.ndarray, " row"]:
    """Level of an interaction: one code per combination that occurs.

    >>> cross([0, 0, 1, 1], ["a", "b", "a", "a"]).tolist()
    [0, 1, 2, 2]
    """
    seen: dict[tuple[object, ...], int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in zip(*labels, strict=True)])


def _codes(name: str, labels, rows: int) -> Int[np.ndarray, " row"]:
    if len(labels) != rows:
        raise ValueError(f"factor {name!r} has {len(labels)} labels for {rows} rows")
    code = cross(labels)
    if code.max() == 0:
        raise ValueError(f"factor {name!r} has a single level; vary it or leave it out")
    return code


def _expectations(members: list[csr_array], rows: int) -> Float[np.ndarray, "form component"]:
    """C_ji = tr((P_j - P_mean) Z_i Z_i'); last row the total form, last column the residual."""
    number = len(members)
    expected = np.empty((number + 1, number + 1))
    for i, factor in enumerate(members):
        mean = float((np.asarray(factor.sum(axis=1)) ** 2).sum()) / rows
        for j, form in enumerate(members):
            shared = (form @ factor.T).toarray()
            expected[j, i] = (shared**2 / shared.sum(axis=1, keepdims=True)).sum() - mean
        expected[number, i] = rows - mean
    for j, form in enumerate(members):
        expected[j, number] = len(np.asarray(form.sum(axis=1))) - 1
    expected[number, number] = rows - 1
    return expected
