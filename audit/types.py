"""The nouns of an audit: estimates with intervals, variance components, verdicts, the audit.

Statistics know only numpy arrays; names, units and sentences are put on here, outside them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.circuits.types import EdgeScores
from circuitvar.tasks.shown import Shown, number

Outcome = Literal["pass", "fail", "undecided", "no compression"]
Kind = Literal[
    "",
    "t",
    "jackknife",
    "runs",
    "choices",
    "resamples",
    "subsampling",
    "bound",
    "exact",
    "bootstrap",
    "sequence",
    "components",
]
"""How an interval was made; empty: there is none.

`t`: of means of independent units. `jackknife`: units left out. `runs`: independent runs left out.
`choices`: the same for runs that were chosen by name, of which no more can be drawn. `resamples`:
infinitesimal jackknife or jackknife after bootstrap. `subsampling`: halves or blocks of the data,
extrapolated, worth few degrees of freedom. `bound`: all runs equal. `exact`: binomial.
`bootstrap`: percentiles. `sequence`: valid at every look. `components`: of a variance component.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Estimate(Shown):
    """A number with its uncertainty and what it estimates."""

    name: str
    value: float
    se: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    level: float = 0.95
    n: int = 0
    """Independent units the interval rests on (runs, prompts or templates)."""
    interval: str = ""
    """Which interval, in words: `row jackknife t`, `infinitesimal jackknife`, ... For readers;
    `kind` says the same to programs."""
    estimand: str = ""
    """What it estimates, in words, e.g. `stability over fresh samples of n/2 prompts`."""
    kind: Kind = ""
    unit: str = ""
    """What `n` counts: prompt, template, run, pair, random circuit, ..."""
    missing: str = ""
    """Why there is no interval, as the end of a sentence: `no interval from fewer than 3 runs`."""
    draws: Float[np.ndarray, " draw"] | None = None
    """Replicates behind the number, where there are any."""

    @property
    def text(self) -> str:
        """Value and interval in three digits."""
        return number(self.value, self.low, self.high)

    def row(self, prefix: str = "value") -> dict[str, object]:
        """The estimate as flat columns: `value, value_se, value_low, value_high, ...`."""
        names = ("se", "low", "high", "level", "n", "interval", "estimand")
        row: dict[str, object] = {f"{prefix}_{name}": getattr(self, name) for name in names}
        return {prefix: self.value, **row}

    def _facts(self) -> Mapping[str, object]:
        return {self.name: self.text}

    def _details(self) -> Mapping[str, object]:
        facts = {"standard error": number(self.se), "interval": self.interval or "none"}
        return facts | {"level": f"{self.level:.0%}", "n": self.n, "estimates": self.estimand}


@dataclass(frozen=True, eq=False)
class Component:
    """One variance component. Negative estimates are kept raw."""

    name: str
    variance: Estimate
    share: float
    layer: str = ""
    """L0 ... L5 of the variance ledger."""


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """A claim, the bar it is held to, and what the numbers say."""

    claim: str
    bar: str
    """Printable bar, e.g. `mean pairwise Jaccard > 0.80 under bootstrap (>= 100 resamples)`."""
    outcome: Outcome
    reason: str
    """One sentence that quotes the numbers the outcome follows from."""
    needed: str = ""
    """What it would take to decide, e.g. `about 900 prompts`; empty when decided."""

    def _facts(self) -> Mapping[str, object]:
        return {self.outcome: self.claim}

    def _details(self) -> Mapping[str, object]:
        found = {"bar": self.bar, "reason": self.reason}
        return found | ({"needed": self.needed} if self.needed else {})


@dataclass(frozen=True, eq=False, repr=False)
class Axis(Shown):
    """Stability of the edge set along one perturbation."""

    key: str
    """`halves-template`, `halves-prompt`, `bootstrap`, `fresh-data`, `paraphrase`, `seed`, ..."""
    title: str
    unit: str
    """What was resampled or varied: prompt, template, data set, training seed."""
    runs: int
    phi: Estimate
    jaccard: Estimate
    jaccard_cv: float
    chance: float
    """Expected Jaccard of random sets of the observed sizes."""
    inclusion: Float[np.ndarray, " edge"]
    """Share of runs that keep each edge."""
    sizes: Float[np.ndarray, " run"]
    """Realised circuit sizes."""
    note: str = ""
    tied: int = 0
    """Edges that tie at the cut where the order of the graph decides among them; 0: none."""

    def row(self) -> dict[str, object]:
        """The axis as flat columns; `phi` and `jaccard` as in `Estimate.row`."""
        return {
            "axis": self.key,
            "perturbation": self.title,
            "unit": self.unit,
            "runs": self.runs,
            **self.phi.row("phi"),
            **self.jaccard.row("jaccard"),
            "jaccard_cv": self.jaccard_cv,
            "chance": self.chance,
            "size_mean": float(np.mean(self.sizes)),
            "size_min": float(np.min(self.sizes)),
            "size_max": float(np.max(self.sizes)),
            "edges": self.inclusion.size,
            "tied": self.tied,
            "note": self.note,
        }

    def to_frame(self) -> pd.DataFrame:
        """The axis as a frame of one row."""
        return pd.DataFrame([self.row()])

    def _facts(self) -> Mapping[str, object]:
        return {"axis": self.key, "phi": self.phi.text, "runs": self.runs, "unit": self.unit}

    def _details(self) -> Mapping[str, object]:
        return {
            "what varies": self.title,
            "Jaccard": self.jaccard.text,
            "chance Jaccard": number(self.chance),
            "mean size": number(float(np.mean(self.sizes))),
            "edges always kept": int((self.inclusion == 1).sum()),
            "edges ever kept": int((self.inclusion > 0).sum()),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Shown):
    """Everything a report needs. Frames are tidy, one observation per row."""

    title: str
    axes: tuple[Axis, ...]
    verdicts: tuple[Verdict, ...]
    edges: pd.DataFrame
    """One row per edge: edge, src, dst, score, se, snr, sign_consistency, inclusion_<axis>,
    class (core / contingent / noise), in_circuit, exact (where known), ..."""
    estimates: tuple[Estimate, ...] = ()
    """Headline scalars: faithfulness, circuit error, rank correlation with exact, ..."""
    components: tuple[Component, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Further tidy frames by name: `phi_by_k`, `forecast`, `similarity`, `ledger`, ..."""
    provenance: Mapping[str, object] = field(default_factory=dict)
    scores: EdgeScores | None = None
    """Per-example scores of the discovery prompts, kept beside the report."""
    format: int = 1

    def to_frame(self, table: str = "stability") -> pd.DataFrame:
        """One table of the audit.

        `stability` (a row per axis), `verdicts`, `estimates`, `edges`, or a key of `tables`.

        Raises
        ------
        ValueError
            The audit has no such table; names those it has.
        """
        made = {
            "stability": lambda: pd.DataFrame([axis.row() for axis in self.axes]),
            "verdicts": lambda: pd.DataFrame([vars(verdict) for verdict in self.verdicts]),
            "estimates": lambda: pd.DataFrame([{"name": e.name} | e.row() for e in self.estimates]),
            "edges": lambda: self.edges,
        }
        if table in made:
            return made[table]()
        if table not in self.tables:
            known = ", ".join([*made, *self.tables])
            raise ValueError(f"the audit has no table {table!r}; choose one of {known}")
        return self.tables[table]

    def _facts(self) -> Mapping[str, object]:
        outcomes = Counter(verdict.outcome for verdict in self.verdicts)
        said = ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items())
        return {"title": self.title, "axes": len(self.axes), "verdicts": said or "none"}

    def _details(self) -> Mapping[str, object]:
        agreement = {f"phi, {axis.key}": axis.phi.text for axis in self.axes}
        judged = {f"{i}. {v.outcome}": v.claim for i, v in enumerate(self.verdicts, start=1)}
        return {**agreement, **{e.name: e.text for e in self.estimates}, **judged}
