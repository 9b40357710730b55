"""Number of valid circuits in every space, by the estimator that was asked for.

Exact counts, plain draws, splitting and size strata answer one question at different prices; each
`Count` says which of them it came from and whether it is exact, an estimate or a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import (
    estimate_valid,
    sparse_sizes,
    total_of_sizes,
    valid_by_size,
)
from circuitvar.audit.identifiability.count.splitting import split_spaces
from circuitvar.tasks.lookup import unknown

EXACT_WIDTH = 5
"""Widest net counted exactly (depth 2): seconds; width 6 takes minutes, so it is estimated."""
EXACT_TOPOLOGIES = 10**10
"""Largest space counted exactly: width 5 at depth 2 has 7e9, width 4 at depth 3 has 2e11."""
DRAWS_PER_RUN = 200
"""Splitting runs hold one circuit for so many Monte Carlo draws: about the same price."""


def counts_exactly(widths: Sequence[int]) -> bool:
    """Whether every number of a net of these widths can be counted in seconds.

    >>> counts_exactly((2, 5, 5, 1)), counts_exactly((2, 6, 6, 1))
    (True, False)
    """
    return max(widths[1:-1]) <= EXACT_WIDTH and nets.count_topologies(widths) <= EXACT_TOPOLOGIES


def resolve(estimator: nets.Estimator, widths: Sequence[int]) -> nets.Estimator:
    """The estimator that is used for a net of these widths: what `auto` means there.

    Raises
    ------
    ValueError
        Unknown estimator, or exact counts of a net too large for them.
    """
    if estimator not in nets.ESTIMATORS:
        raise unknown("estimator", estimator, nets.ESTIMATORS)
    feasible = counts_exactly(widths)
    if estimator == "exact" and not feasible:
        raise ValueError(
            f"a net of widths {tuple(widths)} has {nets.count_topologies(widths):.2g} circuits, "
            "too many to count exactly; use the estimator monte-carlo, splitting or strata"
        )
    if estimator == "auto":
        return "exact" if feasible else "monte-carlo"
    return estimator


def count_by(
    question: nets.Question,
    estimator: nets.Estimator,
    *,
    draws: int = 400_000,
    spaces: Sequence[nets.Space] = nets.SPACES,
    rng: np.random.Generator,
) -> tuple[nets.Count, ...]:
    """Valid circuits in each of `spaces`.

    `draws` is the number of Monte Carlo draws per space; splitting takes 8 runs of a 200th of it
    (at least 100 circuits). `strata` adds a row `valid circuits, at least` (lower bound) per space.

    Raises
    ------
    ValueError
        Unknown estimator, or a net too large for exact counts or for listing its sparse circuits.

    >>> from circuitvar.audit.identifiability.nets.boolean_net import make_net
    >>> from circuitvar.audit.identifiability.nets import pose
    >>> net = make_net([np.ones((2, 1)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    >>> print(count_by(pose(net, [0, 1]), "auto", rng=np.random.default_rng(0))[0])
    valid circuits: 2 (whole space, exact)
    """
    widths = question.net.widths
    estimator = resolve(estimator, widths)
    if estimator == "exact":
        counted = count_valid(question)
        return tuple(counted.count(space) for space in spaces)
    if estimator == "splitting":
        split = split_spaces(question, n=max(100, draws // DRAWS_PER_RUN), rng=rng)
        return tuple(count for count in split if count.space in spaces)
    if estimator == "monte-carlo":
        return tuple(estimate_valid(question, n=draws, space=s, rng=rng) for s in spaces)
    sparse = sparse_sizes(widths)
    found: list[nets.Count] = []
    for space in spaces:
        sizes = valid_by_size(question, exact_up_to=sparse, n=draws, space=space, rng=rng)
        found += total_of_sizes(sizes, space=space)
    return tuple(found)


@dataclass(frozen=True)
class NetOptions:
    """What is counted for each net."""

    ablations: tuple[nets.NetAblation, ...] = nets.NET_ABLATIONS
    """What a removed edge carries."""
    deltas: tuple[float, ...] = (1e-6, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5)
    """Distances from the net within which circuits are counted, for the tolerance curve."""
    interpretations: bool = True
    """Exact at width 3 and below, over all valid circuits of both spaces; wider nets, and more than
    20,000 valid circuits, get the median over sampled valid circuits."""
    mappings: bool = True
    """Whether algorithms are mapped onto the net."""
    variants: tuple[str, ...] = ("all pairs", "paper")
    """Tests that a mapping has to pass, counted one beside the other; see `valid_mappings`."""
    draws: int = 400_000
    """Monte Carlo draws where counting is out of reach."""
    samples: int = 400
    """Valid circuits sampled, and discovery re-runs, for the overlap comparison; 0 skips it."""
    criterion: nets.Criterion = field(default_factory=nets.Criterion)
    """When a circuit is valid."""
    iia: bool = False
    """Valid circuits must also agree with the net under every interchange intervention; no
    interpretations and overlaps then. Zero or mean ablation."""
    estimator: nets.Estimator = "auto"
    """How circuits are counted; `auto` is exact where that is feasible, else Monte Carlo."""

    @property
    def title(self) -> str:
        """The criterion in words."""
        return self.criterion.title + (", IIA 1" if self.iia else "")


def check_options(options: NetOptions, widths: Sequence[int]) -> None:
    """Refuse what is not defined before any net is trained.

    Raises
    ------
    ValueError
        A negative delta, no or unknown ablations, draws below 1, exact counts of a large net, or
        IIA with interchange ablation, splitting or strata.
    """
    criterion = options.criterion
    if criterion.key == "delta" and not criterion.delta >= 0:
        raise ValueError(f"delta must be 0 or more; got {criterion.delta}")
    if not options.ablations or not set(options.ablations) <= set(nets.NET_ABLATIONS):
        raise ValueError(
            f"ablations must be some of {', '.join(nets.NET_ABLATIONS)}; got {options.ablations}"
        )
    if options.draws < 1:
        raise ValueError(f"need at least 1 draw; got {options.draws}")
    if options.iia and "interchange" in options.ablations:
        raise ValueError("criterion iia builds its own interchanges; use zero or mean ablation")
    if options.iia and options.estimator in ("splitting", "strata"):
        raise ValueError(
            f"criterion iia cannot be counted by {options.estimator}; "
            "use auto, exact or monte-carlo"
        )
    resolve(options.estimator, widths)
