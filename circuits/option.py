"""Fields that a user can set: `n: Annotated[int, Option("Prompts.", range=Range(least=8))] = 100`.

The command line is made from such fields: type, default, range and help of an option stand there
and nowhere else. Another record repeats an option by its alias and `Record.field` as the default.
"""

from dataclasses import dataclass, fields
from math import inf
from typing import Annotated, Any

COMMON = "Common"
VARIED = "What is varied"
STATISTICS = "Statistics"
MODEL = "Model"
OUTPUT = "Output"
PANELS = (COMMON, VARIED, STATISTICS, MODEL, OUTPUT)
"""Groups of the help, in its order."""


@dataclass(frozen=True)
class Range:
    """Numbers that an option takes; `above` and `below` are not among them."""

    least: float = -inf
    most: float = inf
    above: float = -inf
    below: float = inf

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        low = f"{self.least:g} or more" if self.least > -inf else ""
        low = f"more than {self.above:g}" if self.above > -inf else low
        high = f"at most {self.most:g}" if self.most < inf else ""
        high = f"less than {self.below:g}" if self.below < inf else high
        return " and ".join(part for part in (low, high) if part)

    def refusal(self, name: str, value: float) -> str:
        """The sentence about a value outside.

        >>> Range(least=1).refusal("steps", 0)
        'steps = 0 is too small; use 1 or more'
        """
        small = value < self.least or value <= self.above
        return f"{name} = {value} is too {'small' if small else 'large'}; use {self}"


AT_LEAST_0 = Range(least=0)
AT_LEAST_1 = Range(least=1)


@dataclass(frozen=True)
class Option:
    """What a user reads about a field."""

    help: str
    panel: str = VARIED
    range: Range | None = None
    flags: tuple[str, ...] = ()
    """As typed, where that is not the name of the field, e.g. `--quiet`, `-q`."""
    keys: str = ""
    """What its values name, for completion: task, method, metric, model or ablation."""
    formerly: str = ""
    """The name it had; refused with a sentence."""


def options_of(record: type) -> dict[str, Option]:
    """Field -> what a user reads about it, for the fields that are options."""
    return {
        field.name: fact
        for field in fields(record)
        for fact in getattr(field.type, "__metadata__", ())
        if isinstance(fact, Option)
    }


def check_ranges(record: Any) -> None:
    """Refuse a record with a number outside the range of its field.

    Raises
    ------
    ValueError
        Names the field, its value and the range.
    """
    for name, about in options_of(type(record)).items():
        value = getattr(record, name)
        if about.range and value is not None and value not in about.range:
            raise ValueError(about.range.refusal(name, value))


Method = Annotated[
    str,
    Option("Method key (see `circuitvar methods`) or `module:attribute`.", COMMON, keys="method"),
]
Metric = Annotated[
    str | None, Option("Metric key; the task's own if omitted.", COMMON, keys="metric")
]
Corruption = Annotated[
    str | None, Option("How corrupted twins are made; the task's first if omitted.")
]
Steps = Annotated[int, Option("Integration steps of eap-ig methods.", range=AT_LEAST_1)]
Signed = Annotated[bool, Option("Rank by signed score instead of |score|.")]
Seed = Annotated[int, Option("Seed of every random draw.", COMMON, AT_LEAST_0)]
