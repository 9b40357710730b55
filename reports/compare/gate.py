"""The rule of the regression gate: no worse, worse, or cannot tell, against stated tolerances.

For a difference d (new minus baseline, signed so that positive is better) and a tolerance delta:
`worse` when d < -delta significantly, `no worse` when d > -delta significantly (non-inferiority),
else `cannot tell`. Many measures are judged at once: `worse` must survive Holm's correction over
all of them; `no worse` needs none, because the gate opens only if every measure shows it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t as student

from circuitvar.audit.agreement import Change
from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.multiplicity import holm

Outcome = Literal["no worse", "worse", "cannot tell", "reported"]
EXIT_CODES: Mapping[Outcome, int] = {"no worse": 0, "worse": 1, "cannot tell": 2}


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
        gap = change.difference
        return cls(
            change.name,
            change.first,
            change.second,
            sign * gap.value,
            gap.se,
            change.df,
            tolerance,
            gap.interval,
        )


@dataclass(frozen=True)
class Gate:
    """Every measure and what follows from them together."""

    rows: tuple[Row, ...]
    alpha: float

    @property
    def outcome(self) -> Outcome:
        """`worse` if any measure is, `no worse` if all are, else `cannot tell`."""
        outcomes = {row.outcome for row in self.rows} - {"reported"}
        if "worse" in outcomes:
            return "worse"
        return "no worse" if outcomes == {"no worse"} else "cannot tell"

    @property
    def exit_code(self) -> int:
        """0 no worse, 1 worse, 2 cannot tell."""
        return EXIT_CODES[self.outcome]

    def frame(self) -> pd.DataFrame:
        """One row per measure, unrounded."""
        return pd.DataFrame([vars(row) for row in self.rows])


def tail(row: Row) -> float:
    """P(T <= (d + tolerance) / se): small when the new one is worse than the tolerance allows."""
    distance = row.difference + row.tolerance
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
    adjusted = holm(np.array(raw)).tolist()
    return Gate(
        tuple(
            replace(row, p_worse=p, outcome=_outcome(plain, p, alpha))
            for row, plain, p in zip(rows, raw, adjusted, strict=True)
        ),
        alpha,
    )


def _outcome(plain: float, adjusted: float, alpha: float) -> Outcome:
    if math.isnan(plain):
        return "cannot tell"
    if adjusted <= alpha:
        return "worse"
    return "no worse" if 1 - plain <= alpha else "cannot tell"
