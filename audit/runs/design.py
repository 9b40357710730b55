"""What is varied and how it is crossed: facets, designs, and the runs they ask for.

Varying one thing at a time hides interactions and understates joint variation (Jaccard .53 to .91
where joint draws give .37 to .56), so it is offered for comparison, not as the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from circuitvar.circuits.items import item_name

Level = str | int | float | bool | None
Crossing = Literal["one-at-a-time", "full", "sampled"]
Effect = tuple[str, ...]
_ENUMERABLE = 10**6


@dataclass(frozen=True)
class Facet:
    """One thing that could have been otherwise. The first level is the default."""

    name: str
    levels: tuple[Level, ...]
    random: bool = False
    """True when the levels are a sample of many (data sets, seeds, templates) and not the only
    ones of interest (methods, ablations)."""


@dataclass(frozen=True)
class Design:
    """Facets, how they are crossed, and how often each cell is run."""

    facets: tuple[Facet, ...]
    crossing: Crossing = "full"
    draws: int = 0
    """Joint draws of a sampled design."""
    replicates: int = 1
    seed: int = 0
    together: tuple[Effect, ...] = ()
    """Groups of facets that a one-at-a-time design crosses in full among themselves."""

    def __post_init__(self) -> None:
        names = [facet.name for facet in self.facets]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"facets are {names}; give at least one, each with its own name")
        for facet in self.facets:
            if not facet.levels or len(set(map(repr, facet.levels))) != len(facet.levels):
                raise ValueError(f"facet {facet.name!r} needs at least one level, none twice")
        if self.replicates < 1:
            raise ValueError(f"replicates is {self.replicates}; use 1 or more")
        if (self.crossing == "sampled") != (self.draws > 0):
            raise ValueError(
                f"a {self.crossing} design with draws = {self.draws}; draws belong to sampled "
                "designs, and those need at least 1"
            )
        grouped = [name for group in self.together for name in group]
        if set(grouped) - set(names) or len(set(grouped)) < len(grouped):
            raise ValueError(
                f"together is {[list(group) for group in self.together]}; name facets of the "
                f"design ({', '.join(names)}), none twice"
            )
        if grouped and self.crossing != "one-at-a-time":
            raise ValueError(
                f"together belongs to one-at-a-time designs; a {self.crossing} design crosses "
                "every facet with every other"
            )


@dataclass(frozen=True)
class RunKey:
    """One run: a level of every facet and a replicate number."""

    levels: tuple[tuple[str, Level], ...]
    replicate: int = 0
    context: str = ""
    """Digest of everything the runs share: task, model, settings, data."""

    @property
    def identity(self) -> dict[str, object]:
        """What the run follows from, as its item in the store is named."""
        return {"context": self.context, "levels": dict(self.levels), "replicate": self.replicate}

    @cached_property
    def digest(self) -> str:
        """Content hash: sha256 of the sorted JSON. The same run has the same name everywhere.

        >>> RunKey((("method", "eap"),)).digest[:8]
        'a7d38f29'
        """
        return item_name(self.identity)

    def rng(self) -> np.random.Generator:
        """The run's own random stream, whatever the order or number of workers."""
        return np.random.default_rng(int(self.digest[:32], 16))


def run_keys(design: Design, *, context: str = "") -> tuple[RunKey, ...]:
    """Every run of a design, in a fixed order.

    >>> d = Design((Facet("method", ("eap", "exact")), Facet("data", (0, 1, 2), random=True)))
    >>> len(run_keys(d)), dict(run_keys(d)[-1].levels)
    (6, {'method': 'exact', 'data': 2})
    """
    names = [facet.name for facet in design.facets]
    levels = [facet.levels for facet in design.facets]
    if design.crossing == "full":
        cells = list(product(*levels))
    elif design.crossing == "one-at-a-time":
        alone = tuple((n,) for n in names if not any(n in group for group in design.together))
        cells = _blocks(levels, [[names.index(n) for n in g] for g in (*design.together, *alone)])
    else:
        cells = _joint_draws(levels, design.draws, rng=np.random.default_rng(design.seed))
    seen: dict[tuple[Level, ...], int] = {}
    keys = []
    for cell in cells:
        for _ in range(design.replicates):
            replicate = seen.setdefault(cell, 0)
            seen[cell] += 1
            keys.append(RunKey(tuple(zip(names, cell, strict=True)), replicate, context))
    return tuple(keys)


def _blocks(
    levels: Sequence[tuple[Level, ...]], groups: list[list[int]]
) -> list[tuple[Level, ...]]:
    """The default cell, then every other combination within each group, the rest at default."""
    default = tuple(choices[0] for choices in levels)
    cells = [default]
    for group in sorted(groups):
        for chosen in list(product(*(levels[i] for i in group)))[1:]:
            cell = dict(enumerate(default)) | dict(zip(group, chosen, strict=True))
            cells.append(tuple(cell.values()))
    return cells


def _joint_draws(
    levels: Sequence[tuple[Level, ...]], draws: int, *, rng: np.random.Generator
) -> list[tuple[Level, ...]]:
    """Random cells of the full grid; none comes again before every other one was drawn."""
    shape = tuple(map(len, levels))
    number = prod(shape)
    if number > _ENUMERABLE:  # Collisions are rare there.
        return [tuple(c[rng.integers(len(c))] for c in levels) for _ in range(draws)]
    order = np.concatenate([rng.permutation(number) for _ in range(-(-draws // number))])[:draws]
    return [
        tuple(choices[i] for choices, i in zip(levels, cell, strict=True))
        for cell in zip(*np.unravel_index(order, shape), strict=True)
    ]
