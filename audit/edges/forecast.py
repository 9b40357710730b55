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
from numpy.random import Generator
from scipy.stats import t as student_t

from circuitvar.audit.edges.edge_summary import EdgeSummary
from circuitvar.audit.indices import phi
from circuitvar.audit.resampling import Scores, columns, disjoint_blocks, replicate_sets
from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.units import Clusters

Edge = Float[np.ndarray, " edge"]
Draws = Float[np.ndarray, "draw edge"]
_CORE = 8.0
_STEP = 0.1
_TAIL_POINTS = 60
_BIN = 0.05
_ITERATIONS = 400
_ERROR_DRAWS = 4
_ENLARGED = 1.15
"""What a stated error is enlarged by, for what its worlds leave out: shared noise of edges."""


@dataclass(frozen=True, eq=False)
class Prior:
    """Law of the standardised effects: mass of each cell of a grid."""

    grid: Float[np.ndarray, " cell"]
    mass: Float[np.ndarray, " cell"]


def fit_prior(z: Edge) -> Prior:
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
    for _ in range(_ITERATIONS):
        mass = mass * (likelihood.T @ (count / (likelihood @ mass))) / count.sum()
    return Prior(grid, mass / mass.sum())


def posterior_draws(z: Edge, prior: Prior, draws: int, *, rng: Generator) -> Draws:
    """Standardised effects drawn from each edge's posterior; spread within a grid cell."""
    out = np.empty((draws, len(z)))
    # Cells end at the midpoints of the grid, and at its ends.
    grid = prior.grid
    boundary = np.concatenate([grid[:1], (grid[1:] + grid[:-1]) / 2, grid[-1:]])
    log_mass = np.log(np.maximum(prior.mass, 1e-300))
    for part in columns(len(z), 2048):
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


def normal_score(t: Edge, df: float) -> Edge:
    """z with Phi(z) about the t(df) law at t (Wallace 1959).

    So that few units do not make noise look like effects: sign(t) (8 df + 1)/(8 df + 3) sqrt(df
    log(1 + t²/df)).

    >>> normal_score(np.array([-2.07, 0.0]), 23).round(2).tolist()
    [-1.96, 0.0]
    """
    size = (8 * df + 1) / (8 * df + 3) * np.sqrt(df * np.log1p(t**2 / df))
    return np.copysign(size, t)


def from_normal_score(z: Draws, df: float) -> Draws:
    """The t whose `normal_score` is z: effects are drawn as normal scores and live in units of SE.

    >>> from_normal_score(normal_score(np.array([4.6]), 23)[None], 23).round(6).tolist()
    [[4.6]]
    """
    exponent = np.minimum((z * (8 * df + 3) / (8 * df + 1)) ** 2 / df, 50.0)
    return np.copysign(np.sqrt(df * np.expm1(exponent)), z)


def forecast(
    summary: EdgeSummary,
    *,
    size: int,
    units: Sequence[int],
    rng: Generator,
    draws: int = 20,
    signed: bool = False,
    error_repeats: int = 10,
) -> pd.DataFrame:
    """Expected phi of two fresh data sets at each number of units.

    Units are prompts, or templates if the summary is clustered. Columns units, phi, error, low,
    high, kind. `error` is the stated error of the forecast at 95 %, and low and high are phi -/+
    error: 1.15 t(W) times the root mean square error in W = `error_repeats` worlds like this one,
    at least one swap. Parametric bootstrap: each world has its true effects drawn from their
    posterior; a data set is drawn in it, the law of the effects is fitted anew, and the forecast is
    held against what that world really gives. NaN without worlds. Errors of edges are simulated as
    independent.

    >>> from circuitvar.audit.edges.edge_summary import edge_summary
    >>> rng = np.random.default_rng(0)
    >>> s = edge_summary(rng.normal(size=(50, 40)) + 9.0 * (np.arange(40) < 5))
    >>> forecast(s, size=5, units=[100], rng=rng, draws=3)["phi"].tolist()
    [1.0]
    """
    if not 1 <= size <= len(summary.mean):
        raise ValueError(f"size is {size}; choose between 1 and {len(summary.mean)} edges")
    if any(number < 1 for number in units):
        raise ValueError(f"cannot forecast for {min(units)} units; ask for 1 or more")
    noisy = summary.se > 0
    if not noisy.any() and summary.units < 2:
        raise ValueError("no edge has a standard error; the forecast needs at least 2 examples")
    se = np.where(noisy, summary.se, 0.0)
    df = max(summary.df, 1.0)
    scales = [se * np.sqrt(summary.units / number) for number in units]

    def deconvolved(mean: np.ndarray, number: int) -> np.ndarray:
        effect = np.tile(mean, (number, 1))
        if noisy.any():
            z = normal_score(mean[noisy] / se[noisy], df)
            zeta = posterior_draws(z, fit_prior(z), number, rng=rng)
            effect[:, noisy] = from_normal_score(zeta, df) * se[noisy]
        return effect

    def simulated(effect: np.ndarray) -> np.ndarray:
        value = np.empty((len(effect), len(scales)))
        for i, truth in enumerate(effect):
            for j, scale in enumerate(scales):
                future = truth + scale * rng.normal(size=(2, len(truth)))
                value[i, j] = phi(top_n_masks(future, size, signed=signed))
        return value.mean(axis=0)

    value = simulated(deconvolved(summary.mean, draws))
    worlds = deconvolved(summary.mean, max(error_repeats, 1))[:error_repeats]
    errors = np.empty((len(worlds), len(scales)))
    for i, truth in enumerate(worlds):
        again = truth + se * rng.standard_t(df, size=len(truth))
        errors[i] = simulated(deconvolved(again, _ERROR_DRAWS))
        errors[i] -= simulated(np.tile(truth, (_ERROR_DRAWS, 1)))
    # Student's t has no quantile for 0 worlds: NaN.
    factor = _ENLARGED * float(student_t.ppf(0.975, len(worlds)))
    error = factor * np.sqrt((errors**2).sum(axis=0) / max(len(worlds), 1))
    share = size / len(summary.mean)
    swap = 1 / (size * (1 - share)) if share < 1 else 0.0
    error = np.maximum(error, swap)
    low, high = np.maximum(value - error, -1.0), np.minimum(value + error, 1.0)
    return pd.DataFrame(
        {"units": [int(n) for n in units], "phi": value, "error": error, "low": low, "high": high}
    ).assign(kind="forecast")


def observed_points(
    scores: Scores,
    *,
    size: int,
    rng: Generator,
    clusters: Clusters = None,
    repeats: int = 10,
    signed: bool = False,
) -> pd.DataFrame:
    """phi of disjoint blocks of the data at smaller sizes (n/16 ... n/2): unbiased, no model.

    Mean over `repeats` random partitions; low and high are the extremes of the partitions.
    """
    number = len(scores) if clusters is None else len(set(np.asarray(clusters).tolist()))
    rows = []
    for block in sorted({number // d for d in (16, 8, 4, 2) if number // d >= 1}):
        values = np.empty(repeats)
        for r in range(repeats):
            cut = disjoint_blocks(len(scores), block, rng=rng, clusters=clusters)
            sets = replicate_sets(scores, cut.weights, size=size, signed=signed)
            values[r] = phi(*sets.compact)
        low, high = float(values.min()), float(values.max())
        rows.append((int(block), float(values.mean()), low, high, "observed"))
    return pd.DataFrame(rows, columns=["units", "phi", "low", "high", "kind"])
