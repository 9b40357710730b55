"""What is varied and how it is crossed: facets, designs, and the runs they ask for.

Varying one thing at a time hides interactions and understates joint variation (Jaccard .53 to .91
where joint draws give .37 to .56), so it is offered for comparison, not as the default.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from circuitvar.audit.variance import cross, moment_components

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

    @cached_property
    def digest(self) -> str:
        """Content hash: sha256 of the sorted JSON. The same run has the same name everywhere.

        >>> RunKey((("method", "eap"),)).digest[:8]
        'a7d38f29'
        """
        record = {"context": self.context, "levels": dict(self.levels), "replicate": self.replicate}
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

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


def labels_of(keys: Sequence[RunKey], effect: Effect) -> np.ndarray:
    """Level of a facet, or of an interaction of facets, in every run."""
    return cross(*[[dict(key.levels)[name] for key in keys] for name in effect])


def require_identifiable(
    design: Design, effects: Sequence[Effect], *, keys: Sequence[RunKey] | None = None
) -> None:
    """Refuse a design whose runs cannot tell the asked effects from each other and from noise.

    `keys`: the runs that are left where some cells are not defined; default all.

    Raises
    ------
    ValueError
        Names the effect and what to change.
    """
    by_name = {facet.name: facet for facet in design.facets}
    for effect in effects:
        name = " x ".join(effect)
        for facet in effect:
            if facet not in by_name:
                raise ValueError(f"no facet {facet!r}; the design has {', '.join(by_name)}")
            if len(by_name[facet].levels) < 2:
                raise ValueError(
                    f"{name} cannot be estimated: {facet!r} has one level; give it at least 2"
                )
        grouped = any(set(effect) <= set(group) for group in design.together)
        if len(effect) > 1 and design.crossing == "one-at-a-time" and not grouped:
            raise ValueError(
                f"{name} cannot be estimated by a one-at-a-time design, which never changes two "
                "facets together; use crossing 'full' or 'sampled', or name them in `together`"
            )
        if (
            design.crossing == "full"
            and design.replicates == 1
            and len(effect) == sum(len(facet.levels) > 1 for facet in design.facets)
        ):
            raise ValueError(
                f"{name} cannot be told from noise: each cell is run once; use replicates = 2"
            )
    keys = run_keys(design) if keys is None else keys
    if not effects:
        return
    factors = {" x ".join(effect): labels_of(keys, effect) for effect in effects}
    levels = [[len(by_name[facet].levels) - 1 for facet in effect] for effect in effects]
    few = _too_few(len(keys), 2 + sum(map(prod, levels))) if design.crossing == "sampled" else ""
    try:
        moment_components(np.zeros((len(keys), 1)), factors)
    except ValueError as error:
        raise ValueError(
            f"{', '.join(factors)} are confounded in {few}" if few else error
        ) from None
    indicators = np.concatenate([np.eye(code.max() + 1)[code] for code in factors.values()], axis=1)
    if np.linalg.matrix_rank(indicators) >= len(keys):
        raise ValueError(
            f"{', '.join(factors)} are confounded with noise in {few}"
            if few
            else f"{', '.join(factors)} use up all {len(keys)} runs, so they are confounded with "
            "noise; use replicates = 2 or more draws"
        )


def _too_few(draws: int, needed: int) -> str:
    if draws < needed:
        return (
            f"{draws} draws, which are too few: to tell them apart and from noise takes at least "
            f"{needed}; raise draws"
        )
    return f"these {draws} draws; raise draws, or take another seed"
