"""The nouns of an audit: estimates with intervals, variance components, verdicts, the audit.

Statistics know only numpy arrays; names, units and sentences are put on here, outside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.circuits.types import EdgeScores

Outcome = Literal["pass", "fail", "undecided", "no compression"]


@dataclass(frozen=True, eq=False)
class Estimate:
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
    """Which interval: `row jackknife t`, `infinitesimal jackknife`, `percentile bootstrap`, ..."""
    estimand: str = ""
    """What it estimates, in words, e.g. `stability over fresh samples of n/2 prompts`."""
    draws: Float[np.ndarray, " draw"] | None = None
    """Replicates behind the number, where there are any."""


@dataclass(frozen=True, eq=False)
class Component:
    """One variance component. Negative estimates are kept raw."""

    name: str
    variance: Estimate
    share: float
    layer: str = ""
    """L0 ... L5 of the variance ledger."""


@dataclass(frozen=True)
class Verdict:
    """A claim, the bar it is held to, and what the numbers say."""

    claim: str
    bar: str
    """Printable bar, e.g. `mean pairwise Jaccard > 0.80 under bootstrap (>= 100 resamples)`."""
    outcome: Outcome
    reason: str
    """One sentence that quotes the numbers the outcome follows from."""
    needed: str = ""
    """What it would take to decide, e.g. `about 900 prompts`; empty when decided."""


@dataclass(frozen=True, eq=False)
class Axis:
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


@dataclass(frozen=True, eq=False)
class Audit:
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
