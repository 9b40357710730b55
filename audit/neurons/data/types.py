"""The nouns of a neuron audit: the probing set, similarity metrics, votes, sets and results.

A *unit* is any scalar function of a sample (neuron, head entry, probe direction); a *concept* is
a column with values in [0, 1]. Everything is arrays, so vision models and third-party labels are
audited the same way as language-model neurons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from circuitvar.tasks.shown import Shown


@dataclass(frozen=True, eq=False, repr=False)
class ProbingSet(Shown):
    """Units, concepts and which samples belong together. Built by `probing_set`."""

    acts: Any
    """`[sample, unit]`: numpy array, memory map or tensor; read in unit chunks, never written."""
    concepts: Float[np.ndarray, "sample concept"]
    groups: Int[np.ndarray, " sample"]
    """Cluster code 0..G-1 (prompt, image): the independent draw; its rows are dependent."""
    strata: Int[np.ndarray, " cluster"]
    """Stratum code per cluster (template); resampling keeps the cluster count of each stratum."""
    weights: Float[np.ndarray, " sample"]
    units: tuple[str, ...]
    names: tuple[str, ...]
    """Concept names, in column order."""
    strata_names: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        """Rows of the arrays."""
        return int(self.concepts.shape[0])

    @property
    def n_concepts(self) -> int:
        """Columns of `concepts`."""
        return int(self.concepts.shape[1])

    @property
    def n_units(self) -> int:
        """Columns of `acts`."""
        return len(self.units)

    @property
    def n_groups(self) -> int:
        """Clusters, the independent draws."""
        return int(self.strata.shape[0])

    def _facts(self) -> Mapping[str, object]:
        names = ("n_units", "n_concepts", "n_samples", "n_groups")
        return {name.removeprefix("n_"): getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums from which every moment metric follows. `replicate` is 1 for a point estimate.

    z = (activation - mean) / sd, with mean and sd of the whole probing set, so that sums of
    squares do not cancel; the constants restore activation units where a metric needs them.
    """

    n: Float[np.ndarray, "replicate 1 1"]
    active: Float[np.ndarray, "replicate 1 unit"]
    """Sum of w A, A = 1 where the unit is above its threshold."""
    concept: Float[np.ndarray, "replicate concept 1"]
    concept2: Float[np.ndarray, "replicate concept 1"]
    unit: Float[np.ndarray, "replicate 1 unit"]
    """Sum of w z."""
    unit2: Float[np.ndarray, "replicate 1 unit"]
    both: Float[np.ndarray, "replicate concept unit"]
    """Sum of w A P."""
    cross: Float[np.ndarray, "replicate concept unit"]
    """Sum of w z P."""
    log_both: Float[np.ndarray, "replicate concept unit"] | None
    """Sum of w A log P; only when WPMI is asked for."""
    mean: Float[np.ndarray, " unit"]
    sd: Float[np.ndarray, " unit"]


@dataclass(frozen=True)
class Similarity:
    """One way to score how well a concept describes a unit."""

    key: str
    title: str
    fn: Callable[[Moments], Float[np.ndarray, "replicate concept unit"]] | None
    """As a function of weighted sums; None where the sorted activations are needed."""
    low: float = 0
    high: float = 1
    """Range of the metric; NaN where it has none."""
    thresholded: bool = True
    """True when the unit is binarised first."""
    ranking: bool = False
    """True when the metric passes the missing- and extra-labels tests, so that it may rank."""
    aliases: tuple[str, ...] = ()
    """Names other papers use for it."""
    same_best_as: str = ""
    """Key of a metric that always has the same best concept (IoU for F1)."""

    @property
    def family(self) -> str:
        """Metrics of one family count as one voter."""
        return self.same_best_as or self.key


@dataclass(frozen=True, eq=False)
class AliasClasses:
    """Concept columns that this probing set cannot tell apart."""

    of: Int[np.ndarray, " concept"]
    """Class code of each concept."""
    members: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    """Member names joined by ` = `; a complement is written `not name`."""

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, eq=False)
class Votes:
    """Winning concept classes of bootstrap replicates, for one metric."""

    metric: str
    shares: Float[np.ndarray, "class unit"]
    """Share of replicates won; ties are split."""
    winners: Int[np.ndarray, "replicate unit"]
    """A winner per replicate (the first among ties), -1 where the metric is undefined."""
    tied: Int[np.ndarray, "tie 3"]
    """(replicate, class, unit) of every member of a tie."""


@dataclass(frozen=True, eq=False)
class ConceptSets:
    """The sets of one unit, each named by what it covers."""

    vote: Bool[np.ndarray, " class"]
    """Winner of the next resample of the same data, up to Monte-Carlo error."""
    conf: Bool[np.ndarray, " class"]
    """Winner of the next resample of the same data, at least 1 - alpha at any replicate count."""
    new: Bool[np.ndarray, " class"]
    """Winner on a fresh data set of the same size (heuristic)."""
    maxt: Bool[np.ndarray, " class"]
    """Population-best concept (asymptotic, any metric)."""
    ci: Bool[np.ndarray, " class"] | None
    """Population-best concept (finite-sample); None for metrics without such an interval."""


@dataclass(frozen=True, eq=False, repr=False)
class NeuronAudit(Shown):
    """Everything a report needs. Frames are tidy, one observation per row."""

    units: pd.DataFrame
    """One row per unit: label, verdict, vote share, set sizes, margin, held-out score, ..."""
    votes: pd.DataFrame
    """One row per unit and concept class with a vote or a set membership."""
    aliases: pd.DataFrame
    """One row per concept: class, prompts with it, eligible or why not."""
    metrics: pd.DataFrame
    """One row per similarity metric: missing- and extra-labels self-check."""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Further frames: `bounds`, `linear`, `inclusion`, `ranges`, `perturbations`, `ledger`, ..."""
    options: Mapping[str, object] = field(default_factory=dict)
    format: int = 1

    def to_frame(self, table: str = "units") -> pd.DataFrame:
        """One table of the audit: `units`, `votes`, `aliases`, `metrics` or a key of `tables`.

        Raises
        ------
        ValueError
            The audit has no such table; names those it has.
        """
        tables = self.frames()
        if table not in tables:
            raise ValueError(f"the audit has no table {table!r}; choose one of {', '.join(tables)}")
        return tables[table]

    def frames(self) -> dict[str, pd.DataFrame]:
        """Every table by name, the four fields first."""
        own = ("units", "votes", "aliases", "metrics")
        return {name: getattr(self, name) for name in own} | dict(self.tables)

    def _facts(self) -> Mapping[str, object]:
        labels = self.units["verdict"].value_counts()
        said = ", ".join(f"{n} {verdict}" for verdict, n in labels.items())
        return {"units": len(self.units), "concepts": len(self.aliases), "labels": said}

    def _details(self) -> Mapping[str, object]:
        options = ("samples", "clusters", "strata")
        known = {name: self.options[name] for name in options if name in self.options}
        return known | {"tables": ", ".join(self.tables)}
