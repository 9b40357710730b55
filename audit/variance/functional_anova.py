"""Exact functional ANOVA on full factorial grids: which analytic choice moves the result.

Sobol shares by inclusion-exclusion of marginal means; they sum to 1, interactions included. One
choice at a time hides interactions and underestimates joint variation.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class FunctionalAnova:
    """Variance of every effect over the grid, all levels weighted equally."""

    factors: tuple[str, ...]
    variance: dict[tuple[str, ...], Float[np.ndarray, " edge"]]
    """Effect, e.g. ("method",) or ("method", "ablation"), to its variance per edge."""

    @property
    def total(self) -> Float[np.ndarray, " edge"]:
        """Variance over the whole grid."""
        return np.sum(list(self.variance.values()), axis=0)

    def share(self, *effect: str) -> Float[np.ndarray, " edge"]:
        """Sobol index of one effect; NaN where nothing varies."""
        if effect not in self.variance:
            known = ", ".join(" x ".join(e) for e in self.variance)
            raise ValueError(f"no effect {' x '.join(effect)!r}; there are {known}")
        return _ratio(self.variance[effect], self.total)

    def total_share(self, factor: str) -> Float[np.ndarray, " edge"]:
        """Total index: shares of every effect that holds the factor."""
        parts = [value for effect, value in self.variance.items() if factor in effect]
        if not parts:
            raise ValueError(f"no factor {factor!r}; there are {', '.join(self.factors)}")
        return _ratio(np.sum(parts, axis=0), self.total)


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
