"""Multilevel splitting: the number of valid circuits when plain draws would never hit one.

The target box is approached through nested, larger boxes: a population of circuits is kept inside
the current box by Markov moves, its best share defines the next box, and the shares multiply
(Kahn and Harris 1951; Botev and Kroese 2008 for counting).
"""

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count.list_valid import inside
from circuitvar.circuits.intervals import t_quantile

MAX_LEVELS = 60


def split_spaces(
    question: nets.Question,
    *,
    n: int = 2_000,
    repeats: int = 8,
    moves: int = 30,
    keep: float = 0.25,
    level: float = 0.95,
    rng: np.random.Generator,
) -> tuple[nets.Count, ...]:
    """Number of valid circuits in every space, the whole one first, by multilevel splitting.

    Levels are distances from the box, chosen from the data, so one run is slightly biased and its
    circuits are dependent: the interval is a Student t over `repeats` independent runs. A run that
    stops short of the box counts as zero; where all do, the interval is 0 to everything.

    The circuits a run ends with are valid and spread over the whole space; the share of them
    inside a smaller space scales the run's estimate.

    Raises
    ------
    ValueError
        Fewer than two repeats, or `keep` outside (0, 1).
    """
    if repeats < 2 or not 0 < keep < 1:
        raise ValueError(f"need at least 2 repeats and 0 < keep < 1; got {repeats} and {keep}")
    widths = question.net.widths
    total = nets.count_topologies(widths)
    values = np.zeros((repeats, len(nets.SPACES)))
    for run, stream in enumerate(rng.spawn(repeats)):
        share, kept = _one_run(question, n, moves, keep, stream)
        if share:
            values[run] = [total * share * inside(question, kept, s).mean() for s in nets.SPACES]
    t = t_quantile(repeats - 1, level)
    how = f"multilevel splitting, {repeats} runs of {n}, t interval"
    counts = []
    for space, of_runs in zip(nets.SPACES, values.T, strict=True):
        everything = float(nets.count_topologies(widths, space))
        mean, half = float(of_runs.mean()), t * float(of_runs.std(ddof=1)) / np.sqrt(repeats)
        # No run that arrived says nothing about how many there are.
        high = mean + half if of_runs.any() else everything
        known = mean, "estimate", space, max(0.0, mean - half), high, level, repeats, how
        counts.append(nets.Count("valid circuits", *known))
    return tuple(counts)


def distance_from_box(
    question: nets.Question, kept: Bool[np.ndarray, "circuit edge"]
) -> Float[np.ndarray, " circuit"]:
    """How far the worst row of each circuit lies outside the box; 0 when it is valid."""
    out = nets.run_circuits(question.net, kept, question.rows, question.fill)[-1][..., 0]
    outside = np.maximum(question.low - out, out - question.high)
    return np.maximum(outside, 0.0).max(axis=1)


def _one_run(
    question: nets.Question, n: int, moves: int, keep: float, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Estimated share of valid circuits, and the valid circuits that the run ended with."""
    kept = nets.draw_topologies(question.net.widths, n, rng=rng)
    distance = distance_from_box(question, kept)
    share = 1.0
    for _ in range(MAX_LEVELS):
        box = float(np.quantile(distance, keep, method="lower"))
        inside = distance <= box
        share *= float(inside.mean())
        if box == 0:
            return share, kept[inside]
        picked = rng.choice(np.flatnonzero(inside), size=n)
        kept, moved = _walk(question, kept[picked], distance[picked], box, moves, rng)
        if not (moved < box).any():
            return 0.0, kept[:0]
        distance = moved
    return 0.0, kept[:0]


def _walk(question: nets.Question, kept, distance, box: float, moves: int, rng):
    """Flip one to three edges per move; stay unless the result is a circuit inside the box."""
    last = question.net.weights[-1].size
    flips = kept.shape[1] - last
    for _ in range(moves):
        proposal = kept.copy()
        number = rng.integers(1, 4, size=len(kept))
        for step in range(3):
            rows = np.flatnonzero(number > step)
            column = rng.integers(flips, size=len(rows))
            proposal[rows, column] ^= True
        # The edge to the output follows from the node being active.
        proposal[:, flips:] = nets.layer_masks(proposal, question.net.widths)[-2].any(axis=2)
        fine = np.flatnonzero(nets.is_topology(proposal, question.net.widths))
        there = distance_from_box(question, proposal[fine])
        fine, there = fine[there <= box], there[there <= box]
        kept[fine], distance[fine] = proposal[fine], there
    return kept, distance
