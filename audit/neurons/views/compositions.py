"""AND / OR / NOT formulas of concepts, up to length 3, scored exhaustively over the best atoms.

Formulas are bit masks over samples, so every count is a population count and the optimum within
the searched atoms is exact (beam search is not). A formula that beats its best atom has been
searched for: judge it on held-out prompts or by adding it as a concept column and voting again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

MAX_ATOMS = 10


@dataclass(frozen=True, eq=False)
class Formula:
    """A Boolean combination of concept columns and its score for one unit."""

    name: str
    length: int
    mask: Bool[np.ndarray, " sample"]
    score: float


def composition_search(
    active: Bool[np.ndarray, " sample"],
    concepts: Bool[np.ndarray, "sample concept"],
    names: Sequence[str],
    *,
    length: int = 3,
    atoms: int = MAX_ATOMS,
    top: int = 10,
    measure: str = "iou",
) -> list[Formula]:
    """The best formulas for one binarised unit, best first, equivalent ones listed once.

    Parameters
    ----------
    length
        Most atoms in a formula (1 to 3); left-nested, as in (a AND NOT b) OR c.
    atoms
        How many of the best single concepts (or their negations) are combined.
    measure
        `iou` or `phi`.

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
    best = np.argsort(-strength, kind="stable")[: min(atoms, len(names))]
    literals = np.concatenate([best, best + len(names)])
    literal_bits, literal_names = bits[literals], [labels[i] for i in literals]
    levels = [(literal_bits, literal_names)]
    for _ in range(length - 1):
        levels.append(_combine(*levels[-1], literal_bits, literal_names))
    found: dict[bytes, Formula] = {}
    for depth, (masks, texts) in enumerate(levels, start=1):
        scores = _scores(masks, unit, n, measure)
        for row in np.argsort(-scores, kind="stable")[: 4 * top]:
            key = masks[row].tobytes()
            if key not in found and np.isfinite(scores[row]):
                mask = np.unpackbits(masks[row], count=n).astype(bool)
                found[key] = Formula(texts[row], depth, mask, float(scores[row]))
    return sorted(found.values(), key=lambda f: (-f.score, f.length))[:top]


def _combine(
    masks: np.ndarray, names: list[str], literals: np.ndarray, literal_names: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Every formula joined with every literal by AND and by OR, equal masks kept once."""
    both = masks[:, None] & literals[None]
    either = masks[:, None] | literals[None]
    stacked = np.concatenate([both.reshape(-1, masks.shape[1]), either.reshape(-1, masks.shape[1])])
    _, keep = np.unique(stacked, axis=0, return_index=True)
    keep = np.sort(keep)
    pairs = len(names) * len(literal_names)
    texts = []
    for index in keep:
        word = "AND" if index < pairs else "OR"
        left, right = divmod(int(index) % pairs, len(literal_names))
        texts.append(f"({names[left]} {word} {literal_names[right]})")
    return stacked[keep], texts


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
