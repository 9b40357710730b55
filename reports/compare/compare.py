"""Two audited circuits side by side: differences with intervals, paired where they can be.

Runs of the same prompts are compared prompt by prompt: what the circuit does on the held-out
prompts, and stability, accuracy and recovery from the stored scores. Everything else is compared
as if independent, which is conservative where the two share their data: shared prompts make
estimates move together, and the difference is then steadier than the interval says.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from circuitvar.audit.agreement import GIVEN_DF, SHARED_DF, Change
from circuitvar.audit.indices import mean_chance, spearman
from circuitvar.audit.intervals import group_jackknife, t_interval
from circuitvar.audit.types import Estimate
from circuitvar.reports.card import Run, read_estimate, read_run
from circuitvar.reports.compare.paired_scores import score_changes
from circuitvar.reports.tables import fact
from circuitvar.tasks.units import use_templates

HELDOUT = "circuit full empty flipped correct kl".split()
"""Columns of `tables/heldout.csv`, one row per held-out prompt."""

Statistic = Callable[[pd.DataFrame, np.ndarray], float]


def _mean(column: str) -> Statistic:
    return lambda frame, weights: float(weights @ frame[column].to_numpy(dtype=float))


def _faithfulness(frame: pd.DataFrame, weights: np.ndarray) -> float:
    circuit, full, empty = (
        float(weights @ frame[name].to_numpy(dtype=float)) for name in ("circuit", "full", "empty")
    )
    return (circuit - empty) / (full - empty)


PAIRED: Mapping[str, Statistic] = {
    "faithfulness": _faithfulness,
    "circuit error": _mean("flipped"),
    "circuit accuracy": _mean("correct"),
    "KL to the full model": _mean("kl"),
}


def compare_reports(first: Path | str, second: Path | str) -> pd.DataFrame:
    """Second minus first, one row per number that both have.

    Columns: measure, first, second, difference, se, low, high, df, how.

    Raises
    ------
    ValueError
        A folder holds no card, or the two have no number in common.
    """
    a, b = read_run(first), read_run(second)
    changes = [*_edge_changes(a, b), *estimate_changes(a, b)]
    if not changes:
        raise ValueError(f"{first} and {second} have no number in common; nothing to compare")
    return pd.DataFrame(
        {
            "measure": change.name,
            "first": change.first,
            "second": change.second,
            "difference": change.difference.value,
            **{key: getattr(change.difference, key) for key in ("se", "low", "high")},
            "df": change.df,
            "how": change.difference.interval,
        }
        for change in changes
    )


def estimate_changes(a: Run, b: Run) -> list[Change]:
    """Axes and headline estimates that both runs have, paired where possible."""
    changes = {change.name: change for change in score_changes(a, b)}
    theirs, found = _estimates(b), []
    for name, mine in _estimates(a).items():
        if name in changes and name in theirs:
            found.append(changes.pop(name))
        elif name in theirs:
            other = theirs[name]
            gap = paired(a, b, name, mine.level) or unpaired(a, b, mine, other)
            found.append(Change(name, mine.value, other.value, gap, max(gap.n - 1, 1)))
    # What only the scores can say: recovery of a circuit that is known.
    return [*found, *(change for name, change in changes.items() if "circuit" in name)]


def _estimates(run: Run) -> dict[str, Estimate]:
    """The estimates of a card by what a comparison calls them, those of axes first."""
    of_axes = {
        f"{name}: {entry['key']}": read_estimate(entry[name.lower()])
        for entry in run.card["axes"]
        for name in ("phi", "Jaccard")
    }
    return of_axes | {entry["name"]: read_estimate(entry) for entry in run.card["estimates"]}


def unpaired(a: Run, b: Run, first: Estimate, second: Estimate) -> Estimate:
    """Second - first without per-prompt data.

    Exactly 0 when the same data gave the same numbers to the last digit (nothing changed), else as
    if independent.
    """
    digests = {fact(run.card["provenance"], "data_digest") for run in (a, b)}
    numbers = [(e.value, e.se, e.low, e.high) for e in (first, second)]
    if len(digests) == 1 and None not in digests and numbers[0] == numbers[1]:
        how = "identical numbers on the same data"
        return Estimate("difference", 0.0, 0.0, 0.0, 0.0, first.level, first.n, how, kind="exact")
    return independent(first, second)


def independent(a: Estimate, b: Estimate) -> Estimate:
    """b - a as if they rested on different data; t with the fewer degrees of freedom."""
    n = min((units_behind(e) for e in (a, b) if e.n > 1), default=2)
    difference = Estimate(
        "difference",
        b.value - a.value,
        math.hypot(a.se, b.se),
        level=min(a.level, b.level),
        n=n,
        interval="independent: root sum of squared SEs",
        kind="t",
    )
    return t_interval(difference, df=n - 1)


def units_behind(estimate: Estimate) -> int:
    """Degrees of freedom of a standard error, plus one."""
    df = GIVEN_DF if "these runs given" in estimate.interval else SHARED_DF
    return min(estimate.n, df + 1) if estimate.kind == "subsampling" else estimate.n


def paired(a: Run, b: Run, name: str, level: float) -> Estimate | None:
    """b - a on the same held-out prompts; None where there are no such prompts.

    Delete-a-group jackknife over the sampling unit, templates or prompts.
    """
    frames = [run.frames.get("heldout") for run in (a, b)]
    digests = {fact(run.card["provenance"], "data_digest") for run in (a, b)}
    if name not in PAIRED or len(digests) > 1 or any(frame is None for frame in frames):
        return None
    mine, theirs = (frame for frame in frames if frame is not None)
    if not same_prompts(mine, theirs):
        return None
    statistic, templates = PAIRED[name], tuple(mine["template"].astype(str))
    clusters = use_templates(templates)
    (found,) = group_jackknife(
        lambda w: np.array([statistic(theirs, w) - statistic(mine, w)]),
        len(mine),
        names=("difference",),
        rng=np.random.default_rng(0),
        clusters=clusters,
        level=level,
    )
    return replace(found, interval=f"paired: jackknife over {found.unit}s")


def same_prompts(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether two held-out tables are of the same prompts, by their ids."""
    keys = ["prompt", "template"]
    if not {*keys, *HELDOUT} <= set(a.columns) & set(b.columns) or len(a) != len(b):
        return False
    return bool((a[keys].astype(str).to_numpy() == b[keys].astype(str).to_numpy()).all())


def _edge_changes(a: Run, b: Run) -> list[Change]:
    """Agreement of the two edge sets and of the two score vectors; no sampling error is given."""
    mine, theirs = a.frames.get("edges"), b.frames.get("edges")
    if mine is None or theirs is None or list(mine["edge"]) != list(theirs["edge"]):
        return []
    kept = np.stack([frame["in_circuit"].to_numpy(dtype=bool) for frame in (mine, theirs)])
    shared, union = int(kept.all(axis=0).sum()), int(kept.any(axis=0).sum())
    sizes = kept.sum(axis=1)
    scores = [frame["score"].to_numpy(dtype=float) for frame in (mine, theirs)]
    found = {
        "edges in the circuit": (*map(float, sizes), float(sizes[1] - sizes[0])),
        "edges in both circuits": (math.nan, math.nan, float(shared)),
        "Jaccard of the two circuits": (math.nan, math.nan, shared / union if union else math.nan),
        "chance Jaccard": (math.nan, math.nan, mean_chance(sizes, len(mine))),
        "rank correlation of scores": (math.nan, math.nan, spearman(*scores)),
    }
    return [
        Change(name, x, y, Estimate("difference", gap, interval="descriptive"), math.nan)
        for name, (x, y, gap) in found.items()
    ]
