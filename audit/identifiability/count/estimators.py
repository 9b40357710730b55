"""Number of valid circuits in every space, by the estimator that was asked for.

Exact counts, plain draws, splitting and size strata answer one question at different prices; each
`Count` says which of them it came from and whether it is exact, an estimate or a lower bound.
"""

from collections.abc import Sequence

import numpy as np

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import estimate_valid
from circuitvar.audit.identifiability.count.size_strata import (
    sparse_sizes,
    total_of_sizes,
    valid_by_size,
)
from circuitvar.audit.identifiability.count.splitting import split_spaces
from circuitvar.audit.identifiability.nets import (
    ESTIMATORS,
    SPACES,
    Count,
    Estimator,
    Question,
    Space,
    count_topologies,
)

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
    return max(widths[1:-1]) <= EXACT_WIDTH and count_topologies(widths) <= EXACT_TOPOLOGIES


def resolve(estimator: Estimator, widths: Sequence[int]) -> Estimator:
    """The estimator that is used for a net of these widths: what `auto` means there.

    Raises
    ------
    ValueError
        Unknown estimator, or exact counts of a net too large for them.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; use one of {', '.join(ESTIMATORS)}")
    feasible = counts_exactly(widths)
    if estimator == "exact" and not feasible:
        raise ValueError(
            f"a net of widths {tuple(widths)} has {count_topologies(widths):.2g} circuits, too "
            "many to count exactly; use the estimator monte-carlo, splitting or strata"
        )
    if estimator == "auto":
        return "exact" if feasible else "monte-carlo"
    return estimator


def count_by(
    question: Question,
    estimator: Estimator,
    *,
    draws: int = 400_000,
    spaces: Sequence[Space] = SPACES,
    rng: np.random.Generator,
) -> tuple[Count, ...]:
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
    found: list[Count] = []
    for space in spaces:
        sizes = valid_by_size(question, exact_up_to=sparse, n=draws, space=space, rng=rng)
        found += total_of_sizes(sizes, space=space)
    return tuple(found)
