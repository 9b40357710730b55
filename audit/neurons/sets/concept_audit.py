"""Votes, sets, held-out scores and verdicts of every unit, in one pass over the activations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.neurons import resampling, similarity
from circuitvar.audit.neurons.data import ConceptSets, ProbingSet
from circuitvar.audit.neurons.sets import concept_sets
from circuitvar.audit.neurons.sets.concept_limits import (
    Certificate,
    identification_certificate,
    simultaneous_limits,
)
from circuitvar.audit.neurons.similarity import ConceptOptions, WeightRows, get_similarity


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


def audit_units(
    data: ProbingSet,
    members: Sequence[Sequence[int]],
    rows: WeightRows,
    options: ConceptOptions,
    *,
    workers: int = 1,
) -> list[UnitResult]:
    """Results of every unit, in order; `workers` threads share the blocks of units.

    Raises
    ------
    ValueError
        A metric that needs 0/1 concepts was asked for on graded ones.
    """
    similarity.require_binary(data.concepts, options.metrics)
    columns = similarity.concept_columns(data, with_log="wpmi" in options.metrics)

    def work(_: slice, block: Float[np.ndarray, "sample unit"]) -> list[UnitResult]:
        return _audit_block(data, columns, block, members, rows, options)

    size = similarity.chunk_size(data, len(rows.weights))
    results: list[UnitResult] = []
    for _, found in resampling.map_unit_blocks(data, size, work, workers=workers):
        results += found
    return results


def _audit_block(
    data: ProbingSet,
    columns: similarity.Columns,
    block: Float[np.ndarray, "sample unit"],
    members: Sequence[Sequence[int]],
    rows: WeightRows,
    options: ConceptOptions,
) -> list[UnitResult]:
    """One chunk of units: cluster sums once, then every weighting of them."""
    primary, others = options.metrics[0], options.metrics[1:]
    on = similarity.active_rows(
        block, quantile=options.quantile, threshold=options.threshold, weights=data.weights
    )
    sums = similarity.cluster_sums(columns, block, on)
    every = rows.weights[rows.parts["all"]]
    needed = sums if get_similarity(primary).thresholded else replace(sums, both=None)
    scores = np.empty((len(rows.weights), len(members), block.shape[1]), dtype=np.float32)
    for where, found in resampling.replicate_scores(
        data, columns, block, None, rows.weights, [primary], sums=needed
    ):
        scores[where] = resampling.class_scores(found[primary], members)
    agreeing = {}
    if others:
        [(_, found)] = resampling.replicate_scores(
            data, columns, block, on, every, others, sums=sums
        )
        agreeing = {k: resampling.class_scores(values, members)[0] for k, values in found.items()}
    [(_, whole)] = similarity.weighted_moments(sums, every)
    limits = simultaneous_limits(data, whole, members, options)
    return _chunk_results(scores, agreeing, limits, rows, options)


def _chunk_results(
    scores: Float[np.ndarray, "row class unit"],
    agreeing: dict[str, Float[np.ndarray, "class unit"]],
    limits: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    rows: WeightRows,
    options: ConceptOptions,
) -> list[UnitResult]:
    parts = {key: scores[where] for key, where in rows.parts.items()}
    tally = {key: _votes(options.metrics[0], parts[key]) for key in ("full", "new")}
    by_unit = np.ascontiguousarray(parts["full"][: options.set_replicates].transpose(2, 0, 1))
    held = _held_out(parts, options.alpha)
    point = np.ascontiguousarray(parts["all"][0].T)
    winners = _best(parts["all"][0])
    # One vote per metric family other than the primary's.
    by_family = {get_similarity(key).family: _best(values) for key, values in agreeing.items()}
    by_family.pop(get_similarity(options.metrics[0]).family, None)
    left_out = [_best(row) for row in parts["without"]]
    results = []
    for unit, winner in enumerate(winners.tolist()):
        # Copies: a view would keep the scores of the whole block alive.
        score, share = point[unit].copy(), tally["full"].shares[:, unit].copy()
        draws = by_unit[unit]
        low, high, estimate = (a[:, unit] for a in limits) if limits else (None, None, None)
        sets = ConceptSets(
            vote=concept_sets.vote_set(share, alpha=options.alpha),
            conf=concept_sets.conformal_set(tally["full"], unit, alpha=options.alpha),
            new=concept_sets.vote_set(tally["new"].shares[:, unit], alpha=options.alpha),
            maxt=concept_sets.maxt_set(score, draws, alpha=options.alpha),
            ci=None if low is None or high is None else concept_sets.interval_set(low, high),
        )
        results.append(
            UnitResult(
                score=score,
                share=share,
                sets=sets,
                margin=concept_sets.margin(score, draws),
                **{key: float(values[unit]) for key, values in held.items()},
                metric_agreement=_share([best[unit] for best in by_family.values()], winner),
                template_agreement=_share([best[unit] for best in left_out], winner),
                certificate=None
                if estimate is None or low is None or high is None
                else identification_certificate(estimate, low, high),
            )
        )
    return results


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
    count = resampling.VoteCount(metric, len(scores))
    for start in range(0, len(scores), 64):
        part = slice(start, min(start + 64, len(scores)))
        count.add(part, scores[part])
    return count.votes()


def _best(score: Float[np.ndarray, "class unit"]) -> Int[np.ndarray, " unit"]:
    """First class with the highest score of each unit, -1 where none has a score."""
    best = np.where(np.isnan(score), -np.inf, score).argmax(axis=0)
    return np.where(np.isfinite(score).any(axis=0), best, -1)


def _held_out(parts: dict[str, np.ndarray], alpha: float) -> dict[str, np.ndarray]:
    """Score and interval on the second half of the class that wins the first; NaN without one."""
    chosen = _best(parts["choose"][0])
    units = np.arange(len(chosen))
    draws = np.where(chosen < 0, np.float32(np.nan), parts["held"][:, chosen, units])
    known = np.isfinite(draws).any(axis=0)
    value = np.where(known, parts["score"][0, chosen, units], np.nan)
    low, high = np.full((2, len(chosen)), np.nan)
    full = np.isfinite(draws).all(axis=0)
    levels = [alpha / 2, 1 - alpha / 2]
    low[full], high[full] = np.quantile(draws[:, full], levels, axis=0)
    for unit in np.flatnonzero(known & ~full):
        low[unit], high[unit] = np.nanquantile(draws[:, unit], levels)
    return {"held_out": value, "held_low": low, "held_high": high}


def _share(found: Sequence[int], winner: int) -> float:
    return float(np.mean([w == winner for w in found])) if found else float("nan")
