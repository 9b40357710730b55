"""How fast a similarity settles: measured error on smaller probing sets against the bounds.

Prompts are drawn without replacement; the error is the distance to the score of the whole probing
set, so sizes should stay well below it. Both the measured error and the bounds fall as 1/sqrt(n).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet, take_concepts, take_units
from circuitvar.audit.neurons.similarity import (
    ClusterSums,
    ConceptOptions,
    activity,
    cluster_sums,
    cluster_weights,
    clustered_ratio_half_width,
    concept_columns,
    denominators,
    hoeffding_half_width,
    weighted_moments,
)
from circuitvar.circuits.intervals import clopper_pearson

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Sizes of smaller probing sets, as shares of the prompts."""
DRAWS = 200
"""Smaller probing sets drawn per size."""
DELTA = 0.05


def error_curve(
    data: ProbingSet,
    unit: int,
    concept: int,
    *,
    rng: np.random.Generator,
    metrics: Sequence[str] = ("iou", "p_active_given_concept", "accuracy"),
    concepts: int = 1,
    options: ConceptOptions = ConceptOptions(),
) -> pd.DataFrame:
    """One row per metric and size: measured error and half-widths at level 95%.

    `options` say when a unit is active; of the samples, each counts once. `concepts` is how many
    concepts the bound must hold for at once (.05 / concepts).

    Returns
    -------
    pandas.DataFrame
        Columns metric, prompts, error (95% quantile), exact (Clopper-Pearson half-width,
        independent rows), distribution_free (Hoeffding, independent rows), clustered
        (distribution-free, dependent rows within prompts), at the mean counts of that size.

    Raises
    ------
    ValueError
        The samples are weighted, or a metric is not a share.
    """
    if not (data.weights == 1).all():
        raise ValueError(
            "the samples are weighted, and the bounds count samples; pass a probing set without "
            "weights."
        )
    one = take_concepts(take_units(data, np.array([unit])), [concept])
    block = np.asarray(one.acts, dtype=np.float32)
    on = activity(block, metrics, quantile=options.quantile, threshold=options.threshold)
    sums = cluster_sums(concept_columns(one), block, on)
    largest = float(np.bincount(data.groups).max())
    whole = _counts(sums, np.ones((1, data.n_groups)))
    delta = DELTA / concepts
    rows = []
    for share in SHARES:
        w = cluster_weights(data.strata, DRAWS, rng=rng, scheme="subsample", fraction=share)
        counts = _counts(sums, w)
        for metric in metrics:
            values = _score(metric, *counts)
            error = np.abs(values - _score(metric, *whole))
            error = error[np.isfinite(error)]
            given = float(denominators(metric, *counts).mean())
            low, high = clopper_pearson(float(np.nanmean(values)) * given, given, alpha=delta)
            clustered = clustered_ratio_half_width(given, int(w[0].sum()), largest, delta=delta)
            rows.append(
                {
                    "unit": data.units[unit],
                    "concept": data.names[concept],
                    "metric": metric,
                    "prompts": round(float(w[0].sum())),
                    "error": float(np.quantile(error, 1 - DELTA)) if len(error) else np.nan,
                    "exact": float(high - low) / 2,
                    "distribution_free": float(hoeffding_half_width(given, delta=delta)),
                    "clustered": float(clustered),
                }
            )
    return pd.DataFrame(rows)


def _counts(sums: ClusterSums, w: np.ndarray) -> tuple[Float[np.ndarray, " draw"], ...]:
    """n, active, concept and both, per draw."""
    parts = [
        [m.n[:, 0, 0], m.active[:, 0, 0], m.concept[:, 0, 0], m.both[:, 0, 0]]
        for _, m in weighted_moments(sums, w)
    ]
    return tuple(np.concatenate(columns).astype(np.float64) for columns in zip(*parts, strict=True))


def _score(metric: str, n, active, concept, both) -> Float[np.ndarray, " draw"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        top = n - active - concept + 2 * both if metric == "accuracy" else both
        return top / denominators(metric, n, active, concept, both)
