"""Labels under every perturbation as tables: agreement, flip rates, ledger, training seeds.

A run is any relabelling (resampled prompts, another template, noisy labels, another seed or
metric). The variance of a categorical label is its Gini impurity 1 - sum_c p_c^2: the probability
that two runs disagree.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.resampling import Members
from circuitvar.audit.neurons.similarity import ConceptOptions
from circuitvar.audit.neurons.views.match_units import match_units, seed_agreement
from circuitvar.audit.neurons.views.perturbations import (
    PerturbationOptions,
    perturbed_labels,
    winning_classes,
)

Labels = Int[np.ndarray, "run unit"]
Runs = Mapping[str, Mapping[str, Int[np.ndarray, " unit"]]]
"""Axis -> level -> label of every unit."""
SEED_AXIS = "training seed"
"""Other models, each unit compared with the one matched to it."""

OtherData = Mapping[str, Mapping[str, ProbingSet]]
"""Axis -> level -> probing set with the same units and concepts on other samples."""


def perturbation_tables(
    data: ProbingSet,
    reference: Int[np.ndarray, " unit"],
    concepts: ConceptOptions,
    *,
    rng: np.random.Generator,
    members: Members,
    options: PerturbationOptions,
    other_data: OtherData | None = None,
    other_models: Mapping[str, ProbingSet] | None = None,
) -> dict[str, pd.DataFrame]:
    """`ledger` (a row per axis), `perturbations` (a row per level), `seeds` (a row per model).

    `reference` is the class code of each unit on `data`, -1 without label; `concepts` names the
    metric, the first one, and the activity threshold. `other_data` are further axes such as name
    pools, `other_models` run on the samples of `data` and are matched by `match_units`.

    Raises
    ------
    ValueError
        Units or concepts of another probing set are not those of `data`.
    """
    metric = concepts.metrics[0]
    activity = {"quantile": concepts.quantile, "threshold": concepts.threshold}
    runs = perturbed_labels(data, metric, rng=rng, members=members, options=options, **activity)

    def relabel(other: ProbingSet) -> np.ndarray:
        every = np.ones((1, other.n_groups))
        return winning_classes(other, every, metric, members=members, **activity)[0]

    for axis, found in (other_data or {}).items():
        for level, other in found.items():
            if other.units != data.units:
                raise ValueError(f"{axis} {level!r} has other units; pass the same in one order.")
            _check_concepts(data, other, f"{axis} {level!r}")
        if found:
            runs[axis] = {level: relabel(other) for level, other in found.items()}
    tables: dict[str, pd.DataFrame] = {}
    if other_models:
        seeds = {}
        for name, other in other_models.items():
            _check_concepts(data, other, f"model {name!r}")
            seeds[name] = (other, relabel(other), *match_units(data, other))
        runs[SEED_AXIS] = {name: codes[order] for name, (_, codes, order, _) in seeds.items()}
        tables["seeds"] = seed_agreement(reference, data.units, seeds)
    return {
        "ledger": label_ledger(runs, reference),
        "perturbations": flip_frame(runs, reference),
        **tables,
    }


def _check_concepts(data: ProbingSet, other: ProbingSet, what: str) -> None:
    if other.names != data.names:
        raise ValueError(f"{what} has other concepts; pass the same columns in one order.")


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
