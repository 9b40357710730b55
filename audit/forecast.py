"""How stable would the circuit be with more prompts: an empirical-Bayes forecast of phi.

Power laws and plug-in simulation fail on noise and on clear gaps. Here the law of the true effects
is deconvolved from the estimated ones (nonparametric maximum likelihood, NPMLE) and two future
data sets are simulated from it. Always show `observed_points` beside it: they use no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.edge_summary import EdgeSummary
from circuitvar.audit.nogueira import phi
from circuitvar.audit.replicate_sets import replicate_sets, top_k_masks
from circuitvar.audit.weights import Clusters, disjoint_blocks

_CORE = 8.0
_STEP = 0.1
_TAIL_POINTS = 60
_BIN = 0.05


@dataclass(frozen=True, eq=False)
class Prior:
    """Law of the standardised effects: mass of each cell of a grid."""

    grid: Float[np.ndarray, " cell"]
    mass: Float[np.ndarray, " cell"]

    @property
    def edges(self) -> Float[np.ndarray, " boundary"]:
        """Cell boundaries: midpoints of the grid, its ends outside."""
        middle = (self.grid[1:] + self.grid[:-1]) / 2
        return np.concatenate([[self.grid[0]], middle, [self.grid[-1]]])


def fit_prior(z: Float[np.ndarray, " edge"], *, iterations: int = 400) -> Prior:
    """NPMLE of the law of zeta = effect / SE from z = estimate / SE ~ Normal(zeta, 1), by EM.

    Grid of step 0.1 up to |zeta| = 8 and geometric beyond; z is binned to 0.05. We standardise
    each edge, because edges with larger effects have larger noise; on edges of equal noise this
    is the usual prior on effects.
    """
    z = z[np.isfinite(z)]
    if not len(z):
        raise ValueError("no edge has a standard error; the forecast needs at least 2 examples")
    top = max(float(np.abs(z).max()), 1.0)
    core = np.arange(0, min(top + 1, _CORE) + _STEP, _STEP)
    tail = np.geomspace(core[-1], top * 1.05, _TAIL_POINTS)[1:] if top > core[-1] else np.empty(0)
    half = np.concatenate([core, tail])
    grid = np.concatenate([-half[:0:-1], half])
    value, count = np.unique(np.round(z / _BIN) * _BIN, return_counts=True)
    log = -0.5 * (value[:, None] - grid) ** 2
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    mass = np.full(len(grid), 1 / len(grid))
    for _ in range(iterations):
        mass = mass * (likelihood.T @ (count / (likelihood @ mass))) / count.sum()
    return Prior(grid, mass / mass.sum())


def posterior_draws(
    z: Float[np.ndarray, " edge"], prior: Prior, draws: int, *, rng: np.random.Generator
) -> Float[np.ndarray, "draw edge"]:
    """Standardised effects drawn from each edge's posterior; spread within a grid cell."""
    out = np.empty((draws, len(z)))
    boundary = prior.edges
    log_mass = np.log(np.maximum(prior.mass, 1e-300))
    for start in range(0, len(z), 2048):
        part = slice(start, start + 2048)
        log = log_mass - 0.5 * (z[part, None] - prior.grid) ** 2
        weight = np.exp(log - log.max(axis=1, keepdims=True))
        cumulative = np.cumsum(weight, axis=1)
        u = rng.random((draws, len(weight))) * cumulative[:, -1]
        cell = np.stack([(cumulative < row[:, None]).sum(axis=1) for row in u])
        low, high = boundary[cell], boundary[cell + 1]
        inside = low + (high - low) * rng.random(cell.shape)
        wide = np.clip(z[part] + rng.normal(size=cell.shape), low, high)
        out[:, part] = np.where(high - low > 0.5, wide, inside)
    return out


def forecast(
    summary: EdgeSummary,
    *,
    size: int,
    units: Sequence[int],
    rng: np.random.Generator,
    draws: int = 20,
    signed: bool = False,
    iterations: int = 400,
) -> pd.DataFrame:
    """Expected phi of two fresh data sets at each number of units (prompts, or templates if the
    summary is clustered): columns units, phi, low, high, kind.

    low and high: 5 and 95 % of the simulated values; they hold the spread of two future data sets,
    not the error of the fitted law. Errors of edges are simulated as independent.

    >>> from circuitvar.audit.edge_summary import edge_summary
    >>> rng = np.random.default_rng(0)
    >>> s = edge_summary(rng.normal(size=(50, 40)) + 9.0 * (np.arange(40) < 5))
    >>> forecast(s, size=5, units=[100], rng=rng, draws=3)["phi"].tolist()
    [1.0]
    """
    if not 1 <= size <= len(summary.mean):
        raise ValueError(f"size is {size}; choose between 1 and {len(summary.mean)} edges")
    noisy = summary.se > 0
    z = summary.mean[noisy] / summary.se[noisy]
    effect = np.tile(summary.mean, (draws, 1))
    if noisy.any():
        prior = fit_prior(z, iterations=iterations)
        effect[:, noisy] = posterior_draws(z, prior, draws, rng=rng) * summary.se[noisy]
    elif summary.units < 2:
        raise ValueError("no edge has a standard error; the forecast needs at least 2 examples")
    rows = []
    for number in units:
        if number < 1:
            raise ValueError(f"cannot forecast for {number} units; ask for 1 or more")
        se = np.where(noisy, summary.se, 0.0) * np.sqrt(summary.units / number)
        value = np.empty(draws)
        for i, truth in enumerate(effect):
            future = truth + se * rng.normal(size=(2, len(truth)))
            value[i] = phi(top_k_masks(future, size, signed=signed))
        low, high = np.quantile(value, [0.05, 0.95])
        rows.append((int(number), float(value.mean()), float(low), float(high), "forecast"))
    return pd.DataFrame(rows, columns=["units", "phi", "low", "high", "kind"])


def observed_points(
    scores: Float[np.ndarray, "example edge"],
    *,
    size: int,
    rng: np.random.Generator,
    clusters: Clusters = None,
    units: Sequence[int] | None = None,
    repeats: int = 10,
    signed: bool = False,
) -> pd.DataFrame:
    """phi of disjoint blocks of the data at smaller sizes (n/16 ... n/2): unbiased, no model.

    Mean over `repeats` random partitions; low and high are the extremes of the partitions.
    """
    number = len(scores) if clusters is None else len(set(np.asarray(clusters).tolist()))
    if units is None:
        units = sorted({number // d for d in (16, 8, 4, 2) if number // d >= 1})
    rows = []
    for block in units:
        values = np.empty(repeats)
        for r in range(repeats):
            cut = disjoint_blocks(len(scores), block, rng=rng, clusters=clusters)
            sets = replicate_sets(scores, cut.weights, size=size, signed=signed)
            values[r] = phi(sets.masks(sets.contested), n_edges=sets.n_edges, always=sets.always)
        low, high = float(values.min()), float(values.max())
        rows.append((int(block), float(values.mean()), low, high, "observed"))
    return pd.DataFrame(rows, columns=["units", "phi", "low", "high", "kind"])


def units_for(forecasted: pd.DataFrame, target: float) -> float:
    """Units at which the forecast first reaches `target`, log-linear between points; inf if it
    never does, NaN without points.

    >>> units_for(pd.DataFrame({"units": [100, 400], "phi": [0.5, 0.9]}), 0.7)
    200.0
    """
    frame = forecasted.sort_values("units")
    n, value = frame["units"].to_numpy(dtype=float), frame["phi"].to_numpy(dtype=float)
    if not len(n):
        return float("nan")
    reached = np.flatnonzero(value >= target)
    if not len(reached):
        return float("inf")
    i = int(reached[0])
    if i == 0:
        return float(n[0])
    share = (target - value[i - 1]) / (value[i] - value[i - 1])
    return float(np.round(n[i - 1] * (n[i] / n[i - 1]) ** share, 6))
