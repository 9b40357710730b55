"""What `score`, `find`, `evaluate`, `test` and `published` can be asked."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from circuitvar.audit.settings import Settings
from circuitvar.circuits import option
from circuitvar.circuits.confidence import Alpha, check_alpha
from circuitvar.circuits.option import (
    AT_LEAST_0,
    AT_LEAST_1,
    COMMON,
    OUTPUT,
    STATISTICS,
    Option,
    Range,
)
from circuitvar.circuits.size import SIZE_IF_OMITTED
from circuitvar.circuits.types import ABLATIONS, AblationKey, CircuitTestChoice
from circuitvar.reports.options.shared import AllowWeak, check_known

ALL_ABLATIONS = (*ABLATIONS, "optimal")
ERRORS = ("circuit-error", "faithfulness", "kl")
"""What `smallest-faithful` bounds: share of changed predictions, |1 - faithfulness|, KL in nats."""
MORE_RULES = ("smallest-faithful", "significant", "inner", "outer")
"""Rules that need more than the mean scores."""
HeldOut = Annotated[int, Option("Held-out prompts.", COMMON, AT_LEAST_1)]
Reference = Annotated[
    Literal["outside", "model"],
    Option(
        "Random knock-outs come from outside the circuit (`outside`) or from the whole `model`."
    ),
]
Draws = Annotated[int, Option("Random circuits drawn.", STATISTICS, AT_LEAST_1)]


FileSize = Annotated[
    int | None,
    Option("Strongest edges to take from a file that holds scores only.", COMMON, AT_LEAST_1),
]


@dataclass(frozen=True)
class ScoreChoice:
    """What is scored, by which method; see `ScoreOptions` for the rest."""

    method: option.Method = Settings.method
    n: Annotated[int, Option("Prompts to score.", COMMON, AT_LEAST_1)] = 100
    metric: option.Metric = None
    corruption: option.Corruption = None
    granularity: Annotated[
        Literal["edge", "node", "neuron"],
        Option("What is scored: edge, node, or neuron (MLP units)."),
    ] = "edge"
    roles: Annotated[
        tuple[str, ...],
        Option(
            "Patch only the tokens of this role, e.g. IO; repeat to keep roles apart.",
            flags=("--role",),
        ),
    ] = ()
    edges: Annotated[
        Path | None, Option("Score only the edges in this file (any circuit format).")
    ] = None
    batch_size: Annotated[
        int | None, Option("Examples at once; by memory if omitted.", OUTPUT, AT_LEAST_1)
    ] = None


@dataclass(frozen=True)
class FindOptions:
    """How a circuit is found."""

    finder: Annotated[
        str | None,
        Option(
            "acdc, edge-pruning, mask-gradient or your own module:attribute; scores and a rule if "
            "omitted.",
            COMMON,
        ),
    ] = None
    method: option.Method = Settings.method
    rule: Annotated[
        str,
        Option(
            "top-n, top-fraction, threshold, greedy, connected (smallest), smallest-faithful, "
            "significant (max-T), inner or outer (of the top n).",
            COMMON,
        ),
    ] = "top-n"
    amount: Annotated[
        float | None,
        Option(f"Edges (or share, or score) the rule takes; {SIZE_IF_OMITTED} if omitted.", COMMON),
    ] = None
    signed: option.Signed = False
    epsilon: Annotated[
        float, Option("Largest error that smallest-faithful allows.", STATISTICS, AT_LEAST_0)
    ] = 0.1
    error: Annotated[
        str, Option("Error of smallest-faithful: circuit-error, faithfulness or kl.", STATISTICS)
    ] = "circuit-error"
    alpha: Alpha = 0.05
    minimum_effect: Annotated[
        float, Option("Effect that significant tests against.", STATISTICS)
    ] = 0.0
    n: Annotated[int, Option("Prompts to find on; as many are held out.", COMMON, AT_LEAST_1)] = 100
    allow_weak: AllowWeak = False
    metric: option.Metric = None
    corruption: option.Corruption = None
    seed: option.Seed = Settings.seed

    def __post_init__(self) -> None:
        if self.rule not in (FindOptions.rule, *MORE_RULES):  # the others come with torch
            from circuitvar.circuits.find import RULES

            rules = (*(rule.key for rule in RULES), *MORE_RULES)
            check_known("selection rule", [self.rule], rules)
        check_known("error", [self.error], ERRORS)
        check_alpha(self.alpha)
        scored = self.finder is None and self.rule == "threshold"  # A score may be 0 or negative.
        if self.amount is not None and not self.amount > 0 and not scored:
            raise ValueError(
                f"amount is {self.amount:g}; a circuit needs at least one edge, so give more than 0"
            )
        option.check_ranges(self)


@dataclass(frozen=True)
class EvaluateOptions:
    """What is measured, and on how much; as many other prompts rank edges and fit constants."""

    n: HeldOut = 200
    metric: option.Metric = None
    corruption: option.Corruption = None
    ablations: Annotated[
        tuple[str, ...],
        Option(
            "patching, mean, mean-positional, zero or optimal; repeatable, all if omitted.",
            flags=("--ablation",),
            keys="ablation",
        ),
    ] = ALL_ABLATIONS
    method: option.Method = Settings.method
    """Ranks the edges of the size curve unless the file scores every edge."""
    signed: option.Signed = False
    unpruned: Annotated[bool, Option("Keep dangling edges in the circuits of the curve.")] = False
    """Matters for mean and zero ablation."""
    pairs: Annotated[
        int, Option("Crossed clean x corrupted pairs of the worst case.", STATISTICS, AT_LEAST_1)
    ] = 2000
    fit_steps: Annotated[
        int,
        Option(
            "Gradient steps that fit optimal ablation.", STATISTICS, AT_LEAST_1, formerly="--steps"
        ),
    ] = 100
    size: FileSize = None
    seed: option.Seed = Settings.seed

    def __post_init__(self) -> None:
        check_known("ablation", self.ablations, ALL_ABLATIONS)
        option.check_ranges(self)


@dataclass(frozen=True)
class CircuitTestOptions:
    """Choices of the tests; see `run_circuit_tests`."""

    n: HeldOut = EvaluateOptions.n
    metric: option.Metric = None
    corruption: option.Corruption = None
    ablation: AblationKey = Settings.ablation
    families: Annotated[
        tuple[str, ...],
        Option(
            "Null family: connected (default), strata, edges or random-weights; repeatable.",
            flags=("--null",),
        ),
    ] = (CircuitTestChoice.family,)
    """Every one gives its own rows."""
    reference: Reference = CircuitTestChoice.reference
    draws: Draws = CircuitTestChoice.draws
    epsilon: Annotated[
        float, Option("Margin of equivalence around a win share of 1/2.", STATISTICS)
    ] = CircuitTestChoice.epsilon
    quantile: Annotated[
        float,
        Option("Share of random circuits or edges to beat.", STATISTICS, Range(above=0, below=1)),
    ] = CircuitTestChoice.quantile
    alpha: Alpha = FindOptions.alpha
    permutations: Annotated[
        int, Option("Permutations of the independence test.", STATISTICS, AT_LEAST_1)
    ] = CircuitTestChoice.permutations
    max_edges: Annotated[
        int, Option("Edges tested for minimality at most.", STATISTICS, AT_LEAST_0)
    ] = CircuitTestChoice.max_edges
    size: FileSize = None
    seed: option.Seed = Settings.seed

    def __post_init__(self) -> None:
        if self.families != CircuitTestOptions.families:  # the others come with torch
            from circuitvar.circuits.evaluate import TEST_FAMILIES

            check_known("null family", self.families, TEST_FAMILIES)
        check_known("ablation", [self.ablation], ABLATIONS)
        check_alpha(self.alpha)
        option.check_ranges(self)

    def choice(self, family: str) -> CircuitTestChoice:
        """What `run_circuit_tests` is asked for one of the null families."""
        shared = {field.name for field in fields(CircuitTestChoice)} - {"family"}
        return CircuitTestChoice(family, **{name: getattr(self, name) for name in shared})


@dataclass(frozen=True)
class PublishedOptions:
    """How a published circuit is audited."""

    size: FileSize = None
    n: Annotated[int, Option("Prompts per condition.", COMMON, AT_LEAST_1)] = 100
    methods: tuple[str, ...] = (Settings.method, "eap")
    """Find it again; the first also weights the drawing."""
    family: Annotated[
        str,
        Option(
            "Random circuits: connected, strata or edges; or random-weights: shuffled models.",
            flags=("--null",),
        ),
    ] = CircuitTestOptions.families[0]
    reference: Reference = CircuitTestOptions.reference
    draws: Draws = CircuitTestOptions.draws
    seed: option.Seed = Settings.seed
