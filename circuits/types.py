"""The nouns of one estimate: scores, circuits, methods, finders, faithfulness.

Arrays are numpy on this side of the model, so that `audit` and `reports` never need torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, Float32

from circuitvar.circuits import option
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.option import Option
from circuitvar.tasks.shown import Shown, number

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from circuitvar.circuits.model import Model, Writes
    from circuitvar.tasks.types import Batch, Metric

Ablation = Literal["patching", "mean", "mean-positional", "zero"]
ABLATIONS: tuple[Ablation, ...] = ("patching", "mean", "mean-positional", "zero")
AblationKey = Annotated[
    Ablation, Option("Patched value: patching, mean, mean-positional or zero.", keys="ablation")
]


@dataclass(frozen=True)
class ScoreOptions:
    """Everything that can change a score besides model, data and metric. Recorded in every file."""

    ablation: AblationKey = "patching"
    steps: option.Steps = 5
    rule: Annotated[
        Literal["left", "midpoint", "gauss-legendre"],
        Option("Integration rule: left (published), midpoint, gauss-legendre."),
    ] = "left"
    """`left` has the corrupted end and not the clean one."""
    edges: tuple[int, ...] | None = None
    """Columns of `Graph.edges` to score; None is all of them."""
    role: str | None = None
    """Patch only at the positions that play this role; None is every position."""
    seed: option.Seed = 0
    means: "Writes | None" = field(default=None, repr=False, compare=False)
    """Filled in by `score_edges` for mean ablation: what every source writes on average over the
    corrupted prompts of the whole data set, so that scores do not depend on the batching."""


@dataclass(frozen=True)
class CircuitTestChoice:
    """What a circuit is tested against, and at which levels; see `run_circuit_tests`."""

    family: str = "connected"
    """Null family of the random circuits, or `random-weights`: models with shuffled weights."""
    reference: Literal["outside", "model"] = "outside"
    """Where random knock-outs come from; Shi et al. 2024 (arXiv 2410.13032) name both."""
    draws: int = 100
    """Random circuits, or models."""
    epsilon: float = 0.1
    """Margin of equivalence around a win share of 1/2."""
    quantile: float = 0.9
    """Share of random circuits or edges to beat."""
    alpha: float = 0.05
    permutations: int = 1000
    max_edges: int = 200
    """Edges tested for minimality at most, drawn at random from larger circuits."""
    ablation: Ablation = "patching"


@dataclass(frozen=True, eq=False, repr=False)
class EdgeScores(Shown):
    """Per-example edge scores: the central object of the suite.

    Positive = patching the edge damages the behaviour, in units of the metric (DESIGN: damage).
    """

    graph: Graph
    values: Float32[np.ndarray, "example edge"]
    metric_clean: Float[np.ndarray, " example"]
    metric_corrupt: Float[np.ndarray, " example"]
    method: str
    metric: str
    templates: tuple[str, ...]
    """Cluster id per example."""
    columns: tuple[int, ...] | None = None
    """Which `Graph.edges` the columns are; None is all, in order."""
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def mean(self) -> Float[np.ndarray, " edge"]:
        """Score of each edge: the mean over examples, accumulated in float64."""
        return self.values.mean(axis=0, dtype=np.float64)

    def to_frame(self) -> "pd.DataFrame":
        """Scores with a row per example (`example`, `template`) and a column per edge name."""
        import pandas as pd

        names = self.graph.edge_names
        columns = names if self.columns is None else [names[i] for i in self.columns]
        index = pd.MultiIndex.from_arrays(
            [range(len(self.values)), self.templates], names=["example", "template"]
        )
        return pd.DataFrame(self.values, index, pd.Index(columns, name="edge"))

    def _facts(self) -> Mapping[str, object]:
        examples, edges = self.values.shape
        return {"method": self.method, "metric": self.metric, "examples": examples, "edges": edges}

    def _details(self) -> Mapping[str, object]:
        effect = number(float((self.metric_clean - self.metric_corrupt).mean()))
        found = {"templates": len(set(self.templates)), "metric, clean minus corrupted": effect}
        names = self.graph.edge_names
        for column in np.argsort(-np.abs(self.mean), kind="stable")[:5]:
            edge = column if self.columns is None else self.columns[column]
            found[f"mean of {names[edge]}"] = number(float(self.mean[column]))
        return found


@dataclass(frozen=True, eq=False, repr=False)
class Circuit(Shown):
    """A set of edges and how it was chosen."""

    graph: Graph
    kept: Bool[np.ndarray, " edge"]
    rule: str
    """How it was chosen, in words a methods section can print, e.g. `top-n |score|, n=100`."""
    requested: int
    """Edges asked for."""
    selected: int
    """Edges chosen before dangling ones were removed."""

    @property
    def size(self) -> int:
        """Edges left after dangling ones were removed."""
        return int(self.kept.sum())

    @property
    def edge_names(self) -> tuple[str, ...]:
        """Names of the kept edges."""
        return tuple(self.graph.edge_names[i] for i in np.flatnonzero(self.kept))

    def _facts(self) -> Mapping[str, object]:
        return {"edges": f"{self.size} of {self.graph.n_edges}", "rule": self.rule}

    def _details(self) -> Mapping[str, object]:
        shown = ", ".join(self.edge_names[:8]) + (", ..." if self.size > 8 else "")
        return {"asked for": self.requested, "before pruning": self.selected, "first": shown}


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of one batch with the metric values that came with them for free."""

    values: "Float[Tensor, 'example edge']"
    metric_clean: "Float[Tensor, ' example'] | None" = None
    metric_corrupt: "Float[Tensor, ' example'] | None" = None


class ScoreFn(Protocol):
    """Score every edge on every example of one batch (already small enough for memory)."""

    def __call__(
        self, model: "Model", batch: "Batch", *, metric: "Metric", options: ScoreOptions
    ) -> "Scored | Float[np.ndarray, 'example edge'] | Float[Tensor, 'example edge']":
        """Scores, or `Scored` where the metric of the runs is known too."""
        ...


Used = Literal["steps", "rule", "role"]
"""Options of a score that some methods read and others do not."""


@dataclass(frozen=True)
class Method:
    """An attribution method: a plain function and what a reader must know about it."""

    key: str
    title: str
    fn: ScoreFn
    citation: str
    """Author year, arXiv id."""
    exact: bool = False
    linear: bool = True
    """True when the score of a data set is the mean of the scores of its examples."""
    unit: Literal["metric", "native"] = "metric"
    """`native`: another scale than damage in metric units; compared by rank only."""
    ablations: tuple[Ablation, ...] = ("patching",)
    """Ablation values for which the method is defined."""
    metrics: tuple[str, ...] = ()
    """Keys of the metrics for which the method is defined; empty is every metric."""
    needs_gradient: bool = False
    """True when the metric must be differentiable."""
    uses: tuple[Used, ...] = ("steps", "rule", "role")
    """Options that change its scores: integration steps and rule, and the role whose positions
    are patched. Asking for one that it does not read is a mistake; see `refuse_ignored`."""
    cost: str = ""
    """Rough cost per batch in words, e.g. `2 forwards + 1 backward`."""


class FinderFn(Protocol):
    """Examples in, circuit out: for methods that are not a mean over examples."""

    def __call__(
        self, model: "Model", batch: "Batch", *, metric: "Metric", size: int, seed: int
    ) -> Circuit:
        """The circuit found on `batch`."""
        ...


@dataclass(frozen=True)
class Finder:
    """A discovery procedure that is re-run per perturbation."""

    key: str
    title: str
    fn: FinderFn
    citation: str = ""
    needs_gradient: bool = False
    """True when the metric must be differentiable."""


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness(Shown):
    """A circuit run on held-out examples, one number per example."""

    circuit: Float[np.ndarray, " example"]
    full: Float[np.ndarray, " example"]
    empty: Float[np.ndarray, " example"]
    """Metric with every edge patched: the corrupted run under counterfactual patching."""
    flipped: Bool[np.ndarray, " example"]
    """True where the circuit's predicted token differs from the full model's."""
    correct: Bool[np.ndarray, " example"]
    """True where the circuit's best answer beats its best wrong answer."""
    kl: Float[np.ndarray, " example"]
    """KL(full model || circuit) of next-token distributions, in nats."""
    metric: str
    ablation: Ablation | Literal["optimal"]
    templates: tuple[str, ...]
    choices: Mapping[str, str] = field(default_factory=dict)
    """How the circuit was run: the six choices of Miller et al. 2024 (arXiv 2407.08734)."""

    @property
    def value(self) -> float:
        """Ratio of means: (m(C) - m(empty)) / (m(full) - m(empty)); NaN where the gap is 0."""
        gap = self.full.mean() - self.empty.mean()
        return float((self.circuit.mean() - self.empty.mean()) / gap) if gap else float("nan")

    def to_frame(self) -> "pd.DataFrame":
        """One row per example: its template and every per-example field."""
        import pandas as pd

        columns = ("circuit", "full", "empty", "flipped", "correct", "kl")
        return pd.DataFrame(
            {"template": self.templates} | {name: getattr(self, name) for name in columns}
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "faithfulness": number(self.value),
            "metric": self.metric,
            "ablation": self.ablation,
            "examples": len(self.circuit),
        }

    def _details(self) -> Mapping[str, object]:
        means = {name: getattr(self, name).mean() for name in ("circuit", "full", "empty", "kl")}
        return {
            **{f"mean, {name}": number(float(mean)) for name, mean in means.items()},
            "predictions flipped": f"{self.flipped.mean():.0%}",
            "correct": f"{self.correct.mean():.0%}",
        }
