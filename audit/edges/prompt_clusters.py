"""Do some prompts use another circuit? Cluster prompts by their per-example scores.

After Rai, Geva and Yao (arXiv 2605.09129): normalise, reduce by SVD, cluster, pick the number of
clusters by silhouette. Ours is Ward's hierarchy, so it needs no start values, and one cluster is
an answer: the silhouette must beat Gaussian data with the same principal variances.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.random import Generator
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from scipy.stats import contingency

from circuitvar.audit.resampling import Scores

Labels = Int[np.ndarray, " example"]


@dataclass(frozen=True, eq=False)
class PromptClusters:
    """Clusters of prompts; all 0 when there is no evidence for more than one."""

    labels: Labels
    number: int
    silhouette: dict[int, float]
    """Mean silhouette for each number of clusters tried."""
    p_value: float
    """Of the best silhouette against one Gaussian cluster."""


def cluster_prompts(
    scores: Scores,
    *,
    rng: Generator,
    max_clusters: int = 10,
    components: int = 20,
    null_draws: int = 39,
    alpha: float = 0.05,
) -> PromptClusters:
    """Cluster prompts whose circuits differ; direction of each score vector counts, not its norm.

    Raises
    ------
    ValueError
        Fewer than 4 examples, or scores that are not finite.
    """
    features = prompt_features(scores, components)
    best, silhouettes, labels = _best(features, max_clusters)
    null = np.empty(null_draws)
    spread = features.std(axis=0)
    for i in range(null_draws):
        one_cluster = spread * rng.normal(size=features.shape)
        null[i] = max(_best(one_cluster, max_clusters)[1].values())
    p = (1 + int((null >= silhouettes[best]).sum())) / (null_draws + 1)
    if p > alpha:
        return PromptClusters(np.zeros(len(scores), dtype=np.int64), 1, silhouettes, p)
    return PromptClusters(labels, best, silhouettes, p)


def prompt_features(scores: Scores, components: int = 20) -> Float[np.ndarray, "example component"]:
    """Principal components of unit-norm score vectors, from the small Gram matrix."""
    n = len(scores)
    if n < 4:
        raise ValueError(f"{n} prompts cannot be clustered; pass at least 4")
    if not np.isfinite(scores).all():
        raise ValueError("scores are not finite; drop those examples or fix the method")
    norm = np.linalg.norm(scores, axis=1, keepdims=True)
    unit = np.divide(scores, norm, out=np.zeros(scores.shape), where=norm > 0)
    unit -= unit.mean(axis=0)
    values, vectors = np.linalg.eigh(unit @ unit.T)
    keep = np.argsort(values)[::-1][: min(components, n - 1)]
    return vectors[:, keep] * np.sqrt(np.maximum(values[keep], 0))


def silhouette(distances: Float[np.ndarray, "example example"], labels: Labels) -> float:
    """Mean silhouette (b - a)/max(a, b); examples alone in their cluster count 0."""
    clusters, own, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.stack([distances[:, labels == c].sum(axis=1) for c in clusters], axis=1)
    rows, alone = np.arange(len(labels)), sizes[own] == 1
    a = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    others = sums / sizes
    others[rows, own] = np.inf
    b = others.min(axis=1)
    scale = np.maximum(a, b)
    return float(np.divide(b - a, scale, out=np.zeros(len(a)), where=~alone & (scale > 0)).mean())


def adjusted_rand(first, second) -> float:
    """Chance-corrected agreement of two labellings (Hubert and Arabie 1985); 1 of equal blocks.

    >>> adjusted_rand([0, 0, 1, 1], ["b", "b", "a", "a"])
    1.0
    """
    found = contingency.crosstab(np.asarray(first), np.asarray(second))
    table = np.asarray(found[1], dtype=np.float64)

    def pairs(x):
        return float((x * (x - 1) / 2).sum())

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / max(pairs(table.sum()), 1.0)
    top = (rows + columns) / 2
    return 1.0 if top == expected else float((together - expected) / (top - expected))


def _best(features, max_clusters: int):
    distances = pdist(features)
    tree, square = linkage(features, "ward"), squareform(distances)
    found, cut = {}, {}
    for k in range(2, min(max_clusters, len(features) - 1) + 1):
        labels = fcluster(tree, k, "maxclust") - 1
        if len(np.unique(labels)) == k:
            found[k], cut[k] = silhouette(square, labels), labels
    if not found:
        return 1, {1: 0.0}, np.zeros(len(features), dtype=np.int64)
    best = max(found, key=lambda k: found[k])
    return best, found, cut[best]
