"""What an audit varies and how much: one frozen record, echoed in every result."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated

from circuitvar.circuits import option
from circuitvar.circuits.confidence import Confidence, check_confidence
from circuitvar.circuits.option import AT_LEAST_0, AT_LEAST_1, COMMON, STATISTICS, Option, Range
from circuitvar.circuits.size import SIZE_IF_OMITTED
from circuitvar.circuits.types import ABLATIONS, Ablation, AblationKey, ScoreOptions
from circuitvar.tasks.lookup import unknown


@dataclass(frozen=True)
class Settings:
    """Choices of one audit; the fields that are options are those of `circuitvar audit`."""

    method: option.Method = "eap-ig-inputs"
    other_methods: tuple[str, ...] = ("eap", "clean-corrupted")
    """Approximations that could have been used instead; compared on the same prompts."""
    metric: option.Metric = None
    corruption: option.Corruption = None
    ablation: AblationKey = ScoreOptions.ablation
    steps: option.Steps = ScoreOptions.steps
    n: Annotated[int, Option("Prompts the circuit is discovered on.", COMMON, Range(least=8))] = 400
    heldout: Annotated[
        int, Option("Fresh prompts the circuit is evaluated on.", STATISTICS, Range(least=4))
    ] = 200
    size: Annotated[
        int | None, Option(f"Edges to keep; {SIZE_IF_OMITTED} if omitted.", COMMON, AT_LEAST_1)
    ] = None
    signed: option.Signed = False
    bootstrap: Annotated[
        int, Option("Bootstrap replicates of the prompts.", STATISTICS, Range(least=10))
    ] = 200
    pairs: Annotated[
        int,
        Option(
            "Complementary-half pairs, per template and per prompt.", STATISTICS, Range(least=2)
        ),
    ] = 50
    exact: Annotated[
        int,
        Option("Prompts on which all edges are patched exactly; 0: none.", STATISTICS, AT_LEAST_0),
    ] = 48
    random: int = 50
    """Random circuits of the same size to compare with."""
    fresh: Annotated[
        int, Option("Independent data sets of the same size; 0: none.", STATISTICS, AT_LEAST_0)
    ] = 5
    noise: Annotated[
        tuple[float, ...],
        Option(
            "Gaussian noise on embeddings as another corruption: its size in embedding standard "
            "deviations; repeatable."
        ),
    ] = ()
    noise_roles: Annotated[
        tuple[str, ...] | None,
        Option(
            "Role of the tokens that get noise, all but END if omitted; repeatable.",
            flags=("--noise-role",),
        ),
    ] = None
    corruptions: Annotated[
        tuple[str, ...],
        Option("Corruption to compare with, or `all`; repeatable.", flags=("--other-corruption",)),
    ] = ()
    ablations: Annotated[
        tuple[Ablation, ...],
        Option(
            "Ablation to compare with, for every method defined for it; repeatable.",
            flags=("--other-ablation",),
            keys="ablation",
        ),
    ] = ()
    confidence: Confidence = 0.95
    seed: option.Seed = ScoreOptions.seed

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        option.check_ranges(self)
        if self.random < 10:
            raise ValueError(f"random = {self.random} is too small; use 10 or more")
        for name in ("exact", "fresh"):
            if getattr(self, name) == 1:
                raise ValueError(
                    f"{name} = 1 has no spread; use 0 to skip it, or 2 or more to measure it"
                )
        for ablation in (self.ablation, *self.ablations):
            if ablation not in ABLATIONS:
                raise unknown("ablation", ablation, ABLATIONS)
        if not all(0 < amplitude < math.inf for amplitude in self.noise):
            raise ValueError(
                f"noise = {self.noise} has an amplitude that is not positive; amplitudes are in "
                "embedding standard deviations, e.g. 0.5, 1, 3"
            )

    def as_dict(self) -> dict[str, object]:
        """As a report records them."""
        return asdict(self)


QUICK = Settings(n=120, heldout=60, bootstrap=50, pairs=20, exact=24, fresh=3)
"""A smoke-sized audit: the same steps, wider intervals."""

PAPER = Settings(
    other_methods=("eap", "clean-corrupted", "eap-ig-activations", "hvp"),
    noise=(0.5, 1.0, 2.0, 3.0),
    corruptions=("all",),
    ablations=("mean", "mean-positional", "zero"),
)
"""The perturbation matrix of Méloux et al. (arXiv 2510.00845): bootstrap with at least 100
resamples, meta-dataset, paraphrases, noise sweep, their four methods x four ablations as far as
defined; and hvp, which makes a full grid with eap, and other corruptions."""

FULL = replace(PAPER, bootstrap=1000, pairs=200, exact=96, random=200, fresh=10)
"""The same matrix with narrower intervals: more replicates, data sets and exact effects."""

PRESETS: tuple[tuple[str, Settings], ...] = (("quick", QUICK), ("paper", PAPER), ("full", FULL))


def preset(name: str) -> Settings:
    """The settings called `name`.

    Raises
    ------
    ValueError
        There is no such preset.

    >>> preset("paper").noise
    (0.5, 1.0, 2.0, 3.0)
    """
    presets = dict(PRESETS)
    if name not in presets:
        raise unknown("preset", name, presets, also=", or leave it out")
    return presets[name]


SETTING_NAMES: tuple[str, ...] = tuple(f.name for f in fields(Settings))
