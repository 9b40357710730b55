"""Which metric may rank explanations: missing- and extra-labels tests on the user's own data.

Oikarinen, Yan & Weng (ICML 2025): a metric must fall when half of the true concept's positive
labels are dropped, and when random positives double their expected number. Recall is blind to
extra labels, precision and AUROC (for rare concepts) to missing ones.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data import ProbingSet, take_units
from circuitvar.audit.neurons.similarity.similarity import similarity
from circuitvar.audit.neurons.similarity.similarity_metrics import SIMILARITIES, get_similarity

FREQUENCIES = (0.499, 0.1, 0.01, 0.001, 0.0001)
"""Concept frequencies of the theoretical test."""
DROP = 0.001
"""A fall counts when it exceeds this share of the metric's range."""
PASS_SHARE = 0.9
MOST_UNITS = 64
"""Units drawn for the check when more are labelled."""


def missing_labels(
    concepts: Float[np.ndarray, "sample concept"], *, rng: np.random.Generator
) -> Float[np.ndarray, "sample concept"]:
    """Drop each positive label with probability 1/2."""
    return concepts * (rng.random(concepts.shape) < 0.5)


def extra_labels(
    concepts: Float[np.ndarray, "sample concept"], *, rng: np.random.Generator
) -> Float[np.ndarray, "sample concept"]:
    """Flip negatives with probability n_C / (n - n_C): twice the positives in expectation."""
    positive = (concepts > 0.5).sum(axis=0)
    rate = np.minimum(positive / np.maximum(len(concepts) - positive, 1), 1.0)
    return np.where(rng.random(concepts.shape) < rate, 1.0, concepts).astype(concepts.dtype)


def perfect_unit_scores(metric: str, frequency: float) -> tuple[float, float, float]:
    """Expected score of a binary unit equal to its concept: intact, after missing, after extra.

    Closed forms in the concept frequency g (large n); NaN for metrics without one.

    >>> perfect_unit_scores("iou", 0.1)
    (1.0, 0.5, 0.5)
    """
    g, root = frequency, np.sqrt
    inverse = 1 - (g / 4) / (1 - g / 2)
    correlation = root((1 - g) / (2 - g)), root((1 - 2 * g) / (2 * (1 - g)))
    forms = {
        "p_concept_given_active": (0.5, 1.0),
        "p_active_given_concept": (1.0, 0.5),
        "f1": (2 / 3, 2 / 3),
        "iou": (0.5, 0.5),
        "cosine": (root(0.5), root(0.5)),
        "accuracy": (1 - g / 2, 1 - g),
        "balanced_accuracy": (0.75, 1 - g / (2 * (1 - g))),
        **dict.fromkeys(("inverse_balanced_accuracy", "auroc"), (inverse, 0.75)),
        **dict.fromkeys(("pearson", "phi", "spearman"), correlation),
        "mad": (1 - (g / 2) / (1 - g / 2), 0.5),
        "auprc": (0.5 + g / 2, 0.5),
    }
    missing, extra = forms.get(metric, (np.nan, np.nan))
    return 1.0, float(missing), float(extra)


def metric_self_check(
    data: ProbingSet,
    labels: Int[np.ndarray, " unit"],
    *,
    rng: np.random.Generator,
    metrics: Sequence[str] = tuple(m.key for m in SIMILARITIES),
    quantile: float | None = 0.05,
    threshold: float = 0.0,
) -> pd.DataFrame:
    """Run both tests on labelled units and list which metrics may rank.

    `labels` are the concept columns believed true for each unit, -1 to leave the unit out.

    Returns
    -------
    pandas.DataFrame
        One row per metric: share of units whose score falls (missing, extra), the same share for
        perfect units over `FREQUENCIES` (theory), and `may_rank`, true when all exceed 90%.
        Spearman's theory column is for binary units, where it equals phi; it fails on graded ones.
    """
    chosen = np.flatnonzero(labels >= 0)
    if not len(chosen):
        raise ValueError("no unit has a label; pass concept columns in labels.")
    if len(chosen) > MOST_UNITS:
        chosen = np.sort(rng.choice(chosen, MOST_UNITS, replace=False))
    concept_ids, columns = np.unique(labels[chosen], return_inverse=True)
    concepts = data.concepts[:, concept_ids]
    binary = ((concepts == 0) | (concepts == 1)).all()
    metrics = [key for key in metrics if binary or key not in ("auprc", "inverse_auprc")]
    probed = take_units(data, chosen)
    variants = {
        "intact": concepts,
        "missing": missing_labels(concepts, rng=rng),
        "extra": extra_labels(concepts, rng=rng),
    }
    scores = {
        name: similarity(
            replace(probed, concepts=np.ascontiguousarray(variant, dtype=np.float32)),
            metrics,
            quantile=quantile,
            threshold=threshold,
        )
        for name, variant in variants.items()
    }
    return pd.DataFrame([_row(key, scores, columns) for key in metrics])


def _row(key: str, scores: dict[str, dict[str, np.ndarray]], columns: np.ndarray) -> dict:
    metric = get_similarity(key)
    units = np.arange(len(columns))
    intact = scores["intact"][key]
    span = metric.high - metric.low
    if not np.isfinite(span):
        span = float(np.nanmax(intact) - np.nanmin(intact)) if np.isfinite(intact).any() else 1.0
    row: dict[str, object] = {"metric": key, "title": metric.title}
    for test, position in (("missing", 1), ("extra", 2)):
        fall = intact[units, columns] - scores[test][key][units, columns]
        fall = fall[np.isfinite(fall)] / (span or 1.0)
        row[test] = float((fall > DROP).mean()) if len(fall) else float("nan")
        drops = [1 - perfect_unit_scores(key, g)[position] for g in FREQUENCIES]
        width = span if key not in ("mad", "wpmi") else 1.0
        row[f"{test}_theory"] = float((np.array(drops) / width > DROP).mean())
        if np.isnan(drops).any():
            row[f"{test}_theory"] = float("nan")
    shares = np.array([row[k] for k in ("missing", "extra", "missing_theory", "extra_theory")])
    row["may_rank"] = bool((shares[np.isfinite(shares)] > PASS_SHARE).all())
    return row
