"""Counts over trained nets, summarised: medians with intervals, and how often a count is one."""

import numpy as np
import pandas as pd
from scipy.stats import binom

from circuitvar.circuits.intervals import t_quantile

KEYS = ["width", "gate", "quantity", "criterion", "ablation", "space"]


def summarize_counts(
    counts: pd.DataFrame, *, level: float = 0.95, how: bool = False
) -> pd.DataFrame:
    """One row per width, gate, quantity, criterion, ablation and space, over nets.

    Columns: nets, mean with a Student t interval, median with a distribution-free interval from
    order statistics (binomial), sd, min, max, unique (share of nets where the count is exactly
    one), none (share where it is zero), known (the weakest label among the nets); with `how`
    also the methods the numbers come from.

    >>> import pandas as pd
    >>> one = dict(width=3, gate="xor", quantity="valid circuits", criterion="label",
    ...            ablation="zero", space="whole", known="exact")
    >>> frame = pd.DataFrame([{**one, "value": v} for v in (1, 3, 8)])
    >>> summarize_counts(frame)[["nets", "median", "unique"]].values.tolist()
    [[3.0, 3.0, 0.3333333333333333]]
    """
    rows = []
    for _, part in counts.groupby(KEYS, sort=False, dropna=False):
        values = np.sort(part["value"].to_numpy(dtype=float))
        n, mean = len(values), float(values.mean())
        sd = float(values.std(ddof=1)) if n > 1 else float("nan")
        half = t_quantile(n - 1, level) * sd / np.sqrt(n) if n > 1 else float("nan")
        low, high = median_interval(values, level)
        row = {name: part[name].iloc[0] for name in KEYS} | {"nets": n}
        row |= {"mean": mean, "mean_low": mean - half, "mean_high": mean + half}
        row |= {"median": float(np.median(values)), "median_low": low, "median_high": high}
        row |= {"sd": sd, "min": float(values[0]), "max": float(values[-1])}
        row |= {"unique": float((values == 1).mean()), "none": float((values == 0).mean())}
        row["known"] = max(part["known"], key=["exact", "estimate", "lower bound"].index)
        rows.append(row | ({"how": "; ".join(dict.fromkeys(part["how"]))} if how else {}))
    return pd.DataFrame(rows)


def median_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval for the median from order statistics; NaN where the sample is too small for it.

    >>> median_interval(np.arange(1.0, 21.0))
    (6.0, 15.0)
    """
    ordered = np.sort(values)
    n = len(ordered)
    # Largest j with P(Binomial(n, 1/2) < j) <= (1 - level) / 2.
    j = int(binom.ppf((1 - level) / 2, n, 0.5))
    if binom.cdf(j, n, 0.5) > (1 - level) / 2:
        j -= 1
    if j < 0:
        return float("nan"), float("nan")
    return float(ordered[j]), float(ordered[n - 1 - j])
