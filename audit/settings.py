"""What an audit varies and how much: one frozen record, echoed in every result."""

from dataclasses import asdict, dataclass, fields

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
    """Independent data sets of `n` prompts; 0 skips the axis."""
    level: float = 0.95
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
        if not 0.5 <= self.level < 1:
            raise ValueError(f"level = {self.level} is not a confidence level; use 0.5 to 0.999")
        if self.ablation not in ABLATIONS:
            raise ValueError(
                f"ablation {self.ablation!r} is unknown; choose one of {', '.join(ABLATIONS)}"
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

SETTING_NAMES: tuple[str, ...] = tuple(f.name for f in fields(Settings))
