"""Votes, sets, held-out scores and verdicts of every unit, in one pass over the activations.

Full sample, halves, left-out templates and all resamples are rows of one weight matrix, so every
number of a unit comes from the same cluster sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.neurons.bootstrap_votes import VoteCount, class_scores, replicate_scores
from circuitvar.audit.neurons.bounds import clustered_ratio_half_width, similarity_interval
from circuitvar.audit.neurons.certificate import Certificate, identification_certificate
from circuitvar.audit.neurons.cluster_resampling import Scheme, cluster_weights
from circuitvar.audit.neurons.cluster_sums import (
    active_rows,
    chunk_size,
    concept_columns,
    sample_moments,
)
from circuitvar.audit.neurons.concept_sets import (
    conformal_set,
    interval_set,
    margin,
    maxt_set,
    vote_set,
)
from circuitvar.audit.neurons.probing_set import unit_chunks
from circuitvar.audit.neurons.similarity_metrics import DEFAULT_RANKING, get_similarity
from circuitvar.audit.neurons.types import ConceptSets, ProbingSet


@dataclass(frozen=True)
class ConceptOptions:
    """Everything that can change a label, a set or a verdict besides the data."""

    metrics: tuple[str, ...] = DEFAULT_RANKING
    """The first one ranks; the others are asked whether they agree."""
    replicates: int = 1000
    new_replicates: int = 200
    """Half-size resamples for S_new."""
    held_replicates: int = 200
    set_replicates: int = 400
    """Of the `replicates`, how many the pairwise comparisons of S_maxt use."""
    alpha: float = 0.05
    quantile: float | None = 0.05
    threshold: float = 0.0
    scheme: Scheme = "multinomial"
    alias_threshold: float = 0.95
    min_prompts: int = 10
    """A concept needs this many prompts with it, and as many without, to be eligible."""
    null_draws: int = 40
    vote_bar: float = 0.95
    interval_metric: str = "iou"
    """Metric of S_ci and of the certificate; must have a finite-sample interval."""


@dataclass(frozen=True, eq=False)
class WeightRows:
    """All weightings of the clusters, stacked, and which rows are which."""

    weights: Float[np.ndarray, "row cluster"]
    parts: dict[str, slice]
    score_half: Bool[np.ndarray, " cluster"]
    """Clusters of the half on which labels chosen on the other half are scored."""


@dataclass(frozen=True, eq=False)
class UnitResult:
    """One unit against all concept classes."""

    score: Float[np.ndarray, " class"]
    share: Float[np.ndarray, " class"]
    sets: ConceptSets
    margin: float
    held_out: float
    """Score, on the second half of the prompts, of the class that wins the first half."""
    held_low: float
    held_high: float
    metric_agreement: float
    """Share of the other metric families whose winner is the same; NaN without others."""
    template_agreement: float
    """Share of leave-one-template-out winners that are the same; NaN with one template."""
    certificate: Certificate | None
    winners: dict[str, int] = field(default_factory=dict)


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


def audit_units(
    data: ProbingSet,
    members: Sequence[Sequence[int]],
    rows: WeightRows,
    options: ConceptOptions,
) -> list[UnitResult]:
    """Results of every unit, in order."""
    primary, others = options.metrics[0], options.metrics[1:]
    columns = concept_columns(data, with_log="wpmi" in options.metrics)
    results: list[UnitResult] = []
    for _, block in unit_chunks(data, chunk_size(data, len(rows.weights))):
        on = active_rows(block, quantile=options.quantile, threshold=options.threshold)
        scores = np.concatenate(
            [
                class_scores(found[primary], members)
                for _, found in replicate_scores(
                    data,
                    columns,
                    block,
                    on if get_similarity(primary).thresholded else None,
                    rows.weights,
                    [primary],
                )
            ]
        )
        agreeing = {}
        if others:
            [(_, found)] = replicate_scores(
                data, columns, block, on, rows.weights[rows.parts["all"]], others
            )
            agreeing = {key: class_scores(values, members)[0] for key, values in found.items()}
        limits = simultaneous_limits(data, block, on, members, options)
        results += _chunk_results(scores, agreeing, limits, rows, options)
    return results


def _chunk_results(
    scores: Float[np.ndarray, "row class unit"],
    agreeing: dict[str, Float[np.ndarray, "class unit"]],
    limits: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    rows: WeightRows,
    options: ConceptOptions,
) -> list[UnitResult]:
    parts = {key: scores[where] for key, where in rows.parts.items()}
    tally = {key: _votes(options.metrics[0], parts[key]) for key in ("full", "new")}
    by_unit = np.ascontiguousarray(parts["full"].transpose(2, 0, 1))
    results = []
    for unit in range(scores.shape[2]):
        score = parts["all"][0, :, unit]
        draws = by_unit[unit, : options.set_replicates]
        low, high, estimate = (a[:, unit] for a in limits) if limits else (None, None, None)
        sets = ConceptSets(
            vote=vote_set(tally["full"].shares[:, unit], alpha=options.alpha),
            conf=conformal_set(tally["full"], unit, alpha=options.alpha),
            new=vote_set(tally["new"].shares[:, unit], alpha=options.alpha),
            maxt=maxt_set(score, draws, alpha=options.alpha),
            ci=None if low is None or high is None else interval_set(low, high),
        )
        held, held_low, held_high = _held_out(parts, unit, options.alpha)
        winner = _best(score)
        mine = {key: _best(values[:, unit]) for key, values in agreeing.items()}
        left_out = [_best(row) for row in parts["without"][:, :, unit]]
        results.append(
            UnitResult(
                score=score,
                share=tally["full"].shares[:, unit],
                sets=sets,
                margin=margin(score, draws),
                held_out=held,
                held_low=held_low,
                held_high=held_high,
                metric_agreement=_share(_families(mine, options.metrics[0]), winner),
                template_agreement=_share(left_out, winner),
                certificate=None
                if estimate is None or low is None or high is None
                else identification_certificate(estimate, low, high),
                winners=mine,
            )
        )
    return results


def simultaneous_limits(
    data: ProbingSet,
    block: Float[np.ndarray, "sample unit"],
    active: Bool[np.ndarray, "sample unit"],
    members: Sequence[Sequence[int]],
    options: ConceptOptions,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Lower limit, upper limit and estimate per (class, unit), simultaneous over classes.

    Exact binomial when every cluster has one row; else the clustered distribution-free bound.
    None for weighted samples or graded concepts, where the counts are not binomial.
    """
    concepts = data.concepts
    if not (data.weights == 1).all() or not ((concepts == 0) | (concepts == 1)).all():
        return None
    m = sample_moments(block, active, concepts, data.weights)
    fn = get_similarity(options.interval_metric).fn
    assert fn is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = fn(m)[0].astype(np.float64)
    delta = options.alpha / max(sum(map(len, members)), 1)
    n, on, c, both = (
        np.asarray(part[0], np.float64) for part in (m.n, m.active, m.concept, m.both)
    )
    if data.n_groups == data.n_samples:
        low, high = similarity_interval(options.interval_metric, n, on, c, both, delta=delta)
    elif options.interval_metric == "iou":
        largest = float(np.bincount(data.groups).max())
        width = clustered_ratio_half_width(on + c - both, data.n_groups, largest, delta=delta)
        low, high = np.clip(estimate - width, 0, 1), np.clip(estimate + width, 0, 1)
    else:
        return None
    stacked = [class_scores(part[None], members)[0] for part in (low, high, estimate)]
    return stacked[0], stacked[1], stacked[2]


def unit_verdict(result: UnitResult, null: float, *, vote_bar: float) -> str:
    """stable, ambiguous or unidentified; see the fields quoted.

    stable: S_maxt is one class, it wins at least `vote_bar` of the resamples, and the held-out
    score of the label is above chance (lower limit above the null maximum). unidentified: S_maxt
    has more than 4 classes or none, or the held-out score is not above the null maximum.
    """
    size = int(result.sets.maxt.sum())
    above = result.held_out > null
    if not above or size == 0 or size > 4:
        return "unidentified"
    if size == 1 and result.share.max() >= vote_bar and result.held_low > null:
        return "stable"
    return "ambiguous"


def _votes(metric: str, scores: Float[np.ndarray, "replicate class unit"]):
    count = VoteCount(metric, len(scores))
    for start in range(0, len(scores), 64):
        part = slice(start, min(start + 64, len(scores)))
        count.add(part, scores[part])
    return count.votes()


def _best(score: Float[np.ndarray, " class"]) -> int:
    return int(np.nanargmax(score)) if np.isfinite(score).any() else -1


def _held_out(parts: dict[str, np.ndarray], unit: int, alpha: float) -> tuple[float, float, float]:
    chosen = _best(parts["choose"][0, :, unit])
    if chosen < 0:
        return float("nan"), float("nan"), float("nan")
    draws = parts["held"][:, chosen, unit]
    if not np.isfinite(draws).any():
        return float("nan"), float("nan"), float("nan")
    low, high = np.nanquantile(draws, [alpha / 2, 1 - alpha / 2])
    return float(parts["score"][0, chosen, unit]), float(low), float(high)


def _families(winners: dict[str, int], primary: str) -> list[int]:
    """One vote per metric family other than the primary's."""
    own = get_similarity(primary).family
    return list({get_similarity(k).family: w for k, w in winners.items()
                 if get_similarity(k).family != own}.values())  # fmt: skip


def _share(found: Sequence[int], winner: int) -> float:
    return float(np.mean([w == winner for w in found])) if found else float("nan")


def powered_concepts(
    prompts: Int[np.ndarray, "2 concept"], options: ConceptOptions
) -> Bool[np.ndarray, " concept"]:
    """Concepts present in, and absent somewhere in, at least `min_prompts` prompts."""
    return prompts.min(axis=0) >= options.min_prompts


def with_metric(options: ConceptOptions, metric: str) -> ConceptOptions:
    """The same options ranked by another metric."""
    rest = tuple(key for key in options.metrics if key != metric)
    return replace(options, metrics=(metric, *rest))
