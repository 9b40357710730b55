"""AND / OR / NOT formulas of concepts, up to length 3, and whether they beat single concepts.

Formulas are bit masks over samples, so every count is a population count and the optimum within
the best atoms is exact (beam search is not). The search looks at thousands of formulas, so its own
score is optimistic: formula and best single concept are chosen on one half of the prompts and
compared once per unit on the other half, with limits that are Bonferroni-corrected over units. The
bootstrap sets hold single concepts only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from circuitvar.audit.neurons.data import ProbingSet, as_numpy
from circuitvar.audit.neurons.similarity import ConceptOptions, cluster_weights

ATOMS = 10
"""How many of the best single concepts (or their negations) are combined."""
COLUMNS = (
    "unit formula length searched_iou held_out_iou concept concept_iou gain low high supported"
).split()
REPLICATES = 1000
"""Resamples of the held-out half."""
Steps = tuple[tuple[str, int], ...]
"""AND or OR, and a literal: a concept's column, or that plus the number of concepts for its NOT."""


@dataclass(frozen=True)
class Formula:
    """A left-nested Boolean combination of concept columns and its score for one unit."""

    name: str
    steps: Steps
    score: float

    def holds(self, concepts: Bool[np.ndarray, "sample concept"]) -> Bool[np.ndarray, " sample"]:
        """Where the formula is true."""
        literals = np.concatenate([concepts, ~concepts], axis=1)
        mask = literals[:, self.steps[0][1]]
        for word, literal in self.steps[1:]:
            one = literals[:, literal]
            mask = mask & one if word == "AND" else mask | one
        return mask


def composition_table(
    data: ProbingSet,
    units: Sequence[int],
    columns: Sequence[int],
    score_half: Bool[np.ndarray, " cluster"],
    *,
    rng: np.random.Generator,
    length: int = 3,
    options: ConceptOptions = ConceptOptions(),
) -> pd.DataFrame:
    """One row per unit: best formula and concept on one half, their IoU on the other.

    `gain` is formula minus concept on the held-out half with percentile limits at
    alpha / units; `supported` says that the lower limit is above 0. Of `options` only alpha and
    the activity threshold count; sample weights are ignored.

    Raises
    ------
    ValueError
        One of the halves has no cluster.
    """
    held = score_half[data.groups]
    if held.all() or not held.any():
        raise ValueError("compositions need at least two clusters, one for each half.")
    atoms = data.concepts[:, list(columns)] > 0.5
    names = [data.names[c] for c in columns]
    present, codes = np.unique(data.groups[held], return_inverse=True)
    draws = cluster_weights(data.strata[present], REPLICATES, rng=rng)
    alpha = options.alpha / max(len(units), 1)
    rows = []
    for unit in units:
        values = as_numpy(data.acts[:, unit])
        limit = options.threshold
        if options.quantile is not None:
            limit = np.quantile(values[~held], 1 - options.quantile, method="inverted_cdf")
        on = values > limit
        searches = [
            composition_search(on[~held], atoms[~held], names, length=longest, top=1)
            for longest in (length, 1)
        ]
        if not all(searches):
            continue
        [best], [single] = searches
        formula, concept = (
            _resampled_iou(on[held], part.holds(atoms[held]), codes, draws)
            for part in (best, single)
        )
        gain = formula - concept
        low, high = np.nanquantile(gain[1:], [alpha / 2, 1 - alpha / 2])
        searched = data.units[unit], best.name, len(best.steps), best.score, formula[0]
        rows.append((*searched, single.name, concept[0], gain[0], low, high, bool(low > 0)))
    return pd.DataFrame(rows, columns=COLUMNS if rows else None)


def composition_search(
    active: Bool[np.ndarray, " sample"],
    concepts: Bool[np.ndarray, "sample concept"],
    names: Sequence[str],
    *,
    length: int = 3,
    top: int = 10,
    measure: str = "iou",
) -> list[Formula]:
    """The best formulas for one binarised unit, best first, equivalent ones listed once.

    A formula has at most `length` concepts (1 to 3); `measure` is iou or phi.

    >>> a = np.array([1, 1, 0, 0], bool); b = np.array([1, 0, 1, 0], bool)
    >>> composition_search(a & b, np.stack([a, b], 1), ["a", "b"])[0].name
    '(a AND b)'
    """
    if measure not in ("iou", "phi"):
        raise ValueError(f"measure is {measure!r}; choose iou or phi.")
    if not 1 <= length <= 3:
        raise ValueError(f"length is {length}; formulas have 1 to 3 atoms.")
    n = len(active)
    bits = np.packbits(np.concatenate([concepts.T, ~concepts.T]), axis=1)
    unit = np.packbits(active)
    labels = [*names, *(f"NOT {name}" for name in names)]
    solo = _scores(bits, unit, n, measure)
    strength = np.maximum(solo[: len(names)], solo[len(names) :])
    best = np.argsort(-strength, kind="stable")[:ATOMS]
    literals = np.concatenate([best, best + len(names)])
    starts: list[Steps] = [(("", int(literal)),) for literal in literals]
    levels = [(bits[literals], starts)]
    for _ in range(length - 1):
        levels.append(_combine(*levels[-1], *levels[0]))
    found: dict[bytes, Formula] = {}
    for masks, formulas in levels:
        scores = _scores(masks, unit, n, measure)
        for row in np.argsort(-scores, kind="stable")[: 4 * top]:
            key = masks[row].tobytes()
            if key not in found and np.isfinite(scores[row]):
                name = _name(formulas[row], labels)
                found[key] = Formula(name, formulas[row], float(scores[row]))
    return sorted(found.values(), key=lambda f: (-f.score, len(f.steps)))[:top]


def _name(steps: Steps, labels: Sequence[str]) -> str:
    text = labels[steps[0][1]]
    for word, literal in steps[1:]:
        text = f"({text} {word} {labels[literal]})"
    return text


def _combine(
    masks: np.ndarray, formulas: list[Steps], literals: np.ndarray, starts: list[Steps]
) -> tuple[np.ndarray, list[Steps]]:
    """Every formula joined with every literal by AND and by OR, equal masks kept once."""
    joined = [masks[:, None] & literals, masks[:, None] | literals]
    stacked = np.concatenate(joined).reshape(-1, masks.shape[1])
    keep = np.sort(np.unique(stacked, axis=0, return_index=True)[1])
    both = [
        (*steps, (word, literal))
        for word in ("AND", "OR")
        for steps in formulas
        for [(_, literal)] in starts
    ]
    return stacked[keep], [both[i] for i in keep]


def _scores(
    masks: np.ndarray, unit: np.ndarray, n: int, measure: str
) -> Float[np.ndarray, " formula"]:
    """IoU or phi of every mask with the unit, from population counts."""
    # Packed rows are padded with zeros, so negations were taken before packing.
    size = np.bitwise_count(masks).sum(axis=1, dtype=np.int64)
    both = np.bitwise_count(masks & unit).sum(axis=1, dtype=np.int64)
    on = int(np.bitwise_count(unit).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "iou":
            return both / (size + on - both)
        spread = np.sqrt(size * (n - size) * float(on) * (n - on))
        return (n * both - size * on) / spread


def _resampled_iou(
    on: Bool[np.ndarray, " sample"],
    mask: Bool[np.ndarray, " sample"],
    codes: Int[np.ndarray, " sample"],
    draws: np.ndarray,
) -> np.ndarray:
    """IoU of the data, then of every resample of its clusters."""
    both = np.bincount(codes, weights=on & mask, minlength=draws.shape[1])
    union = np.bincount(codes, weights=on | mask, minlength=draws.shape[1])
    weights = np.concatenate([np.ones((1, draws.shape[1])), draws])
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ both) / (weights @ union)
