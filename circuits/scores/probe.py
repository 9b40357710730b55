"""Is a scoring function a function of each example? Tried on a few prompts before it is believed.

A method that standardises over its batch, draws random numbers without a seed, or has another unit
than it says gives scores that look stable or accurate and are neither.
"""

from dataclasses import dataclass, replace

import numpy as np

from circuitvar.circuits.model import Model
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import Method, ScoreOptions
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Metric

PROMPTS = 4
"""Prompts that are scored five times."""
SAME = 1e-3
"""Largest difference, as a share of the largest |score|, that rounding explains."""
SCALE = (1 / 3, 3.0)
"""Slope of a method in metric units on exact effects: outside it is another unit."""
EDGES = 64
"""Edges patched exactly for the slope: the strongest of the method."""


@dataclass(frozen=True)
class Probe:
    """What a few prompts show about a method."""

    refused: tuple[str, ...] = ()
    """Why its scores are of no single example or of no one call, in words; empty if they are."""
    slope: float = 1.0
    """Its scores over exact effects on its strongest edges; 1 where they are not comparable."""

    @property
    def scale(self) -> str:
        """What is wrong with the size of the scores; empty if nothing is."""
        if SCALE[0] <= self.slope <= SCALE[1]:
            return ""
        return (
            f"scores are {self.slope:.2g} times the exact effects of the strongest edges: divide "
            'them, or say `unit="native"` in the record of the method'
        )


def probe_method(
    model: Model,
    batch: Batch,
    method: Method,
    *,
    metric: Metric,
    options: ScoreOptions | None = None,
    exact: Method | None = None,
) -> Probe:
    """Score a few prompts together, again, in another order and alone.

    With the `exact` method the size of scores in metric units is held to that of exact effects.

    Raises
    ------
    ValueError
        As `score_edges`: scores of another shape, or not finite.
    """
    options = options or ScoreOptions()
    few = take(batch, slice(0, PROMPTS))

    def scores(rows: np.ndarray) -> np.ndarray:
        part = take(few, rows)
        return score_edges(model, part, method, metric=metric, options=options).values

    every = np.arange(len(few))
    first = scores(every)
    size = float(np.abs(first).max())

    def differs(other: np.ndarray) -> bool:
        return float(np.abs(other - first).max()) > SAME * size

    refused = []
    if differs(scores(every)):
        refused.append("two calls on the same prompts differ: draw from `options.seed` alone")
    else:
        if differs(scores(every[::-1])[::-1]):
            refused.append("scores depend on the order of the prompts")
        if differs(np.concatenate([scores(every[[i]]) for i in every])):
            refused.append("scores of a prompt depend on the others of its batch")
    comparable = method.unit == "metric" and not (method.exact or options.edges or options.role)
    if refused or exact is None or not comparable:
        return Probe(tuple(refused))
    mean = first.mean(axis=0, dtype=np.float64)
    columns = np.sort(np.argsort(-np.abs(mean), kind="stable")[:EDGES])
    some = replace(options, edges=tuple(columns.tolist()))
    effects = score_edges(model, few, exact, metric=metric, options=some).mean
    square = float((effects**2).sum())
    return Probe(slope=float((mean[columns] * effects).sum()) / square if square else 1.0)
