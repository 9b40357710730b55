"""Weight vectors of a cluster bootstrap: how often each prompt (or template) enters a replicate."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from circuitvar.tasks.lookup import unknown

Scheme = Literal["multinomial", "bayesian", "subsample"]
SCHEMES: tuple[Scheme, ...] = ("multinomial", "bayesian", "subsample")


def cluster_weights(
    strata: Int[np.ndarray, " cluster"],
    replicates: int,
    *,
    rng: np.random.Generator,
    scheme: Scheme = "multinomial",
    fraction: float = 1.0,
) -> Float[np.ndarray, "replicate cluster"]:
    """Draw replicates within strata.

    Parameters
    ----------
    strata
        Stratum code per cluster; each stratum keeps its number of clusters.
    scheme
        `multinomial` draws with replacement; `bayesian` draws Dirichlet weights, which never empty
        a concept; `subsample` draws without replacement.
    fraction
        Draws per replicate as a share of the clusters (0.5 for the replication set).

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
