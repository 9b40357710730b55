"""How much labels agree between runs: agreement, flip rate, and a ledger of what moves them.

A run is any relabelling (resampled prompts, another template, noisy labels, another seed or
metric). The variance of a categorical label is its Gini impurity 1 - sum_c p_c^2: the probability
that two runs disagree.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

Labels = Int[np.ndarray, "run unit"]
Runs = Mapping[str, Mapping[str, Int[np.ndarray, " unit"]]]
"""Axis -> level -> label of every unit."""


def flip_rate(labels: Labels, reference: Int[np.ndarray, " unit"]) -> Float[np.ndarray, " run"]:
    """Share of labelled units (reference >= 0) whose label differs from the reference, per run.

    >>> flip_rate(np.array([[0, 1], [0, 0]]), np.array([0, 0])).tolist()
    [0.5, 0.0]
    """
    kept = reference >= 0
    if not kept.any():
        raise ValueError("no unit has a reference label (all are -1).")
    return (labels[:, kept] != reference[kept]).mean(axis=1)


def gini_impurity(labels: Labels) -> Float[np.ndarray, " unit"]:
    """Unbiased probability that two different runs disagree on a unit's label.

    >>> gini_impurity(np.array([[0], [0], [1]])).round(3).tolist()
    [0.667]
    """
    runs = len(labels)
    if runs < 2:
        raise ValueError(f"{runs} run; disagreement needs at least 2.")
    same = np.zeros(labels.shape[1])
    for code in np.unique(labels):
        count = (labels == code).sum(axis=0)
        same += count * (count - 1)
    return 1 - same / (runs * (runs - 1))


def label_ledger(runs: Runs, reference: Int[np.ndarray, " unit"]) -> pd.DataFrame:
    """One row per axis: runs, agreement and disagreement, flip rate, share of the total.

    `agreement` is the probability that two different runs of an axis (the reference included) give
    a unit the same label, `disagreement` its complement (the variance of the label), `flip_rate`
    the share of labels that differ from the reference; all are means over labelled units.
    Axes are varied one at a time around the same baseline, so shares compare main effects of one
    axis each; interactions between axes are not estimated.
    """
    rows = []
    kept = reference >= 0
    for axis, levels in runs.items():
        labels = np.stack(list(levels.values()))
        with_reference = np.concatenate([labels, reference[None]])
        disagreement = gini_impurity(with_reference)[kept].mean() if kept.any() else np.nan
        rows.append(
            {
                "axis": axis,
                "runs": len(labels),
                "agreement": 1 - float(disagreement),
                "disagreement": float(disagreement),
                "flip_rate": float(flip_rate(labels, reference).mean()) if kept.any() else np.nan,
            }
        )
    total = sum(row["disagreement"] for row in rows)
    for row in rows:
        row["share"] = row["disagreement"] / total if total > 0 else 0.0
    return pd.DataFrame(rows)


def flip_frame(runs: Runs, reference: Int[np.ndarray, " unit"]) -> pd.DataFrame:
    """One row per perturbation level: share of units whose label stayed, and changed."""
    kept = reference >= 0
    return pd.DataFrame(
        {
            "axis": axis,
            "level": level,
            "agreement": (labels == reference)[kept].mean(),
            "flip_rate": (labels != reference)[kept].mean(),
        }
        for axis, levels in runs.items()
        for level, labels in levels.items()
    )
