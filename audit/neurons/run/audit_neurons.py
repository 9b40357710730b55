"""The whole neuron audit: arrays in, frames out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from circuitvar.audit.neurons import linear, sets, views
from circuitvar.audit.neurons.data import (
    AliasClasses,
    NeuronAudit,
    ProbingSet,
    as_numpy,
    take_concepts,
    take_units,
)
from circuitvar.audit.neurons.linear import LinearOptions
from circuitvar.audit.neurons.similarity import (
    ConceptOptions,
    cluster_weights,
    concept_prompts,
    metric_self_check,
    weight_rows,
)
from circuitvar.audit.neurons.views import OtherData, PerturbationOptions

VERDICTS = ("stable", "ambiguous", "unidentified")


@dataclass(frozen=True)
class NeuronOptions:
    """What the audit runs; None leaves a part out."""

    concepts: ConceptOptions = field(default_factory=ConceptOptions)
    """How concepts are scored, resampled and judged."""
    linear: LinearOptions | None = field(default_factory=LinearOptions)
    """How linear explanations are fitted."""
    inclusion_replicates: int = 50
    """Resamples of the prompts on which linear explanations are refitted; 0: none."""
    inclusion_units: int = 64
    """Units whose linear explanation is refitted on resamples: the best-simulated ones."""
    perturbations: PerturbationOptions | None = field(default_factory=PerturbationOptions)
    """What is perturbed to see how labels change."""
    self_check: bool = True
    """Whether every metric is tested on the labels found, the stable ones if there are any."""
    compositions: int = 0
    """Longest AND/OR/NOT formula searched (2 or 3), judged on other prompts; 0: none."""
    composition_units: int = 8
    """Units whose formulas are searched: the best-explained ones."""
    range_units: int = 8
    """Units with a range map: the best-explained ones."""
    seed: int = 0
    """Seed of every random draw."""


def audit_neurons(
    data: ProbingSet,
    options: NeuronOptions | None = None,
    *,
    other_data: OtherData | None = None,
    other_models: Mapping[str, ProbingSet] | None = None,
    workers: int = 1,
) -> NeuronAudit:
    """Label every unit, say how stable each label is, and explain units linearly.

    `other_data` are the same units and concepts on other samples (name pools), by axis and level,
    `other_models` other trained models on the same samples; their units are matched. `workers`
    threads share the blocks of units and change no number.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, (400, 4))
    >>> data = probing_set(labels[:, [2]] + 0.2 * rng.normal(size=(400, 1)), labels,
    ...                    names=["a", "b", "c", "d"])
    >>> audit_neurons(data).units[["label", "verdict"]].values.tolist()
    [['c', 'stable']]
    """
    options = options or NeuronOptions()
    concept = options.concepts
    streams = np.random.default_rng(options.seed).spawn(8)
    prompts, eligible, classes = _classes(data, concept)
    if not eligible.any():
        raise ValueError(
            f"no concept occurs in and is absent from {concept.min_prompts} prompts; add prompts "
            "or lower min_prompts."
        )
    members = sets.class_members(classes, eligible)
    names = [classes.names[classes.of[group[0]]] for group in members]
    rows = weight_rows(data, concept, rng=streams[0])
    results = sets.audit_units(data, members, rows, concept, workers=workers)
    null = np.full(data.n_units, np.inf)
    if rows.score_half.any():  # with one cluster no half scores labels
        half = np.flatnonzero(rows.score_half[data.groups])
        null = sets.null_best(
            data, concept, rng=streams[1], eligible=eligible, rows=half, workers=workers
        )
    units = sets.unit_frame(data, results, names, null, concept)
    best = np.array([np.nan_to_num(r.score, nan=-np.inf).argmax() for r in results])
    defined = np.array([np.isfinite(r.score).any() for r in results])
    labels = np.where(defined, np.array([group[0] for group in members])[best], -1)
    metrics = pd.DataFrame()
    if options.self_check and defined.any():
        trusted = np.where(units["verdict"] == "stable", labels, -1)
        metrics = metric_self_check(
            data,
            trusted if (trusted >= 0).any() else labels,
            rng=streams[2],
            quantile=concept.quantile,
            threshold=concept.threshold,
        )
    order = np.argsort(-units["held_out"].fillna(-np.inf).to_numpy(), kind="stable").tolist()
    tables: dict[str, pd.DataFrame] = {}
    if options.linear is not None:
        tables |= _linear_tables(data, members, options, units, rngs=streams[3:5])
    tables["ranges"] = _range_tables(data, units, order[: options.range_units], rng=streams[5])
    if options.compositions:
        tables["compositions"] = views.composition_table(
            data,
            order[: options.composition_units],
            [group[0] for group in members],
            rows.score_half,
            rng=streams[7],
            length=options.compositions,
            options=concept,
        )
    if options.perturbations is not None and defined.any():
        tables |= views.perturbation_tables(
            data,
            np.where(defined, best, -1),
            concept,
            rng=streams[6],
            members=members,
            options=options.perturbations,
            other_data=other_data,
            other_models=other_models,
        )
    return NeuronAudit(
        units=units,
        votes=sets.vote_frame(data, results, names, units),
        aliases=sets.alias_table(classes, data.names, prompts, eligible),
        metrics=metrics,
        tables=tables,
        options=asdict(options)
        | {"samples": data.n_samples, "clusters": data.n_groups, "strata": len(data.strata_names)},
    )


def distinct_concepts(data: ProbingSet, options: ConceptOptions) -> ProbingSet:
    """The probing set with one column per eligible alias class."""
    _, eligible, classes = _classes(data, options)
    return take_concepts(data, [group[0] for group in sets.class_members(classes, eligible)])


def _classes(
    data: ProbingSet, options: ConceptOptions
) -> tuple[np.ndarray, np.ndarray, AliasClasses]:
    """Prompts with and without each concept, which concepts have enough, and their aliases."""
    prompts = concept_prompts(data.concepts, data.groups, data.weights)
    classes = sets.alias_classes(
        data.concepts, data.names, weights=data.weights, threshold=options.alias_threshold
    )
    return prompts, prompts.min(axis=0) >= options.min_prompts, classes


def _linear_tables(
    data: ProbingSet,
    members: Sequence[Sequence[int]],
    options: NeuronOptions,
    units: pd.DataFrame,
    *,
    rngs: Sequence[np.random.Generator],
) -> dict[str, pd.DataFrame]:
    """Explanations, inclusion frequencies; adds `linear_*` columns to the unit frame."""
    # One column per alias class, its first eligible member, so that linear fits are identified.
    distinct = take_concepts(data, [group[0] for group in members])
    how = options.linear or LinearOptions()
    strata = len(np.unique(data.strata))
    held_out = max(1, round(0.2 * strata)) if strata >= 3 else 0
    found = linear.linear_explanations(distinct, rng=rngs[0], options=how, held_out=held_out)
    units["linear"] = [linear.explanation_text(found, u) for u in range(data.n_units)]
    units["linear_length"] = found.length
    units["linear_validation"] = found.validation
    units["linear_test"] = found.test
    units["linear_transfer"] = found.transfer
    tables = {"linear": linear.linear_table(found)}
    if options.inclusion_replicates:
        order = np.argsort(-np.nan_to_num(found.test, nan=-1.0), kind="stable")
        best = take_units(distinct, np.sort(order[: options.inclusion_units]))
        stability = linear.inclusion_frequency(
            best, rng=rngs[1], replicates=options.inclusion_replicates, options=how
        )
        tables["inclusion"] = linear.inclusion_table(stability, best)
    return tables


def _range_tables(
    data: ProbingSet, units: pd.DataFrame, chosen: Sequence[int], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Range maps of the chosen units; marks them in the unit frame."""
    weights = cluster_weights(data.strata, 200, rng=rng)
    flags: list[bool | None] = [None] * data.n_units
    frames = []
    for unit in chosen:
        values = np.asarray(as_numpy(data.acts[:, unit]), dtype=np.float64)
        if values.max() > values.min():
            table = views.range_map(data, values, weights)
            flags[unit] = views.polysemantic(table)
            frames.append(table.assign(unit=data.units[unit]))
    units["polysemantic"] = pd.array(flags, dtype="boolean")
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
