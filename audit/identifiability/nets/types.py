"""The nouns of an identifiability audit: a count and how it is known, a criterion, a space.

"Identifiable" only means something once the behaviour, the criterion, the ablation and the space
of candidate circuits are fixed (Méloux et al. 2025, arXiv 2502.20914), so every number here
carries all four.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Literal

from circuitvar.tasks.shown import Shown, number

Known = Literal["exact", "estimate", "lower bound"]
Space = Literal["whole", "node rule", "paper"]
"""`whole`: every topology. `node rule`: those that leave at least one hidden node out. `paper`:
what the code released with arXiv 2502.20914 visits (node rule plus its sparsity cut by width)."""
SPACES: tuple[Space, ...] = ("whole", "node rule", "paper")
NetAblation = Literal["zero", "mean", "interchange"]
NET_ABLATIONS: tuple[NetAblation, ...] = ("zero", "mean", "interchange")

Estimator = Literal["auto", "exact", "monte-carlo", "splitting", "strata"]
ESTIMATORS: tuple[Estimator, ...] = ("auto", "exact", "monte-carlo", "splitting", "strata")
"""`auto`: exact where that is feasible, else Monte Carlo."""


@dataclass(frozen=True, repr=False)
class Count(Shown):
    """A number of explanations, and whether it was counted, estimated or only bounded."""

    name: str
    value: float | int
    """Python integer when exact: counts pass 2^53 from width 6 on."""
    known: Known
    space: Space = "whole"
    low: float = float("nan")
    high: float = float("nan")
    level: float = 0.95
    n: int = 0
    """Draws an estimate rests on; 0 when exact."""
    how: str = ""
    """`branch and count`, `Monte Carlo, Wilson interval`, ..."""

    @property
    def bits(self) -> float:
        """log2 of the count: 0 means unique, minus infinity that nothing fits."""
        return log2(self.value) if self.value > 0 else float("-inf")

    def _facts(self) -> Mapping[str, object]:
        exact = self.known == "exact"
        value = f"{self.value:,}" if exact else number(self.value, self.low, self.high)
        return {self.name: value, "space": self.space, "known": self.known}

    def _details(self) -> Mapping[str, object]:
        return {"bits": number(self.bits), "how": self.how}

    def __str__(self) -> str:
        if self.known == "exact":
            return f"{self.name}: {self.value:,} ({self.space} space, exact)"
        if self.known == "lower bound":
            return f"{self.name}: at least {self.value:,.6g} ({self.space} space, lower bound)"
        interval = f"{self.low:,.4g} to {self.high:,.4g}, {self.level:.0%}"
        return f"{self.name}: {self.value:,.4g} [{interval}] ({self.space} space, estimate)"


@dataclass(frozen=True)
class Criterion:
    """When a circuit counts as explaining the net: a box for the output on every input row."""

    key: Literal["label", "threshold", "delta"] = "label"
    """`label`: the rounded output equals the label (half to even, as in the released code).
    `threshold`: output above 0.5 exactly when the label is 1. `delta`: within `delta` of the full
    net on every row."""
    delta: float = float("nan")
    at: Literal["pre-activation", "output"] = "pre-activation"
    """Where `delta` is measured: before or after the output LeakyReLU. The counts differ."""

    @property
    def title(self) -> str:
        """The criterion in words."""
        return f"within {self.delta:g} of the net ({self.at})" if self.key == "delta" else self.key
