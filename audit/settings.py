"""What an audit varies and how much: one frozen record, echoed in every result."""

import math
from dataclasses import asdict, dataclass, fields, replace

from circuitvar.circuits.confidence import check_confidence
from circuitvar.circuits.types import ABLATIONS, Ablation


@dataclass(frozen=True)
class Settings:
    """Choices of one audit. Field names are the option names of `circuitvar audit`."""

    method: str = "eap-ig-inputs"
    other_methods: tuple[str, ...] = ("eap", "clean-corrupted")
    """Approximations that could have been used instead; compared on the same prompts."""
    metric: str | None = None
    """Metric key; None is the task's own."""
    corruption: str | None = None
    """Corruption key; None is the task's default."""
    ablation: Ablation = "patching"
    steps: int = 5
    n: int = 400
    """Prompts the circuit is discovered on."""
    heldout: int = 200
    """Fresh prompts the circuit is evaluated on."""
    size: int | None = None
    """Edges to keep; None is a tenth of the graph, at most 200."""
    signed: bool = False
    """Rank by signed score instead of |score|."""
    bootstrap: int = 200
    """Bootstrap replicates."""
    pairs: int = 50
    """Complementary-half pairs, at template level and at prompt level."""
    exact: int = 48
    """Prompts on which every edge is also patched exactly; 0 skips the comparison."""
    random: int = 50
    """Random circuits of the same size to compare with."""
    fresh: int = 5
    """Independent data sets of `n` prompts; 0 skips the axis, as files of prompts must."""
    noise: tuple[float, ...] = ()
    """Amplitudes of Gaussian noise on the embeddings of role-marked tokens, in embedding SDs, each
    a corruption to discover the circuit with; one scoring pass each."""
    noise_roles: tuple[str, ...] | None = None
    """Roles whose tokens get the noise; None is all but END."""
    corruptions: tuple[str, ...] = ()
    """Other corruptions of the task to compare with; ("all",) is all of them."""
    ablations: tuple[Ablation, ...] = ()
    """Other ablations, crossed with every method that is defined for them."""
    confidence: float = 0.95
    """Confidence level of every interval."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} = {value} is too small; use {least} or more")
        for name in ("exact", "fresh"):
            if getattr(self, name) == 1:
                raise ValueError(
                    f"{name} = 1 has no spread; use 0 to skip it, or 2 or more to measure it"
                )
        check_confidence(self.confidence)
        for ablation in (self.ablation, *self.ablations):
            if ablation not in ABLATIONS:
                raise ValueError(
                    f"ablation {ablation!r} is unknown; choose one of {', '.join(ABLATIONS)}"
                )
        if not all(0 < amplitude < math.inf for amplitude in self.noise):
            raise ValueError(
                f"noise = {self.noise} has an amplitude that is not positive; amplitudes are in "
                "embedding standard deviations, e.g. 0.5, 1, 3"
            )

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


_LEAST = {
    "n": 8,
    "heldout": 4,
    "size": 1,
    "bootstrap": 10,
    "pairs": 2,
    "random": 10,
    "exact": 0,
    "fresh": 0,
    "steps": 1,
    "seed": 0,
}

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
    for key, settings in PRESETS:
        if key == name:
            return settings
    names = ", ".join(key for key, _ in PRESETS)
    raise ValueError(f"preset {name!r} is unknown; use {names}, or leave it out")


SETTING_NAMES: tuple[str, ...] = tuple(f.name for f in fields(Settings))
