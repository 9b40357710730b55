"""Delete-a-group jackknife of any statistic of weighted examples.

For statistics without a closed-form error: split the units into about 20 groups, leave out one at
a time. Slightly conservative; needs no resampling.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from circuitvar.audit.intervals.intervals import t_interval
from circuitvar.audit.resampling import from_counts
from circuitvar.audit.types import Estimate
from circuitvar.tasks.units import Clusters, unit_of_example

Statistic = Callable[[Float[np.ndarray, " example"]], Float[np.ndarray, " value"]]


def group_jackknife(
    statistic: Statistic,
    n: int,
    *,
    names: tuple[str, ...],
    rng: np.random.Generator,
    clusters: Clusters = None,
    groups: int = 20,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    estimand: str = "",
) -> tuple[Estimate, ...]:
    """Estimates of a vector statistic of example weights (which sum to 1), one per name.

    SE² = (G-1)/G sum_g (v_(-g) - mean)², t(G-1), over G = min(groups, units) groups of prompts, or
    of templates with `clusters`. Below 3 units there is no interval.

    >>> y = np.arange(10.0)
    >>> e, = group_jackknife(lambda w: np.array([w @ y]), 10, names=("mean",),
    ...                      rng=np.random.default_rng(0))
    >>> round(e.value, 6), round(e.se, 6), round(float(y.std(ddof=1)) / 10**0.5, 6)
    (4.5, 0.957427, 0.957427)
    """
    units = unit_of_example(n, clusters)
    number = int(units.max()) + 1
    full = np.atleast_1d(statistic(np.full(n, 1 / n)))
    if len(full) != len(names):
        raise ValueError(f"the statistic returns {len(full)} values for {len(names)} names")
    groups = min(groups, number)
    group = rng.permutation(np.arange(number) % groups)
    left_out = np.full((groups, len(full)), np.nan)
    if groups >= 3:
        for g in range(groups):
            kept = from_counts((group != g)[None], units, scheme="", unit="").weights[0]
            left_out[g] = statistic(kept.astype(np.float64))
    se = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    unit = "prompt" if clusters is None else "template"
    how = (
        {"interval": "delete-a-group jackknife", "kind": "jackknife"}
        if groups >= 3
        else {
            "interval": f"none ({number} units)",
            "missing": f"no interval from fewer than 3 {unit}s",
        }
    )
    known = {"level": level, "n": number, "estimand": estimand, "unit": unit, **how}
    return tuple(
        t_interval(Estimate(name, value, error, **known), df=groups - 1, bounds=bounds)
        for name, value, error in zip(names, full, se, strict=True)
    )
