"""How well a concept describes a unit: every moment metric as a function of weighted sums.

A = 1 where the unit is active, P = concept value, both weighted by w. Conditional probabilities
carry unambiguous names; "precision" and "recall" mean opposite things in different papers, so
they are aliases only. Undefined values (0/0) are NaN.
"""

from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.neurons.data import Moments, Similarity
from circuitvar.audit.neurons.similarity.bounds import EXACT_METRICS
from circuitvar.tasks.lookup import unknown

Scores = Float[np.ndarray, "replicate concept unit"]
WPMI_LAMBDA = 1.0
ROUNDING = 1e-6
"""Share of a sum of squares below which what is left of it is the rounding of float32 sums."""


def accuracy(m: Moments) -> Scores:
    """(TP + TN) / n."""
    return (m.n - m.active - m.concept + 2 * m.both) / m.n


def p_concept_given_active(m: Moments) -> Scores:
    """TP / n_A: share of active samples that show the concept."""
    return m.both / m.active


def p_active_given_concept(m: Moments) -> Scores:
    """TP / n_C: share of concept samples on which the unit is active."""
    return m.both / m.concept


def f1(m: Moments) -> Scores:
    """2 TP / (n_A + n_C) = 2 IoU / (1 + IoU)."""
    return 2 * m.both / (m.active + m.concept)


def iou(m: Moments) -> Scores:
    """TP / (n_A + n_C - TP)."""
    return m.both / (m.active + m.concept - m.both)


def balanced_accuracy(m: Moments) -> Scores:
    """(TP / n_A + TN / (n - n_A)) / 2; equals AUC with a binary concept as the score."""
    negative = m.n - m.active
    return 0.5 * (m.both / m.active + 1 - (m.concept - m.both) / negative)


def inverse_balanced_accuracy(m: Moments) -> Scores:
    """(TP / n_C + TN / (n - n_C)) / 2; equals AUROC of a binary unit."""
    return 0.5 * (m.both / m.concept + 1 - (m.active - m.both) / (m.n - m.concept))


def phi(m: Moments) -> Scores:
    """Pearson correlation of A and P (Matthews correlation for a binary concept)."""
    cover = m.both - m.active * (m.concept / m.n)
    unit = _inverse_root(m.active - m.active**2 / m.n, m.active)
    return cover * (unit * _inverse_root(_concept_ss(m), m.concept2))


def pearson(m: Moments) -> Scores:
    """Pearson correlation of activation and P."""
    cover = m.cross - m.unit * (m.concept / m.n)
    unit = _inverse_root(m.unit2 - m.unit**2 / m.n, m.unit2)
    return cover * (unit * _inverse_root(_concept_ss(m), m.concept2))


def cosine(m: Moments) -> Scores:
    """Sum of f P / (|f| |P|); depends on the mean of f."""
    squares = m.n * m.mean**2 + 2 * m.mean * m.sd * m.unit + m.sd**2 * m.unit2
    product = m.mean * m.concept + m.sd * m.cross
    size = m.n * m.mean**2 + m.sd**2 * m.unit2
    return product * (_inverse_root(squares, size) * _inverse_root(m.concept2, m.concept2))


def auprc(m: Moments) -> Scores:
    """Average precision with a binary concept as the score and A as the label.

    Closed form r p + (1 - r) n_A / n with r = TP / n_A, p = TP / n_C; not for graded concepts.
    """
    recall = m.both / m.active
    return recall * (m.both / m.concept) + (1 - recall) * (m.active / m.n)


def mad(m: Moments) -> Scores:
    """Mean activation with the concept minus without it, in activation units."""
    inside = m.cross / m.concept
    return m.sd * (inside - (m.unit - m.cross) / (m.n - m.concept))


def wpmi(m: Moments) -> Scores:
    """Mean of log P over active samples minus lambda log(mean P), with P clipped at 1e-8.

    The form of Oikarinen, Yan & Weng (2025), lambda = 1. CLIP-Dissect's own WPMI subtracts a
    softmax over concepts and a mean over neurons instead.
    """
    if m.log_both is None:
        raise ValueError("wpmi needs the log-probability sums; pass with_log=True.")
    return m.log_both / m.active - WPMI_LAMBDA * np.log(np.maximum(m.concept / m.n, 1e-12))


def _concept_ss(m: Moments) -> Float[np.ndarray, "replicate concept 1"]:
    return m.concept2 - m.concept**2 / m.n


def _inverse_root(sum_of_squares: np.ndarray, size: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), NaN where x is zero up to the rounding of what it is the rest of."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sum_of_squares > ROUNDING * size, 1 / np.sqrt(sum_of_squares), np.nan)


Graded = partial(Similarity, thresholded=False)
"""One that reads the activations themselves."""
SIMILARITIES: tuple[Similarity, ...] = (
    Graded("pearson", "Pearson", pearson, -1, ranking=True, aliases=("correlation",)),
    Similarity("iou", "IoU", iou, ranking=True, aliases=("jaccard",)),
    Similarity("auprc", "AUPRC (concept as score)", auprc, ranking=True),
    Similarity("f1", "F1", f1, ranking=True, aliases=("dice",), same_best_as="iou"),
    Graded("cosine", "Cosine", cosine, -1, ranking=True),
    Similarity("phi", "Phi", phi, -1, ranking=True, aliases=("mcc",)),
    Similarity("accuracy", "Accuracy", accuracy),
    Similarity(
        "balanced_accuracy", "Balanced accuracy", balanced_accuracy, aliases=("AUC (NeuronEval)",)
    ),
    Similarity(
        "inverse_balanced_accuracy",
        "Inverse balanced accuracy",
        inverse_balanced_accuracy,
        aliases=("inverse AUC of a binary unit",),
    ),
    Similarity(
        "p_concept_given_active",
        "P(concept | active)",
        p_concept_given_active,
        aliases=("recall (NeuronEval)", "precision (INVERT, sklearn)"),
    ),
    Similarity(
        "p_active_given_concept",
        "P(active | concept)",
        p_active_given_concept,
        aliases=("precision (NeuronEval)", "recall (INVERT, sklearn)"),
    ),
    Graded("mad", "Mean activation difference", mad, np.nan, np.nan),
    Similarity("wpmi", "WPMI", wpmi, np.nan, np.nan),
    Graded("auroc", "AUROC (unit as score)", None, aliases=("inverse AUC", "AUC (CoSy)")),
    Graded("spearman", "Spearman", None, -1),
    Graded("inverse_auprc", "AUPRC (unit as score)", None, aliases=("IoU probe (NeuroX)",)),
)
DEFAULT_RANKING = ("pearson", "iou", "auprc")


def get_similarity(key: str) -> Similarity:
    """The record of one metric.

    Raises
    ------
    ValueError
        Another name; where other papers or tools use it, the message says for what.

    >>> get_similarity("iou").family
    'iou'
    """
    for metric in SIMILARITIES:
        if metric.key == key:
            return metric
    meant = [
        f"{metric.key} ({title})"
        for metric in SIMILARITIES
        for title in metric.aliases
        if title.split(" (")[0].lower() == key.lower()
    ]
    if meant:
        raise ValueError(f"{key!r} is another name; here it is called {' or '.join(meant)}.")
    raise unknown("similarity metric", key, [metric.key for metric in SIMILARITIES])


def similarity_table() -> pd.DataFrame:
    """One row per metric: key, title, names elsewhere, whether it may rank, kind of interval.

    >>> similarity_table().set_index("metric").interval["iou"]
    'exact'
    """
    kinds = dict.fromkeys(EXACT_METRICS, "exact") | {"auroc": "distribution-free"}
    return pd.DataFrame(
        {
            "metric": metric.key,
            "title": metric.title,
            "also called": "; ".join(metric.aliases),
            "may rank": metric.ranking,
            "interval": kinds.get(metric.key, "bootstrap"),
        }
        for metric in SIMILARITIES
    )
