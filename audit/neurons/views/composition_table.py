"""Do AND / OR / NOT formulas describe units better than single concepts? Judged on other prompts.

The search looks at thousands of formulas, so its own score is optimistic. Formula and best single
concept are chosen on one half of the prompts and compared once per unit on the other half; limits
are Bonferroni-corrected over the units compared. The bootstrap sets hold single concepts only.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from circuitvar.audit.neurons.data import ProbingSet, as_numpy
from circuitvar.audit.neurons.similarity import ConceptOptions, cluster_weights
from circuitvar.audit.neurons.views.compositions import composition_search

REPLICATES = 1000
"""Resamples of the held-out half."""


def composition_table(
    data: ProbingSet,
    units: Sequence[int],
    columns: Sequence[int],
    score_half: Bool[np.ndarray, " cluster"],
    *,
    rng: np.random.Generator,
    length: int = 3,
    options: ConceptOptions | None = None,
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
    options = options or ConceptOptions()
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
        found = composition_search(on[~held], atoms[~held], names, length=length, top=1)
        single = composition_search(on[~held], atoms[~held], names, length=1, top=1)
        if not found or not single:
            continue
        masks = [evaluate_formula(part.name, atoms[held], names) for part in (found[0], single[0])]
        ratios = [_resampled_iou(on[held], mask, codes, draws) for mask in masks]
        gain = ratios[0] - ratios[1]
        low, high = np.nanquantile(gain[1:], [alpha / 2, 1 - alpha / 2])
        rows.append(
            {
                "unit": data.units[unit],
                "formula": found[0].name,
                "length": found[0].length,
                "searched_iou": found[0].score,
                "held_out_iou": ratios[0][0],
                "concept": single[0].name,
                "concept_iou": ratios[1][0],
                "gain": gain[0],
                "low": low,
                "high": high,
                "supported": bool(low > 0),
            }
        )
    return pd.DataFrame(rows)


def evaluate_formula(
    text: str, atoms: Bool[np.ndarray, "sample concept"], names: Sequence[str]
) -> Bool[np.ndarray, " sample"]:
    """Truth of a formula as `composition_search` writes it, on other samples.

    >>> evaluate_formula("(a AND NOT b)", np.array([[1, 0], [1, 1]], bool), ["a", "b"]).tolist()
    [True, False]
    """
    column = {name: i for i, name in enumerate(names)}
    if text in column:
        return atoms[:, column[text]]
    if text.startswith("NOT ") and text[4:] in column:
        return ~atoms[:, column[text[4:]]]
    inner = text[1:-1]
    # Left-nested, so the last word that leaves a literal on its right splits the formula.
    for word in (" AND ", " OR "):
        left, _, right = inner.rpartition(word)
        if left and right.removeprefix("NOT ") in column:
            sides = evaluate_formula(left, atoms, names), evaluate_formula(right, atoms, names)
            return sides[0] & sides[1] if word == " AND " else sides[0] | sides[1]
    raise ValueError(f"{text!r} is not a formula of these concepts.")


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
