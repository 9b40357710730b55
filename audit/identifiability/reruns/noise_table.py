"""Method noise next to true degeneracy: overlaps of each net, and one number per source."""

import numpy as np
import pandas as pd

from circuitvar.audit.identifiability.count import inclusion_minimal, list_valid, sample_valid
from circuitvar.audit.identifiability.nets import Question, is_valid
from circuitvar.audit.identifiability.reruns.degeneracy import compare_degeneracy, compare_seeds
from circuitvar.audit.identifiability.reruns.rediscover import (
    SOURCES,
    backwards,
    prune_in_order,
    rediscover,
)
from circuitvar.circuits.intervals import t_quantile

KEYS = ["width", "gate", "ablation"]
NOISE, DEGENERACY = "method noise", "true degeneracy"
SEEDS, MATCHED = "training seeds", "training seeds, units matched"
COLUMNS = [*KEYS, "quantity", "source", "value", "low", "high", "chance", "n", "unit"]
FOUND = tuple(f"found over {source}" for source in SOURCES)
VALID, MINIMAL = "equally valid", "inclusion-minimal"
OVERLAP_COLUMNS = ("jaccard", "se", "pairs", "size_mean", "size_sd", "chance", "valid_share")
LISTED = 10_000
"""Inclusion-minimal circuits are compared where at most this many valid ones must be listed."""


def overlap_rows(
    question: Question, *, valid: int, samples: int, rng: np.random.Generator
) -> list[dict]:
    """Jaccard of circuits found over edge orders, batches and prompts, equally valid and minimal.

    Equally valid circuits are exact uniform samples.

    `valid` is the number of valid circuits, `samples` the number drawn and of re-runs (an eighth
    of it over prompts, which cannot share work). `valid_share` is the share of found circuits
    that are valid on the whole truth table. Empty where the full net fails the criterion.
    """
    full = np.ones((1, question.net.n_edges), dtype=bool)
    if not is_valid(question, full)[0]:
        return []
    equal = sample_valid(question, samples, rng=rng)
    runs = {source: max(2, samples // 8) if source == "prompts" else samples for source in SOURCES}
    sets = {f"found over {s}": rediscover(question, s, n, rng=rng) for s, n in runs.items()}
    listed = list_valid(question) if valid <= LISTED else equal[:0]
    rows = []
    for name, kept in (sets | {VALID: equal, MINIMAL: inclusion_minimal(listed)}).items():
        if len(kept) > 1 or name == VALID:
            both = compare_degeneracy(kept, equal)
            one, chance = both.found, float("nan") if name == MINIMAL else both.chance
            share = float(is_valid(question, kept).mean()) if name in sets else 1.0
            numbers = (one.mean, one.se, one.pairs, *both.found_sizes, chance, share)
            row = {"ablation": question.ablation, "circuits": name}
            rows.append(row | dict(zip(OVERLAP_COLUMNS, numbers, strict=True)))
    return rows


def found_circuit(question: Question) -> list[dict]:
    """The circuit found on the whole truth table, as a string of 0 and 1.

    Edges are tried from the output back; it is what is compared across training seeds.
    """
    if not is_valid(question, np.ones((1, question.net.n_edges), dtype=bool))[0]:
        return []
    kept = prune_in_order(question, backwards(question.net))[0]
    text = "".join("1" if k else "0" for k in kept)
    return [{"ablation": question.ablation, "circuit": text}]


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
