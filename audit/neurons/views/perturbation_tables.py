"""Labels under every perturbation as tables: agreement, flip rates, ledger, training seeds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Int

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.resampling import Members
from circuitvar.audit.neurons.similarity import ConceptOptions
from circuitvar.audit.neurons.views.label_agreement import flip_frame, label_ledger
from circuitvar.audit.neurons.views.match_units import match_units, seed_agreement
from circuitvar.audit.neurons.views.perturbations import (
    PerturbationOptions,
    perturbed_labels,
    winning_classes,
)

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

    Parameters
    ----------
    concepts
        Names the metric, the first one, and the activity threshold.
    reference
        Class code of each unit on `data`, -1 without label.
    other_data
        Further axes, such as name pools.
    other_models
        Other trained models on the samples of `data`; their units need no common names, see
        `match_units`.

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
