"""The regression gate: worse, better, changed or no worse, or cannot tell, by stated tolerances.

For a difference d (new minus baseline, signed so that positive is better) and a tolerance delta:
`worse` when d < -delta significantly, `better` when d > delta significantly, `no worse` when
d > -delta significantly (non-inferiority), else `cannot tell`. Many measures are judged at once:
`worse` and `better` must survive Holm's correction over all of them; `no worse` needs none, because
the gate opens only if every measure shows it. Worse in one measure and better in another is
`changed`: another method, which a person must judge.
`circuitvar check runs/new --against baseline.json` exits 0 (better or no worse), 1 (worse), 2
(cannot tell), 3 (changed).
Tolerances are part of the table: what is not stated is not tolerated.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t as student

from circuitvar.audit.agreement import Change
from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.multiplicity import holm
from circuitvar.reports.card import MANIFEST, Run, read_card, read_run
from circuitvar.reports.compare.compare import estimate_changes

Outcome = Literal["better", "no worse", "worse", "changed", "cannot tell", "reported"]
EXIT_CODES: Mapping[Outcome, int] = {
    **{"better": 0, "no worse": 0, "worse": 1},
    **{"cannot tell": 2, "changed": 3},
}

LOWER_IS_BETTER = ("circuit error", "KL to the full model")

TOLERANCES: Mapping[str, float] = {
    **dict.fromkeys(
        "phi, Jaccard, rank correlation with exact, top-n overlap with exact, "
        "sign agreement with exact, AUROC of the exact circuit, "
        "average precision of the exact circuit, AUROC of the planted circuit, "
        "average precision of the planted circuit, faithfulness, circuit error, "
        "circuit accuracy".split(", "),
        0.02,
    ),
    "KL to the full model": 0.05,
}
"""How much worse is acceptable, per measure; these are also the measures that are judged."""


LEAST_UNITS = 5
"""Axes of fewer runs (two training seeds, three data sets) are reported, not judged."""


@dataclass(frozen=True)
class Row:
    """One measure of a gate."""

    measure: str
    baseline: float
    new: float
    difference: float
    """New minus baseline, signed so that positive is better."""
    se: float
    df: float
    """Degrees of freedom of the standard error; infinity for a normal."""
    tolerance: float = 0.0
    """How much worse is still acceptable, in the unit of the measure."""
    how: str = ""
    """`paired: ...` or `independent: ...`."""
    outcome: Outcome = "reported"
    p_worse: float = math.nan
    """One-sided p of `not below -tolerance`, Holm-adjusted after `judge_rows`."""

    @classmethod
    def of(cls, change: Change, tolerance: float, *, sign: float = 1.0) -> "Row":
        """A paired or independent change; `sign` -1 where lower is better."""
        gap, sides = change.difference, (change.first, change.second)
        error = (gap.se, change.df)
        return cls(change.name, *sides, sign * gap.value, *error, tolerance, gap.interval)


@dataclass(frozen=True)
class Gate:
    """Every measure and what follows from them together."""

    rows: tuple[Row, ...]
    alpha: float

    @property
    def outcome(self) -> Outcome:
        """`worse` if some measure is and none is better, `changed` if both, else as all allow."""
        outcomes = {row.outcome for row in self.rows} - {"reported"}
        if "worse" in outcomes:
            return "changed" if "better" in outcomes else "worse"
        if not outcomes or "cannot tell" in outcomes:
            return "cannot tell"
        return "better" if "better" in outcomes else "no worse"

    @property
    def exit_code(self) -> int:
        """0 better or no worse, 1 worse, 2 cannot tell, 3 changed."""
        return EXIT_CODES[self.outcome]

    def frame(self) -> pd.DataFrame:
        """One row per measure, unrounded."""
        return pd.DataFrame([vars(row) for row in self.rows])


def tail(row: Row, sign: float = 1.0) -> float:
    """P(T <= (d + tolerance) / se): small when the new one is worse than the tolerance allows.

    With `sign` -1, of -d: small when it is better by more than the tolerance.
    """
    distance = sign * row.difference + row.tolerance
    if math.isnan(distance) or math.isnan(row.se):
        return math.nan
    if row.se == 0:
        return 0.0 if distance < 0 else 1.0
    return float(student.cdf(distance / row.se, row.df))


def judge_rows(rows: Sequence[Row], *, alpha: float = 0.05) -> Gate:
    """Judge all measures together.

    >>> same = Row("phi", 0.8, 0.8, 0.0, 0.001, 20, tolerance=0.02)
    >>> judge_rows([same]).outcome, judge_rows([replace(same, difference=-0.1)]).outcome
    ('no worse', 'worse')
    """
    check_alpha(alpha)
    raw = [tail(row) for row in rows]
    worse = holm(np.array(raw)).tolist()
    better = holm(np.array([tail(row, -1.0) for row in rows])).tolist()
    return Gate(
        tuple(
            replace(row, p_worse=p, outcome=_outcome(plain, p, q, alpha))
            for row, plain, p, q in zip(rows, raw, worse, better, strict=True)
        ),
        alpha,
    )


def _outcome(plain: float, worse: float, better: float, alpha: float) -> Outcome:
    if math.isnan(plain):
        return "cannot tell"
    if worse <= alpha:
        return "worse"
    if better <= alpha:
        return "better"
    return "no worse" if 1 - plain <= alpha else "cannot tell"


def check_runs(
    new: Path | str,
    against: Path | str,
    *,
    tolerances: Mapping[str, float] = TOLERANCES,
    alpha: float = 0.05,
) -> Gate:
    """Judge a run folder against another, or against a single `card.json`.

    Numbers on shared prompts are compared prompt by prompt, from the held-out table and the stored
    scores; numbers that did not change at all on the same data differ by 0; the rest is compared as
    independent, which errs towards `cannot tell`. Axes without an interval or of fewer than
    `LEAST_UNITS` runs could never be decided: they are reported, as is the ratio of scoring
    times, and not judged.

    Raises
    ------
    ValueError
        No card is found, the two audit different questions, they share no judged measure, or
        `alpha` is no error rate.
    """
    check_alpha(alpha)
    runs = _open(against), _open(new)
    _same_question(*runs)
    judged, reported = [], []
    for change in estimate_changes(*runs):
        key = change.name.partition(":")[0]
        if key in tolerances:
            sign = -1.0 if key in LOWER_IS_BETTER else 1.0
            row = Row.of(change, tolerances[key], sign=sign)
            (judged if _decidable(row) else reported).append(row)
    if not judged and not reported:
        raise ValueError(f"{new} and {against} share none of {', '.join(tolerances)}; audit again")
    gate = judge_rows(judged, alpha=alpha)
    return Gate((*gate.rows, *reported, *_speed(*runs)), alpha)


def _decidable(row: Row) -> bool:
    """False for axes without an interval on enough units, unless nothing changed at all."""
    if ":" not in row.measure or (row.difference == 0 and row.se == 0):
        return True
    return not math.isnan(row.se) and row.df >= LEAST_UNITS - 1


def _open(path: Path | str) -> Run:
    path = Path(path)
    if path.name == "card.json" and (path.parent / MANIFEST).exists():
        path = path.parent  # Its tables and scores lie beside it.
    return Run(path.parent, read_card(path), {}) if path.suffix == ".json" else read_run(path)


def _same_question(a: Run, b: Run) -> None:
    models = [run.card["provenance"].get("model") for run in (a, b)]
    hashes = [m.get("sha256") if isinstance(m, Mapping) else None for m in models]
    same_model = hashes[0] is not None and hashes[0] == hashes[1]  # `pocket` is `pocket:0`.
    for key in ("model", "task", "metric", "ablation"):
        if a.labels.get(key) != b.labels.get(key) and not (key == "model" and same_model):
            raise ValueError(
                f"the baseline has {key} {a.labels.get(key)!r}, the new run {b.labels.get(key)!r}; "
                "check runs of the same question, or use `circuitvar compare`"
            )


def _speed(a: Run, b: Run) -> list[Row]:
    """Baseline seconds over new seconds of scoring: above 1 is faster. Never judged."""
    times = [run.card["time"].get("seconds", {}) for run in (a, b)]
    before, after = (t.get("scoring") if isinstance(t, Mapping) else None for t in times)
    if not before or not after:
        return []
    nan = math.nan
    return [Row("speed ratio", before, after, before / after, nan, nan, nan, "wall time")]
