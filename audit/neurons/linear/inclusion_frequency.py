"""How often a concept stays in a linear explanation when the prompts are resampled.

The whole two-stage fit is repeated on cluster resamples of train and validation prompts; only the
Gram matrices change. A weight whose sign flips between resamples is not evidence of either sign.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.linear.linear_explanation import (
    LinearOptions,
    fit_linear,
    split_clusters,
)
from circuitvar.audit.neurons.linear.linear_gram import gram
from circuitvar.audit.neurons.similarity import cluster_weights

LEVEL, LEAST = 0.95, 0.05
TAILS = ((1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2)


@dataclass(frozen=True, eq=False)
class Inclusion:
    """Stability of every concept in every unit's linear explanation."""

    frequency: Float[np.ndarray, "concept unit"]
    """Share of resamples that select the concept."""
    sign: Float[np.ndarray, "concept unit"]
    """Share of the selecting resamples that agree with the majority sign; NaN if never selected."""
    mean: Float[np.ndarray, "concept unit"]
    """Mean weight over the selecting resamples."""
    low: Float[np.ndarray, "concept unit"]
    high: Float[np.ndarray, "concept unit"]
    """Percentile interval of the weight over all resamples, zero where not selected."""


def inclusion_frequency(
    data: ProbingSet,
    *,
    rng: np.random.Generator,
    replicates: int = 50,
    options: LinearOptions = LinearOptions(),
) -> Inclusion:
    """Refit on cluster resamples of one fixed train/validation split.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, (300, 3)).astype(float)
    >>> data = probing_set(labels[:, [0]] + 0.1 * rng.normal(size=(300, 1)), labels)
    >>> inclusion_frequency(data, rng=rng, replicates=10).frequency[:, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    parts = split_clusters(data, rng=rng)
    draws = np.empty((replicates, data.n_concepts, data.n_units), dtype=np.float32)
    for replicate in range(replicates):
        grams = {}
        for key in ("train", "validation"):
            clusters = np.flatnonzero(parts[key])
            w = np.zeros(data.n_groups)
            w[clusters] = cluster_weights(data.strata[clusters], 1, rng=rng)[0]
            grams[key] = gram(data, data.weights * w[data.groups])
        draws[replicate] = fit_linear(grams["train"], grams["validation"], options)
    kept = draws != 0
    count = kept.sum(axis=0)
    positive = (draws > 0).sum(axis=0)
    majority = np.maximum(positive, count - positive)
    low, high = np.quantile(draws, TAILS, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Inclusion(
            frequency=count / replicates,
            sign=np.where(count > 0, majority / count, np.nan),
            mean=np.where(count > 0, draws.sum(axis=0) / count, np.nan),
            low=low,
            high=high,
        )


def inclusion_table(found: Inclusion, data: ProbingSet) -> pd.DataFrame:
    """One row per unit and concept selected in at least a share `LEAST` of the resamples."""
    concept, unit = np.nonzero(found.frequency >= LEAST)
    table = pd.DataFrame({"unit": np.array(data.units, dtype=object)[unit]})
    table["concept"] = np.array(data.names, dtype=object)[concept]
    names = {"frequency": "inclusion", "sign": "sign_agreement", "mean": "weight"}
    for field, values in vars(found).items():
        table[names.get(field, field)] = values[concept, unit]
    return table.sort_values(["unit", "inclusion"], ascending=[True, False], ignore_index=True)
