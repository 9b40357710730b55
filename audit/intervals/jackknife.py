"""Jackknifes of statistics of independent units: one unit left out at a time, or one group.

A unit is a template where there are enough templates, else a prompt. Faithfulness, circuit error,
accuracy and mean KL are all ratios of sums over examples, with one unit left out; a statistic
without a closed form is computed again without each of about 20 groups, slightly conservative.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.intervals.intervals import t_interval
from circuitvar.audit.resampling import from_counts
from circuitvar.audit.types import Estimate
from circuitvar.circuits.intervals import clopper_pearson
from circuitvar.tasks.units import Clusters, sampling_units, unit_of_example

Statistic = Callable[[Float[np.ndarray, " example"]], Float[np.ndarray, " value"]]
_GROUPS = 20
_ANY = (-np.inf, np.inf)


def row_jackknife_se(leave_one_out: Float[np.ndarray, " run"]) -> float:
    """SE from leave-one-run-out values: SE² = (M-1)/M * sum (v_(-i) - mean)². NaN below 3 runs."""
    runs = len(leave_one_out)
    if runs < 3:
        return float("nan")
    centred = leave_one_out - leave_one_out.mean()
    return float(np.sqrt((runs - 1) / runs * (centred @ centred)))


def jackknife_estimate(
    name: str,
    value: float,
    left_out: Float[np.ndarray, " unit"],
    *,
    unit: str,
    level: float,
    bounds: tuple[float, float] = _ANY,
    estimand: str = "",
) -> Estimate:
    """value ± t(units - 1) * SE, from the values `left_out` without each unit."""
    how = f"delete-one-{unit} jackknife t"
    se, n = row_jackknife_se(left_out), len(left_out)
    found = Estimate(name, float(value), se, level=level, n=n, interval=how, estimand=estimand)
    return t_interval(replace(found, kind="jackknife", unit=unit), df=n - 1, bounds=bounds)


def ratio_of_means(
    name: str,
    numerator: Float[np.ndarray, " example"],
    denominator: Float[np.ndarray, " example"] | float = 1.0,
    *,
    templates: tuple[str, ...] | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] = _ANY,
    estimand: str = "",
) -> Estimate:
    """sum(numerator) / sum(denominator) with value ± t(units - 1) * jackknife SE.

    With the default denominator it is a mean. Undefined, which `missing` says, where the
    denominators sum to zero.

    >>> e = ratio_of_means("mean", np.array([1.0, 2.0, 3.0, 6.0]))
    >>> e.value, round(e.se, 4)
    (3.0, 1.0801)
    """
    top = np.asarray(numerator, dtype=np.float64)
    bottom = np.broadcast_to(np.asarray(denominator, dtype=np.float64), top.shape)
    if not bottom.sum():
        why = "undefined: what it is a share of is 0 on average"
        how = {"interval": f"none: {why}", "missing": why, "level": level, "n": len(top)}
        return Estimate(name, float("nan"), estimand=estimand, unit="prompt", **how)
    of_example, unit = sampling_units(len(top), templates)
    tops = np.bincount(of_example, weights=top)
    bottoms = np.bincount(of_example, weights=bottom)
    total = bottoms.sum()
    value = tops.sum() / total
    rest = total - bottoms
    left_out = np.full(len(tops), np.nan)
    np.divide(tops.sum() - tops, rest, out=left_out, where=rest != 0)
    said = {"unit": unit, "level": level, "bounds": bounds, "estimand": estimand}
    return jackknife_estimate(name, value, left_out, **said)


def share_estimate(
    name: str,
    happened: Bool[np.ndarray, " example"],
    *,
    templates: tuple[str, ...] | None = None,
    level: float = 0.95,
    estimand: str = "",
) -> Estimate:
    """Share of examples where something happened.

    The jackknife of `ratio_of_means`, except where it happened always or never: the jackknife
    would claim certainty, so the exact binomial bound over prompts is given instead.

    >>> round(share_estimate("error", np.zeros(200, dtype=bool)).high, 4)
    0.0183
    """
    happened = np.asarray(happened, dtype=bool)
    n, count = len(happened), int(happened.sum())
    if 0 < count < n:
        known = {"templates": templates, "level": level, "estimand": estimand}
        return ratio_of_means(name, happened.astype(float), bounds=(0.0, 1.0), **known)
    how = "Clopper-Pearson, prompts taken as independent"
    return exact_share(name, count, n, level, interval=how, estimand=estimand, unit="prompt")


def exact_share(name: str, count: int, n: int, level: float, **said) -> Estimate:
    """count / n with its exact binomial interval; `said`: further fields."""
    low, high = (float(end) for end in clopper_pearson(count, n, alpha=1 - level))
    return Estimate(name, count / n, low=low, high=high, level=level, n=n, kind="exact", **said)


def group_jackknife(
    statistic: Statistic,
    n: int,
    *,
    names: tuple[str, ...],
    rng: np.random.Generator,
    clusters: Clusters = None,
    level: float = 0.95,
    bounds: tuple[float, float] = _ANY,
    estimand: str = "",
) -> tuple[Estimate, ...]:
    """Estimates of a vector statistic of example weights (which sum to 1), one per name.

    SE² = (G-1)/G sum_g (v_(-g) - mean)², t(G-1), over G = min(20, units) groups of prompts, or
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
    groups = min(_GROUPS, number)
    group = rng.permutation(np.arange(number) % groups)
    left_out = np.full((groups, len(full)), np.nan)
    if groups >= 3:
        for g in range(groups):
            kept = from_counts((group != g)[None], units).weights[0]
            left_out[g] = statistic(kept.astype(np.float64))
    se = np.sqrt((groups - 1) / groups * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    unit = "prompt" if clusters is None else "template"
    if groups >= 3:
        how = {"interval": "delete-a-group jackknife", "kind": "jackknife"}
    else:
        why = f"no interval from fewer than 3 {unit}s"
        how = {"interval": f"none ({number} units)", "missing": why}
    known = {"level": level, "n": number, "estimand": estimand, "unit": unit, **how}
    return tuple(
        t_interval(Estimate(name, value, error, **known), df=groups - 1, bounds=bounds)
        for name, value, error in zip(names, full, se, strict=True)
    )
