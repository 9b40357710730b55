"""Method noise and true degeneracy over many trained nets: one number per source, with interval."""

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.reruns.match_hidden_units import compare_seeds
from circuitvar.audit.identifiability.reruns.overlap_table import FOUND, VALID
from circuitvar.circuits.t_interval import t_quantile

KEYS = ["width", "gate", "ablation"]
NOISE, DEGENERACY = "method noise", "true degeneracy"
SEEDS, MATCHED = "training seeds", "training seeds, units matched"
COLUMNS = [*KEYS, "quantity", "source", "value", "low", "high", "chance", "n", "unit"]


def noise_table(
    overlap: pd.DataFrame,
    found: pd.DataFrame,
    widths: tuple[int, ...],
    *,
    level: float = 0.95,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Method noise per source of re-runs, and true degeneracy, as means over nets.

    Method noise is 1 - Jaccard of found circuits, true degeneracy 1 - Jaccard of equally valid
    ones; intervals are Student t.

    `overlap` and `found` hold the nets of one architecture, `widths`. Training seeds are compared
    between nets, all others within a net; their interval is from the jackknife over nets. The
    row with source `all` is the mean over sources, matched units standing for training seeds.

    Raises
    ------
    ValueError
        No overlaps to summarise.
    """
    if overlap.empty:
        raise ValueError("no net has overlaps; none met the criterion with all its edges")
    rows: list[dict] = []
    for part in (group for _, group in overlap.groupby(KEYS, sort=False)):
        names = {key: part[key].iloc[0] for key in KEYS}
        ours = np.all([found[key].to_numpy() == names[key] for key in KEYS], axis=0)
        inside = [
            _within(part.loc[part["circuits"] == kind], quantity, source, level)
            for kind, quantity, source in (
                *((f, NOISE, f.removeprefix("found over ")) for f in FOUND),
                (VALID, DEGENERACY, "exact uniform samples"),
            )
            if kind in set(part["circuits"])
        ]
        between = _between(found.loc[ours, "circuit"], widths, level, rng)
        noise = [r for r in (*inside, *between) if r["quantity"] == NOISE]
        left_out = SEEDS if any(r["source"] == MATCHED for r in noise) else ""
        mean = float(np.mean([r["value"] for r in noise if r["source"] != left_out]))
        nan = float("nan")
        every = _row(NOISE, "all", mean, nan, nan, len(noise) - bool(left_out), "source")
        rows += [{**names, **r} for r in (every, inside[-1], *inside[:-1], *between)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _within(part: pd.DataFrame, quantity: str, source: str, level: float) -> dict:
    values = 1 - part["jaccard"].to_numpy(dtype=float)
    n, mean, nan = len(values), float(values.mean()), float("nan")
    half = t_quantile(n - 1, level) * float(values.std(ddof=1)) / np.sqrt(n) if n > 1 else nan
    chances = part["chance"].to_numpy(dtype=float)
    chance = 1 - float(chances.mean()) if quantity == NOISE else nan
    return _row(quantity, source, mean, half, chance, n, "net")


def _between(circuits: pd.Series, widths: tuple[int, ...], level: float, rng) -> list[dict]:
    if len(circuits) < 2:
        return []
    kept = np.array([[c == "1" for c in text] for text in circuits])
    both = compare_seeds(kept, widths, rng=rng)
    n = len(kept)
    t = t_quantile(n - 1, level)
    out = [_row(NOISE, SEEDS, 1 - both.plain.mean, t * both.plain.se, float("nan"), n, "net")]
    if both.matched is not None:
        half, chance = t * both.matched.se, 1 - both.matched_chance
        out.append(_row(NOISE, MATCHED, 1 - both.matched.mean, half, chance, n, "net"))
    return out


def _row(quantity, source, value: float, half: float, chance: float, n: int, unit: str) -> dict:
    numbers = (quantity, source, value, value - half, value + half, chance, n, unit)
    return dict(zip(COLUMNS[len(KEYS) :], numbers, strict=True))
