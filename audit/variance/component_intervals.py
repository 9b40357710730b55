"""Intervals for variance components that are differences of mean squares.

Modified large sample (MLS; Graybill and Wang 1980, Ting et al. 1990), with the degrees of freedom
that the mean squares are worth given the tails of the effects (`effective_df`): covers .93 to .97
for normal, Laplace and t(3) effects from 6 templates on. With nominal degrees of freedom it covers
.95 for normal but .65 to .87 for t(3) effects, falling with more templates. Percentile bootstrap
over templates covers .84 and .67, so it is not offered.
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2
from scipy.stats import f as fisher

from circuitvar.audit.types import Estimate
from circuitvar.audit.variance.variance_components import Components

Edge = Float[np.ndarray, " edge"]
HEAVY = 0.75
"""Where a mean square is worth less than this share of its degrees of freedom, tails are heavy."""
FEW = 6
"""Below this many levels an interval leans on normal effects."""


def mls_interval(
    first: Edge, second: Edge, *, df: tuple[float, float], divisor: float, level: float = 0.95
) -> tuple[Edge, Edge]:
    """(low, high) for (M1 - M2)/divisor from independent mean squares M1, M2 with df d1, d2.

    low = M1 - M2 - sqrt(G1² M1² + H2² M2² + G12 M1 M2), high with the roles exchanged;
    G = 1 - 1/F(a; d, inf), H = 1/F(1-a; d, inf) - 1, and G12, H12 make the bounds exact when
    either mean square is 0. F(a; d, inf) is taken from chi², where scipy's F returns NaN.
    """
    tail, (d1, d2) = (1 - level) / 2, df

    def limit(p: float, d: float) -> float:
        return float(chi2.isf(p, d)) / d

    g1, g2 = 1 - 1 / limit(tail, d1), 1 - 1 / limit(tail, d2)
    h1, h2 = 1 / limit(1 - tail, d1) - 1, 1 / limit(1 - tail, d2) - 1
    up, down = float(fisher.isf(tail, d1, d2)), float(fisher.isf(1 - tail, d1, d2))
    g12 = ((up - 1) ** 2 - g1**2 * up**2 - h2**2) / up
    h12 = ((1 - down) ** 2 - h1**2 * down**2 - g2**2) / down
    below = g1**2 * first**2 + h2**2 * second**2 + g12 * first * second
    above = h1**2 * first**2 + g2**2 * second**2 + h12 * first * second
    low = (first - second - np.sqrt(np.maximum(below, 0))) / divisor
    high = (first - second + np.sqrt(np.maximum(above, 0))) / divisor
    return low, high


def satterthwaite_interval(
    first: Edge, second: Edge, *, df: tuple[float, float], divisor: float, level: float = 0.95
) -> tuple[Edge, Edge]:
    """df * s / chi² with df = (M1 - M2)² / (M1²/d1 + M2²/d2); NaN where M1 <= M2."""
    tail, (d1, d2), gap = (1 - level) / 2, df, np.asarray(first - second, dtype=np.float64)
    nu = np.full(gap.shape, np.nan)
    np.divide(gap**2, first**2 / d1 + second**2 / d2, out=nu, where=gap > 0)
    centre = nu * gap / divisor
    # So few degrees of freedom that the upper end is infinite.
    with np.errstate(divide="ignore", over="ignore"):
        return centre / chi2.isf(tail, nu), centre / chi2.isf(1 - tail, nu)


def component_interval(
    components: Components,
    name: str,
    *,
    level: float = 0.95,
    method: str = "mls",
    normal: bool = False,
) -> tuple[Edge, Edge]:
    """(low, high) of one component for every edge; the residual gets df * MS / chi².

    Degrees of freedom are `Components.effective_df`, pooled over edges; `normal` takes the nominal
    ones, which hold for normal effects only.
    """
    if components.mean_squares is None:
        raise ValueError(
            "these components come from the moment estimator, which has no mean squares; "
            "use a balanced design or `within_between` for intervals"
        )
    row = components.row(name)
    other, own = components.subtracted[row], components.mean_squares[row]
    worth = components.df if normal else components.effective_df
    if other < 0:
        tail, df = (1 - level) / 2, worth[row]
        return df * own / chi2.isf(tail, df), df * own / chi2.isf(1 - tail, df)
    interval = {"mls": mls_interval, "satterthwaite": satterthwaite_interval}.get(method)
    if interval is None:
        raise ValueError(f"method is {method!r}; choose 'mls' or 'satterthwaite'")
    df, divisor = (worth[row], worth[other]), components.divisors[row]
    return interval(own, components.mean_squares[other], df=df, divisor=divisor, level=level)


def component_estimate(
    components: Components, name: str, edge: int = 0, *, level: float = 0.95
) -> Estimate:
    """One edge's component as an Estimate with its MLS interval; the raw value may be negative."""
    low, high = component_interval(components, name, level=level)
    row = components.row(name)
    nominal, worth = components.df[row], components.effective_df[row]
    units = nominal + 1
    caution = f", {units} levels: leans on normal effects" if units < FEW else ""
    if worth < HEAVY * nominal:
        caution += f", heavy tails: {nominal} degrees of freedom count as {worth:.1f}"
    value, ends = float(components.values[row, edge]), (float(low[edge]), float(high[edge]))
    how, what = f"modified large sample{caution}", "variance of one effect"
    said = (how, what, "components", "level")
    return Estimate(name, value, np.nan, *ends, level, units, *said)
