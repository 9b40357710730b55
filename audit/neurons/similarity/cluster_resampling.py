"""How concepts are judged, and the weight vectors of the cluster bootstrap behind it.

A weight says how often a prompt (or template) enters a replicate.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.neurons.data import ProbingSet
from circuitvar.audit.neurons.similarity.similarity_metrics import DEFAULT_RANKING
from circuitvar.tasks.lookup import unknown

Scheme = Literal["multinomial", "bayesian", "subsample"]
SCHEMES: tuple[Scheme, ...] = ("multinomial", "bayesian", "subsample")


@dataclass(frozen=True)
class ConceptOptions:
    """Everything that can change a label, a set or a verdict besides the data."""

    metrics: tuple[str, ...] = DEFAULT_RANKING
    """The first one ranks; the others are asked whether they agree."""
    replicates: int = 1000
    """Resamples of the clusters that vote."""
    new_replicates: int = 200
    """Half-size resamples for S_new."""
    held_replicates: int = 200
    """Resamples of the second half, for the interval of the held-out score."""
    set_replicates: int = 400
    """Of the `replicates`, how many the pairwise comparisons of S_maxt use."""
    alpha: float = 0.05
    """Error rate of sets, intervals and certificates."""
    quantile: float | None = 0.05
    """Share of samples on which a unit counts as active; None uses `threshold`."""
    threshold: float = 0.0
    """Activation above which a unit is active where `quantile` is None."""
    scheme: Scheme = "multinomial"
    """How clusters are resampled; see `cluster_weights`."""
    alias_threshold: float = 0.95
    """|phi| from which two concepts are one class."""
    min_prompts: int = 10
    """A concept needs this many prompts with it, and as many without, to be eligible."""
    null_draws: int = 40
    """Sets of null concepts that the best of all concepts is compared with."""
    vote_bar: float = 0.95
    """Share of the votes that a stable label wins."""
    interval_metric: str = "iou"
    """Metric of S_ci and of the certificate; must have a finite-sample interval."""


def cluster_weights(
    strata: Int[np.ndarray, " cluster"],
    replicates: int,
    *,
    rng: np.random.Generator,
    scheme: Scheme = "multinomial",
    fraction: float = 1.0,
) -> Float[np.ndarray, "replicate cluster"]:
    """Draw replicates within strata; each stratum keeps its number of clusters.

    `multinomial` draws with replacement; `bayesian` draws Dirichlet weights, which never empty a
    concept; `subsample` draws without replacement. A replicate has a `fraction` of the clusters as
    draws (0.5 for the replication set).

    >>> w = cluster_weights(np.zeros(4, int), 2, rng=np.random.default_rng(0))
    >>> w.sum(axis=1).tolist()
    [4.0, 4.0]
    """
    if replicates < 1 or not 0 < fraction <= 1:
        raise ValueError(
            f"got {replicates} replicates of fraction {fraction}; pass at least 1 replicate and "
            "a fraction in (0, 1]."
        )
    weights = np.zeros((replicates, len(strata)), dtype=np.float32)
    for code in np.unique(strata):
        columns = np.flatnonzero(strata == code)
        size = len(columns)
        draws = max(1, round(fraction * size))
        if scheme == "multinomial":
            part = rng.multinomial(draws, np.full(size, 1 / size), size=replicates)
        elif scheme == "bayesian":
            part = draws * rng.dirichlet(np.full(size, fraction), size=replicates)
        elif scheme == "subsample":
            order = rng.random((replicates, size)).argsort(axis=1)
            part = (order < draws).astype(np.float32)
        else:
            raise unknown("scheme", scheme, SCHEMES)
        weights[:, columns] = part
    return weights


@dataclass(frozen=True, eq=False)
class WeightRows:
    """All weightings of the clusters that an audit needs, stacked, and which rows are which.

    Full sample, halves, left-out templates and resamples are rows of one matrix, so every number of
    a unit comes from the same cluster sums and all units see the same resamples (paired).
    """

    weights: Float[np.ndarray, "row cluster"]
    parts: dict[str, slice]
    score_half: Bool[np.ndarray, " cluster"]
    """Clusters of the half on which labels chosen on the other half are scored."""


def weight_rows(
    data: ProbingSet, options: ConceptOptions, *, rng: np.random.Generator
) -> WeightRows:
    """Draw every weighting the audit needs, from independent streams."""
    full, fresh, held, halves = rng.spawn(4)
    order = halves.permutation(data.n_groups)
    order = order[np.argsort(data.strata[order], kind="stable")]
    second = np.zeros(data.n_groups, dtype=bool)
    second[order[1::2]] = True
    held_weights = np.zeros((options.held_replicates, data.n_groups), dtype=np.float32)
    if second.any():
        held_weights[:, second] = cluster_weights(
            data.strata[second], options.held_replicates, rng=held
        )
    codes = np.unique(data.strata)
    without = data.strata[None] != codes[:, None] if len(codes) > 1 else second[None][:0]
    blocks = {
        "all": np.ones((1, data.n_groups)),
        "choose": ~second[None],
        "score": second[None],
        "full": cluster_weights(data.strata, options.replicates, rng=full, scheme=options.scheme),
        "new": cluster_weights(data.strata, options.new_replicates, rng=fresh, fraction=0.5),
        "held": held_weights,
        "without": without,
    }
    ends = np.cumsum([len(block) for block in blocks.values()]).tolist()
    parts = {
        key: slice(end - len(block), end)
        for (key, block), end in zip(blocks.items(), ends, strict=True)
    }
    weights = np.concatenate([block.astype(np.float32) for block in blocks.values()])
    return WeightRows(weights=weights, parts=parts, score_half=second)


def concept_prompts(
    concepts: Float[np.ndarray, "sample concept"],
    groups: Int[np.ndarray, " sample"],
    weights: Float[np.ndarray, " sample"] | None = None,
) -> Int[np.ndarray, "2 concept"]:
    """Clusters in which each concept occurs (row 0) and in which it is absent somewhere (row 1).

    Samples of weight 0 do not count.
    """
    if weights is not None:
        concepts, groups = concepts[weights > 0], groups[weights > 0]
    n_groups = int(groups.max()) + 1
    counts = np.zeros((2, concepts.shape[1]), dtype=np.int64)
    for row, there in enumerate((concepts > 0.5, concepts < 0.5)):
        for column in range(concepts.shape[1]):
            hit = np.zeros(n_groups, dtype=bool)
            hit[groups[there[:, column]]] = True
            counts[row, column] = hit.sum()
    return counts
