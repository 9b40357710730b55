"""Relabel every unit under perturbations of the probing set, one axis at a time.

Axes: resampled prompts, left-out templates, smaller probing sets, label noise (missing, extra),
activation noise, activity threshold, metric family. Name pools and training seeds need other
arrays: `perturbation_tables` takes them and joins all axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data import ProbingSet, as_numpy, unit_chunks
from circuitvar.audit.neurons.resampling import Members, class_scores, replicate_scores
from circuitvar.audit.neurons.similarity import (
    DEFAULT_RANKING,
    activity,
    chunk_size,
    cluster_weights,
    concept_columns,
    get_similarity,
)


@dataclass(frozen=True)
class PerturbationOptions:
    """Levels of every axis; an empty tuple leaves the axis out."""

    resamples: int = 20
    """Bootstrap resamples of the prompts."""
    sizes: tuple[float, ...] = (0.25, 0.5, 0.75)
    """Smaller probing sets, as shares of the prompts."""
    label_noise: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2)
    """Shares of positive labels dropped, and of false ones added."""
    activation_noise: tuple[float, ...] = (0.02, 0.1, 0.3)
    """Noise sd as a share of the unit's own sd."""
    quantiles: tuple[float, ...] = (0.01, 0.02, 0.1, 0.2)
    """Other activity thresholds; used only when the metric binarises."""
    metrics: tuple[str, ...] = DEFAULT_RANKING
    """Similarity metrics that could have ranked instead."""


def winning_classes(
    data: ProbingSet,
    weights: Float[np.ndarray, "run cluster"],
    metric: str,
    *,
    members: Members | None = None,
    quantile: float | None = 0.05,
    threshold: float = 0.0,
) -> Int[np.ndarray, "run unit"]:
    """Best concept class of every unit under each weighting; -1 where no score is defined.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set([[0.0], [1.0], [1.0]], [[0, 1], [1, 0], [1, 1]])
    >>> winning_classes(data, np.ones((1, 3)), "pearson").tolist()
    [[0]]
    """
    columns = concept_columns(data, with_log=metric == "wpmi")
    out = np.empty((len(weights), data.n_units), dtype=np.int64)
    for units, block in unit_chunks(data, chunk_size(data, len(weights))):
        on = activity(block, [metric], quantile=quantile, threshold=threshold, weights=data.weights)
        for rows, scores in replicate_scores(data, columns, block, on, weights, [metric]):
            values = class_scores(scores[metric], members)
            values = np.where(np.isnan(values), -np.inf, values)
            best = values.argmax(axis=1)
            out[rows, units] = np.where(np.isinf(values.max(axis=1)), -1, best)
    return out


def perturbed_labels(
    data: ProbingSet,
    metric: str,
    *,
    rng: np.random.Generator,
    members: Members | None = None,
    options: PerturbationOptions = PerturbationOptions(),
    quantile: float | None = 0.05,
    threshold: float = 0.0,
) -> dict[str, dict[str, Int[np.ndarray, " unit"]]]:
    """Labels (class codes) of every level of every axis, for `label_ledger`."""
    runs: dict[str, dict[str, np.ndarray]] = {}

    def relabel(weights: np.ndarray, changed: ProbingSet = data, **settings) -> np.ndarray:
        chosen = {"metric": metric, "quantile": quantile, "threshold": threshold} | settings
        return winning_classes(changed, weights, members=members, **chosen)

    def add(axis: str, found: Mapping[str, np.ndarray]) -> None:
        if found:
            runs[axis] = {level: np.atleast_2d(labels)[0] for level, labels in found.items()}

    every = np.ones((1, data.n_groups))
    if options.resamples:
        labels = relabel(cluster_weights(data.strata, options.resamples, rng=rng))
        add("prompts", {f"resample {i}": row for i, row in enumerate(labels)})
    add("templates", _leave_out(data, relabel))
    shares = options.sizes
    fewer = (
        cluster_weights(data.strata, 1, rng=rng, scheme="subsample", fraction=f) for f in shares
    )
    add("size", {f"{f:g}": relabel(w) for f, w in zip(shares, fewer, strict=True)})
    mislabelled = {
        f"{kind} {rate:g}": relabel(every, noisy_labels(data, rate, kind=kind, rng=rng))
        for kind in ("missing", "extra")
        for rate in options.label_noise
    }
    add("label noise", mislabelled)
    noisy = ((f, noisy_activations(data, f, rng=rng)) for f in options.activation_noise)
    add("activation noise", {f"{f:g}": relabel(every, one) for f, one in noisy})
    if get_similarity(metric).thresholded:
        add("threshold", {f"{q:g}": relabel(every, quantile=q) for q in options.quantiles})
    add("metric", {k: relabel(every, metric=k) for k in options.metrics if k != metric})
    return runs


def _leave_out(data: ProbingSet, relabel) -> dict[str, np.ndarray]:
    codes = np.unique(data.strata)
    if len(codes) < 2:
        return {}
    weights = (data.strata[None] != codes[:, None]).astype(np.float32)
    names = [f"without {data.strata_names[code]}" for code in codes]
    return dict(zip(names, relabel(weights), strict=True))


def noisy_labels(
    data: ProbingSet, rate: float, *, kind: str, rng: np.random.Generator
) -> ProbingSet:
    """Drop a share `rate` of positives (`missing`) or add that share of false ones (`extra`)."""
    if not 0 <= rate <= 1 or kind not in ("missing", "extra"):
        raise ValueError(f"got rate {rate} and kind {kind!r}; use a share and missing or extra.")
    draw = rng.random(data.concepts.shape)
    if kind == "missing":
        concepts = np.where(draw < rate, 0.0, data.concepts)
    else:
        frequency = data.concepts.mean(axis=0)
        flip = draw < rate * frequency / np.maximum(1 - frequency, 1e-9)
        concepts = np.where(flip, 1.0, data.concepts)
    return replace(data, concepts=np.ascontiguousarray(concepts, dtype=np.float32))


def noisy_activations(data: ProbingSet, rate: float, *, rng: np.random.Generator) -> ProbingSet:
    """Add Gaussian noise with sd `rate` times each unit's own sd."""
    acts = np.array(as_numpy(data.acts), dtype=np.float32)
    noise = rng.standard_normal(acts.shape, dtype=np.float32)
    return replace(data, acts=acts + rate * acts.std(axis=0) * noise)
