"""Finite-sample intervals for similarities, with exact constants.

Assumes independent samples and an activity threshold fixed beforehand. Where a metric is a
binomial share given its denominator the interval is exact (Clopper-Pearson); the distribution-free
half-widths (Hoeffding, two-sample U-statistic) are wider and are named as such. Uniform over M
concepts and N units: use delta / (M N). Dependent rows: `clustered_ratio_half_width`.
Our derivations, in the setting of Yan, Oikarinen & Weng (2512.18092).
"""

import math

import numpy as np
from jaxtyping import Real

from circuitvar.circuits.intervals import clopper_pearson

Counts = float | np.number | Real[np.ndarray, "..."]
"""Shapes are broadcast against each other."""
Values = Real[np.ndarray, "..."]
EXACT_METRICS = (
    "accuracy p_concept_given_active p_active_given_concept iou f1 balanced_accuracy "
    "inverse_balanced_accuracy"
).split()


def hoeffding_half_width(trials: Counts, *, delta: float = 0.05) -> Values:
    """sqrt(ln(2/delta) / (2 n)) for a share of n independent trials (n random: given n)."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt(math.log(2 / delta) / (2 * np.asarray(trials, float))))


def auroc_half_width(positives: Counts, negatives: Counts, *, delta: float = 0.05) -> Values:
    """Hoeffding's two-sample U-statistic bound: sqrt(ln(2/delta) / (2 min(n_1, n_0)))."""
    return hoeffding_half_width(np.minimum(positives, negatives), delta=delta)


def clustered_ratio_half_width(
    denominators: Counts, n_clusters: int, largest: float, *, delta: float = 0.05
) -> Values:
    """Distribution-free half-width of a ratio of sums over independent clusters.

    For r = E[TP_g] / E[U_g] with 0 <= TP_g <= U_g <= L, the sum of TP_g - r U_g has mean zero and
    terms in an interval of length L, so |r_hat - r| <= L sqrt(G ln(2/delta) / 2) / sum U_g.
    `largest` is L, the number of rows a cluster can have, fixed by the design.
    """
    with np.errstate(divide="ignore"):
        width = largest * math.sqrt(n_clusters * math.log(2 / delta) / 2)
        return np.asarray(width / np.asarray(denominators))


def dkw_term(n: int, *, delta: float = 0.05) -> float:
    """Extra width for accuracy when the threshold is an in-sample quantile (DKW inequality)."""
    return math.sqrt(math.log(2 / delta) / (2 * n))


def similarity_interval(
    metric: str, n: Counts, active: Counts, concept: Counts, both: Counts, *, delta: float = 0.05
) -> tuple[Values, Values]:
    """Exact interval of one metric from its four counts (given the denominator).

    IoU: given the union U, TP is Binomial(U, IoU). F1 is its monotone image 2x / (1 + x).
    Balanced accuracies average two independent shares at delta / 2 each.

    Raises
    ------
    ValueError
        The metric has no finite-sample interval; use the cluster bootstrap.
    """
    true_negative = n - active - concept + both
    if metric == "accuracy":
        return clopper_pearson(both + true_negative, n, alpha=delta)
    if metric in ("p_concept_given_active", "p_active_given_concept", "iou"):
        return clopper_pearson(both, denominators(metric, n, active, concept, both), alpha=delta)
    if metric == "f1":
        low, high = similarity_interval("iou", n, active, concept, both, delta=delta)
        return 2 * low / (1 + low), 2 * high / (1 + high)
    if metric in ("balanced_accuracy", "inverse_balanced_accuracy"):
        given = active if metric == "balanced_accuracy" else concept
        one = clopper_pearson(both, given, alpha=delta / 2)
        zero = clopper_pearson(true_negative, n - given, alpha=delta / 2)
        return (one[0] + zero[0]) / 2, (one[1] + zero[1]) / 2
    raise ValueError(
        f"{metric} has no finite-sample interval; use one of {', '.join(EXACT_METRICS)} or the "
        "cluster bootstrap."
    )


def denominators(metric: str, n: Counts, active: Counts, concept: Counts, both: Counts) -> Values:
    """The count that a share-type metric conditions on."""
    table = {
        "accuracy": n,
        "p_concept_given_active": active,
        "p_active_given_concept": concept,
        "iou": active + concept - both,
    }
    if metric not in table:
        raise ValueError(f"{metric} is not a single share; use one of {', '.join(table)}.")
    return np.broadcast_to(np.asarray(table[metric], float), np.shape(both))
