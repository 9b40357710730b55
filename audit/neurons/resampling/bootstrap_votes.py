"""Which concept wins, replicate by replicate: the bootstrap ensemble.

The base rule (argmax of a similarity) is run on K cluster resamples of the probing set at once.
Ties are split evenly between the tied classes instead of being broken by noise or column order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.indices import midranks
from circuitvar.audit.neurons.data import ProbingSet, Votes
from circuitvar.audit.neurons.resampling.unit_blocks import map_unit_blocks
from circuitvar.audit.neurons.similarity import (
    REPLICATE_BLOCK,
    ClusterSums,
    Columns,
    activity,
    auroc_influence,
    chunk_size,
    cluster_sums,
    concept_columns,
    get_similarity,
    pearson,
    require_binary,
    weighted_moments,
)

Members = Sequence[Sequence[int]]


def bootstrap_votes(
    data: ProbingSet,
    weights: Float[np.ndarray, "replicate cluster"],
    metrics: Sequence[str],
    *,
    members: Members | None = None,
    quantile: float | None = 0.05,
    threshold: float = 0.0,
    workers: int = 1,
) -> dict[str, Votes]:
    """Vote for the best concept class of every unit under every metric.

    The `weights`, from `cluster_weights`, serve all units and metrics (paired). `members` are the
    concept columns of each class; by default each column is one.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> from circuitvar.audit.neurons.similarity import cluster_weights
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, (200, 3))
    >>> data = probing_set(labels[:, [1]] + 0.1 * rng.normal(size=(200, 1)), labels)
    >>> w = cluster_weights(data.strata, 50, rng=rng)
    >>> bootstrap_votes(data, w, ["pearson"])["pearson"].shares[:, 0].tolist()
    [0.0, 1.0, 0.0]
    """
    require_binary(data.concepts, metrics)
    columns = concept_columns(data, with_log="wpmi" in metrics)

    def work(_: slice, block: Float[np.ndarray, "sample unit"]) -> dict[str, Votes]:
        on = activity(block, metrics, quantile=quantile, threshold=threshold, weights=data.weights)
        counts = {key: VoteCount(key, len(weights)) for key in metrics}
        for rows, scores in replicate_scores(data, columns, block, on, weights, metrics):
            for key, values in scores.items():
                counts[key].add(rows, class_scores(values, members))
        return {key: count.votes() for key, count in counts.items()}

    size = chunk_size(data, len(weights))
    blocks = [votes for _, votes in map_unit_blocks(data, size, work, workers=workers)]
    return {key: _join([votes[key] for votes in blocks]) for key in metrics}


def replicate_scores(
    data: ProbingSet,
    columns: Columns,
    block: Float[np.ndarray, "sample unit"],
    active: Bool[np.ndarray, "sample unit"] | None,
    weights: Float[np.ndarray, "replicate cluster"],
    metrics: Sequence[str],
    *,
    sums: ClusterSums | None = None,
) -> Iterator[tuple[slice, dict[str, Float[np.ndarray, "replicate concept unit"]]]]:
    """Scores of one chunk of units under every weight vector, in blocks of replicates.

    `sums` are the cluster sums of the block where the caller has them already. AUROC uses its
    influence values and Spearman the mid-ranks of the whole probing set: both are linear
    approximations to re-sorting each replicate.
    """
    functions = {key: fn for key in metrics if (fn := get_similarity(key).fn) is not None}
    rank_keys = [key for key in metrics if key not in functions]
    ranked = {key: _rank_replicates(key, data, block, weights) for key in rank_keys}
    if not functions:
        for start in range(0, len(weights), REPLICATE_BLOCK):
            rows = slice(start, min(start + REPLICATE_BLOCK, len(weights)))
            yield rows, {key: values[rows] for key, values in ranked.items()}
        return
    sums = cluster_sums(columns, block, active) if sums is None else sums
    for rows, moments in weighted_moments(sums, weights):
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = {key: fn(moments) for key, fn in functions.items()}
        yield rows, scores | {key: values[rows] for key, values in ranked.items()}


def _rank_replicates(
    key: str, data: ProbingSet, block: np.ndarray, weights: np.ndarray
) -> Float[np.ndarray, "replicate concept unit"]:
    if key == "spearman":
        ranks = midranks(block, data.weights).astype(np.float32)
        concepts = midranks(data.concepts, data.weights).astype(np.float32)
        sums = cluster_sums(concept_columns(replace(data, concepts=concepts)), ranks, None)
        return np.concatenate([pearson(m) for _, m in weighted_moments(sums, weights)])
    if key != "auroc":
        raise ValueError(
            f"{key} has no fast resampling form; score it with `similarity` on each resample."
        )
    labels = data.concepts.astype(np.float64)
    scale = weights / weights.sum(axis=1, keepdims=True) * weights.shape[1]
    out = np.empty((len(weights), data.n_concepts, block.shape[1]), dtype=np.float32)
    for unit, column in enumerate(block.T.astype(np.float64)):
        area, psi = auroc_influence(column, labels, data.weights, data.groups, data.n_groups)
        out[:, :, unit] = area + scale @ psi
    return out


def class_scores(
    scores: Float[np.ndarray, "replicate concept unit"], members: Members | None
) -> Float[np.ndarray, "replicate class unit"]:
    """Score of a class: the best of its member columns."""
    if members is None:
        return scores
    out = scores[:, [group[0] for group in members]]
    for code, group in enumerate(members):
        for column in group[1:]:
            np.fmax(out[:, code], scores[:, column], out=out[:, code])
    return out


def best_classes(
    scores: Float[np.ndarray, "replicate class unit"],
) -> Bool[np.ndarray, "replicate class unit"]:
    """True on the winner, or on every tied winner; all False where no class has a score."""
    best = scores.max(axis=1)
    if np.isnan(best).any():
        scores = np.where(np.isnan(scores), -np.inf, scores)
        best = scores.max(axis=1)
        best[best == -np.inf] = np.nan
    return scores == best[:, None]


class VoteCount:
    """Votes of one chunk of units while its replicate blocks arrive."""

    def __init__(self, metric: str, replicates: int):
        self.metric = metric
        self.replicates = replicates
        self.shares: list[np.ndarray] = []
        self.winners: list[np.ndarray] = []
        self.tied: list[np.ndarray] = []

    def add(self, rows: slice, scores: Float[np.ndarray, "replicate class unit"]) -> None:
        """Count the replicates `rows`."""
        best = best_classes(scores)
        flags = best.view(np.int8)
        count = flags.sum(axis=1, dtype=np.int16)
        codes = np.arange(1, best.shape[1] + 1, dtype=np.int16)
        self.winners.append((flags * codes[:, None]).max(axis=1) - np.int16(1))
        self.shares.append(share := flags.sum(axis=0, dtype=np.int32).astype(np.float64))
        if count.max() <= 1:
            return
        replicates, units = np.nonzero(count > 1)
        among = best[replicates, :, units]
        excess = among * (1 - 1 / count[replicates, units])[:, None]
        np.subtract.at(share.T, units, excess)
        pair, code = np.nonzero(among)
        self.tied.append(np.stack([replicates[pair] + rows.start, code, units[pair]], axis=1))

    def votes(self) -> Votes:
        """What was counted so far."""
        empty = np.zeros((0, 3), dtype=np.int64)
        return Votes(
            metric=self.metric,
            shares=np.sum(self.shares, axis=0) / self.replicates,
            winners=np.concatenate(self.winners),
            tied=np.concatenate([empty, *self.tied]),
        )


def _join(parts: list[Votes]) -> Votes:
    offsets = np.cumsum([0, *(part.winners.shape[1] for part in parts)])
    tied = [np.add(part.tied, [0, 0, start]) for part, start in zip(parts, offsets, strict=False)]
    return Votes(
        metric=parts[0].metric,
        shares=np.concatenate([part.shares for part in parts], axis=1),
        winners=np.concatenate([part.winners for part in parts], axis=1),
        tied=np.concatenate(tied),
    )


def vote_share_error(replicates: int, classes: int) -> float:
    """Simultaneous Monte-Carlo half-width of vote shares: sqrt(ln(2 M / .05) / (2 K)).

    >>> round(vote_share_error(1000, 34), 3)
    0.06
    """
    return float(np.sqrt(np.log(2 * classes / 0.05) / (2 * replicates)))


def effective_concepts(shares: Float[np.ndarray, "class unit"]) -> Float[np.ndarray, " unit"]:
    """exp(entropy of vote shares): how many concepts the votes are spread over.

    >>> effective_concepts(np.array([[0.5], [0.5]])).round(6).tolist()
    [2.0]
    """
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.exp(-(shares * logs).sum(axis=0))


def winner_ranks(
    votes: Votes, unit: int, order: Int[np.ndarray, " class"]
) -> Int[np.ndarray, " replicate"]:
    """Position in `order` of each replicate's winner; the last one among ties; C if undefined."""
    position = np.full(len(order) + 1, len(order))
    position[order] = np.arange(len(order))
    ranks = position[votes.winners[:, unit]]
    mine = votes.tied[votes.tied[:, 2] == unit] if len(votes.tied) else votes.tied
    np.maximum.at(ranks, mine[:, 0], position[mine[:, 1]])
    return ranks
