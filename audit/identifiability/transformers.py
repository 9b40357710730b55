"""How many circuits around a discovered one behave alike: test the edges nearest the cut.

Whole-model counting is out of reach for transformers, so confident edges are frozen (high scores
on, low scores off) and every subset of the `m` edges nearest the cut is run. Works on any callable
that maps edge masks to behaviour values; knows nothing about models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from circuitvar.audit.identifiability.count import estimate_of_share
from circuitvar.audit.identifiability.nets import Count
from circuitvar.audit.types import Outcome
from circuitvar.tasks.shown import Shown, number

Behaviour = Callable[[Bool[np.ndarray, "mask edge"]], Float[np.ndarray, " mask"]]
Canonical = Callable[[Bool[np.ndarray, "mask edge"]], Bool[np.ndarray, "mask edge"]]
EXHAUSTIVE = 14
"""Most free edges of which all masks are run."""
BATCH = 256
"""Masks whose behaviour is asked for at once."""


@dataclass(frozen=True)
class Cut:
    """Where the edges that are freed lie, and which masks of them fit."""

    size: int
    """Edges of the circuit."""
    epsilon: float
    """Allowed distance from the target, in units of the behaviour."""
    m: int = 12
    """Edges freed: all 2^m masks are run up to 14, `n` uniform draws of them above."""
    n: int = 4096
    """Masks drawn where not all are run."""


@dataclass(frozen=True, eq=False, repr=False)
class MaskSearch(Shown):
    """Every mask that was run around a cut, and which behave like the target."""

    free: Int[np.ndarray, " free"]
    """Columns of the edges nearest the cut, best score first."""
    circuit: Bool[np.ndarray, " edge"]
    """The circuit at the cut."""
    masks: Bool[np.ndarray, "mask edge"]
    values: Float[np.ndarray, " mask"]
    within: Bool[np.ndarray, " mask"]
    """Behaviour within epsilon of the target."""
    target: float
    epsilon: float
    count: Count
    """Masks within epsilon, among the 2^m (exact, or an estimate from uniform draws)."""
    distinct: int
    """Different circuits among the masks within epsilon after dangling edges are removed; with
    sampled masks only those seen."""
    outcome: Outcome
    """`no compression` where the circuit is the whole model, whatever the counts say; `fail` =
    more than one circuit fits; `pass` = exactly one, all masks tested; else `undecided`."""

    def _facts(self) -> Mapping[str, object]:
        fitting = f"{int(self.within.sum())} of {len(self.within)}"
        return {"outcome": self.outcome, "masks that fit": fitting, "free edges": len(self.free)}

    def _details(self) -> Mapping[str, object]:
        target = f"{number(self.target)} within {number(self.epsilon)}"
        return {"target": target, "distinct circuits": self.distinct, "count": str(self.count)}

    @property
    def share(self) -> float:
        """Share of the masks that behave like the target."""
        return float(self.within.mean())

    @property
    def inclusion(self) -> Float[np.ndarray, " free"]:
        """Share of fitting masks that keep each free edge; NaN when none fits."""
        if not self.within.any():
            return np.full(len(self.free), np.nan)
        return self.masks[self.within][:, self.free].mean(axis=0)

    @property
    def forced_on(self) -> Int[np.ndarray, " edge"]:
        """Free edges that every fitting mask keeps."""
        return self.free[self.inclusion == 1]

    @property
    def forced_off(self) -> Int[np.ndarray, " edge"]:
        """Free edges that no fitting mask keeps."""
        return self.free[self.inclusion == 0]


def search_masks(
    behaviour: Behaviour,
    scores: Float[np.ndarray, " edge"],
    cut: Cut,
    *,
    target: float | None = None,
    canonical: Canonical | None = None,
    rng: np.random.Generator,
) -> MaskSearch:
    """Run all subsets of the `m` edges nearest the cut of the top `size` edges by |score|.

    Half of the free edges come from each side of the cut where there are enough. Where not all 2^m
    masks are run, uniform draws give an estimate with a Wilson interval. `target` defaults to the
    behaviour of the full model (every edge kept). `canonical` maps masks to what they amount to
    (e.g. dangling edges removed), so that masks that only differ in edges without effect are not
    reported as different circuits.

    Raises
    ------
    ValueError
        NaN scores or behaviour, a size or m outside the number of edges, bad epsilon.

    >>> found = search_masks(lambda k: k[:, 0] * 1.0, np.array([3.0, 2.0, 1.0]),
    ...                      Cut(size=2, epsilon=0.1, m=2), rng=np.random.default_rng(0))
    >>> found.count.value, found.outcome
    (4, 'fail')
    """
    scores = np.asarray(scores, dtype=np.float64)
    size, m = cut.size, cut.m
    _check(scores, size, m, cut.epsilon)
    order = np.argsort(-np.abs(scores), kind="stable")
    start = min(max(size - m // 2, 0), len(scores) - m)
    free = order[start : start + m]
    circuit = np.zeros(len(scores), dtype=bool)
    circuit[order[:size]] = True
    exhaustive = m <= EXHAUSTIVE
    masks = _masks(circuit, free, None if exhaustive else cut.n, rng)
    values = _run(behaviour, masks)
    if target is None:
        target = float(_run(behaviour, np.ones((1, len(scores)), dtype=bool))[0])
    within = np.abs(values - target) <= cut.epsilon
    fitting = masks[within] if canonical is None else canonical(masks[within])
    distinct = len(np.unique(fitting, axis=0)) if len(fitting) else 0
    count, outcome = _count(within, m, exhaustive), _outcome(circuit, distinct, exhaustive)
    return MaskSearch(
        free, circuit, masks, values, within, target, cut.epsilon, count, distinct, outcome
    )


def _check(scores: np.ndarray, size: int, m: int, epsilon: float) -> None:
    if np.isnan(scores).any():
        raise ValueError(f"score of edge {int(np.flatnonzero(np.isnan(scores))[0])} is NaN")
    if not 1 <= size <= len(scores) or not 1 <= m <= min(len(scores), 62):
        raise ValueError(
            f"size {size} and m {m} must be at least 1 and fit {len(scores)} edges (m at most 62)"
        )
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be 0 or more, in units of the behaviour; got {epsilon}")


def _masks(circuit: np.ndarray, free: np.ndarray, n: int | None, rng) -> np.ndarray:
    m = len(free)
    codes = np.arange(2**m) if n is None else rng.integers(0, 2**m, size=n)
    masks = np.repeat(circuit[None], len(codes), axis=0)
    masks[:, free] = (codes[:, None] >> np.arange(m)) & 1
    return masks


def _run(behaviour: Behaviour, masks: np.ndarray) -> np.ndarray:
    parts = [np.asarray(behaviour(masks[i : i + BATCH])) for i in range(0, len(masks), BATCH)]
    values = np.concatenate(parts).astype(np.float64)
    if values.shape != (len(masks),):
        raise ValueError(
            f"behaviour must give one value per mask; got {values.shape} for {len(masks)}"
        )
    if np.isnan(values).any():
        raise ValueError(
            f"behaviour of mask {int(np.flatnonzero(np.isnan(values))[0])} is NaN; "
            "check the metric on that circuit"
        )
    return values


def _count(within: np.ndarray, m: int, exhaustive: bool) -> Count:
    hits = int(within.sum())
    name = f"masks of the {m} edges nearest the cut"
    if exhaustive:
        return Count(name, hits, "exact", how="all masks run")
    return estimate_of_share(name, hits, len(within), 2**m)


def _outcome(circuit: np.ndarray, distinct: int, exhaustive: bool) -> Outcome:
    if circuit.all():
        return "no compression"
    if distinct > 1:
        return "fail"
    return "pass" if exhaustive and distinct == 1 else "undecided"


Select = Callable[[Float[np.ndarray, " edge"], int], Bool[np.ndarray, " edge"]]
"""Strengths and a size -> the edges kept (top-n, top-n with pruning, a connected greedy, ...)."""


def top_n(strength: Float[np.ndarray, " edge"], n: int) -> Bool[np.ndarray, " edge"]:
    """The n strongest edges; ties to the earlier column.

    >>> top_n(np.array([1.0, 3.0, 2.0]), 2).tolist()
    [False, True, True]
    """
    kept = np.zeros(len(strength), dtype=bool)
    kept[np.argsort(-strength, kind="stable")[:n]] = True
    return kept


def find_rivals(
    behaviour: Behaviour,
    scores: Float[np.ndarray, " edge"],
    circuit: Bool[np.ndarray, " edge"],
    *,
    epsilon: float,
    penalties: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
    growth: Sequence[float] = (1.0, 1.5, 2.0, 3.0),
    target: float | None = None,
    select: Select = top_n,
) -> pd.DataFrame:
    """One row per penalty: the smallest selection that behaves like the target, if any.

    Edges of `circuit` enter the selection with |score| (1 - penalty); sizes go through `growth`
    times the circuit's own until the behaviour is within `epsilon` of `target` (default: the full
    model's). Columns: penalty, size, value, within, jaccard with the circuit, reuse (share of the
    circuit's edges used again), no_compression (the rival is the whole model, hence no rival),
    rival (within, not the circuit itself, not the whole model), kept (the mask).

    Not finding a rival is no proof of uniqueness: the search is greedy.

    Raises
    ------
    ValueError
        Penalties outside [0, 1], an empty circuit.
    """
    scores, circuit = np.abs(np.asarray(scores, dtype=np.float64)), np.asarray(circuit, dtype=bool)
    if not circuit.any():
        raise ValueError("the circuit keeps no edge; there is nothing to rival")
    if min(penalties) < 0 or max(penalties) > 1:
        raise ValueError(f"penalties must be between 0 and 1; got {tuple(penalties)}")
    if target is None:
        target = float(behaviour(np.ones((1, len(scores)), dtype=bool))[0])
    rows = []
    for penalty in penalties:
        strength = np.where(circuit, scores * (1 - penalty), scores)
        kept, value, within = circuit, float("nan"), False
        for factor in growth:
            kept = select(strength, min(len(scores), round(factor * int(circuit.sum()))))
            value = float(behaviour(kept[None])[0])
            within = abs(value - target) <= epsilon
            if within:
                break
        both, whole = int((kept & circuit).sum()), bool(kept.all())
        alike = both / int((kept | circuit).sum()), both / int(circuit.sum())
        rival = within and not whole and bool((kept != circuit).any())
        rows.append((penalty, int(kept.sum()), value, within, *alike, whole, rival, kept))
    columns = "penalty size value within jaccard reuse no_compression rival kept".split()
    return pd.DataFrame(rows, columns=columns)
