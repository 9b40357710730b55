"""Put a new attribution method to the test.

There are circuits it must find, exact effects it must approximate, and a baseline it must not fall
behind.

Method and baseline are scored on the same prompts, so every difference is paired. The planted
models' circuits and effects are known in closed form; in the pocket model, a trained transformer,
every edge is patched exactly and the circuit is what exact patching finds strongest.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.agreement import Change, Selected, halves_agreement, halves_change
from circuitvar.audit.indices import auroc, average_precision, spearman
from circuitvar.audit.intervals import group_jackknife
from circuitvar.circuits.loading import load_model, load_planted
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import probe_method, score_edges
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import EdgeScores, Method, ScoreFn, ScoreOptions
from circuitvar.reports.compare.gate import Gate, Row, judge_rows
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.planted import get_planted
from circuitvar.tasks.tokens import get_metric, take, tokenize
from circuitvar.tasks.types import Batch, Metric
from circuitvar.tasks.units import use_templates

PLANTED = ("induction", "two-route", "gated")
"""Planted models every method is tried on: a copying circuit, redundancy, and a nonlinearity."""

POCKET_TASK = "ioi"
"""Task of the pocket model that every method is tried on."""

BASELINE = "eap-ig-inputs"
TOLERANCE = 0.02
"""Of AUROC, average precision, rank correlation and phi."""


@dataclass(frozen=True, eq=False)
class Case:
    """A model, prompts and what is true about them."""

    key: str
    model: Model
    batch: Batch
    metric: Metric
    exact: Float[np.ndarray, "example edge"]
    """Exact effects of every edge on every example."""
    truth: Bool[np.ndarray, " edge"]
    """The circuit: edges with an effect, or the strongest edges by exact patching."""
    circuit: str = "planted"
    """`planted` or `exact`: where the circuit comes from."""


def planted_case(key: str, *, n: int = 48, seed: int = 0) -> Case:
    """`n` prompts of one planted model with its closed-form effects."""
    planted, model = get_planted(key), load_planted(key)
    pairs = planted.task.sample(n, rng=np.random.default_rng(seed))
    exact = np.zeros((len(pairs), model.graph.n_edges))
    for row, pair in zip(exact, pairs, strict=True):
        effects = planted.effects(pair)
        row[model.graph.columns(tuple(effects))] = list(effects.values())
    truth = np.zeros(model.graph.n_edges, dtype=bool)
    truth[model.graph.columns(tuple(planted.task.known_edges))] = True
    batch = tokenize(pairs, model.tokenizer).batch
    return Case(f"planted:{key}", model, batch, get_metric(planted.task.metric), exact, truth)


def planted_cases(*, n: int = 48, seed: int = 0) -> tuple[Case, ...]:
    """Every planted model of `PLANTED`."""
    return tuple(planted_case(key, n=n, seed=seed) for key in PLANTED)


def pocket_case(
    task: str = POCKET_TASK, *, n: int = 24, seed: int = 0, model_seed: int = 0
) -> Case:
    """`n` prompts of a task of the pocket model with every edge patched exactly.

    The circuit is the strongest tenth of the edges by |mean exact effect|.
    """
    chosen, model = get_task(task), load_model(f"pocket:{model_seed}")
    pairs = chosen.sample(n, rng=np.random.default_rng(seed))
    batch = tokenize(pairs, model.tokenizer).batch
    metric = get_metric(chosen.metric)
    exact = score_edges(model, batch, get_method("exact"), metric=metric)
    truth = np.zeros(model.graph.n_edges, dtype=bool)
    size = circuit_size(model.graph.n_edges, None)
    truth[np.argsort(-np.abs(exact.mean), kind="stable")[:size]] = True
    values = exact.values.astype(np.float64)
    return Case(f"pocket:{task}", model, batch, metric, values, truth, circuit="exact")


def known_cases(*, seed: int = 0) -> tuple[Case, ...]:
    """Every case a method is tried on: the planted models and the pocket model."""
    return (*planted_cases(seed=seed), pocket_case(seed=seed))


def as_method(method: Method | ScoreFn) -> Method:
    """A plain scoring function as a method; methods pass through."""
    if isinstance(method, Method):
        return method
    if not callable(method):
        raise ValueError(
            f"{method!r} is no method; pass a function (model, batch, *, metric, options) -> "
            "scores [example, edge], or a Method record"
        )
    name = getattr(method, "__name__", "new method")
    return Method(name, name.replace("_", " "), method, "")


def check_method(
    method: Method | ScoreFn,
    *,
    baseline: Method | ScoreFn | str = BASELINE,
    cases: Sequence[Case] | None = None,
    options: ScoreOptions | None = None,
    tolerance: float = TOLERANCE,
    alpha: float = 0.05,
    seed: int = 0,
) -> Gate:
    """Judge a method against a baseline on cases with a known answer.

    Cases: planted models and the pocket model's exact effects (`known_cases`) unless given. Per
    case: AUROC and average precision of |mean score| for the true edges, Spearman with the
    exact effects, phi between complementary halves; CPU-time ratio, reported but not judged.

    Raises
    ------
    ValueError
        The method is not a function, its scores are not finite (named), or a few prompts show that
        they depend on the batch or on chance.
    """
    new = as_method(method)
    base = get_method(baseline) if isinstance(baseline, str) else as_method(baseline)
    options = ScoreOptions() if options is None else options
    rows, speeds = [], []
    tried = known_cases(seed=seed) if cases is None else tuple(cases)
    scale = _probed(new, tried, options)
    for case in tried:
        found, seconds = _timed(case, new, options)
        theirs, their_seconds = _timed(case, base, options)
        rows += _recovery_rows(case, found, theirs, tolerance, seed)
        rows.append(_stability_row(case, found, theirs, tolerance, seed))
        ratio = their_seconds / seconds if seconds > 0 else math.nan
        unjudged = math.nan, math.nan, math.nan
        name = f"speed ratio: {case.key}"
        speeds.append(Row(name, their_seconds, seconds, ratio, *unjudged, "CPU time"))
    gate = judge_rows(rows, alpha=alpha)
    return Gate((*gate.rows, *scale, *speeds), alpha)


def _probed(method: Method, cases: Sequence[Case], options: ScoreOptions) -> list[Row]:
    """Refuse scores that are not of single examples; a row where their unit is not what it says.

    Approximations are far from exact effects on single cases, not on all of them.
    """
    exact, found = get_method("exact"), []
    for case in cases:
        how = {"metric": case.metric, "options": options, "exact": exact}
        found.append(probe_method(case.model, case.batch, method, **how))
        if found[-1].refused:
            wrong = "; ".join(found[-1].refused)
            raise ValueError(f"method {method.key!r} cannot be judged on {case.key}: {wrong}")
    if not found or not all(each.scale for each in found):
        return []
    nearest = min(found, key=lambda each: abs(np.log(abs(each.slope) or 1e-9)))
    gap, unknown = nearest.slope - 1, (math.nan, math.nan, math.nan)
    return [Row("scale against exact", 1.0, nearest.slope, gap, *unknown, nearest.scale, "worse")]


def _timed(case: Case, method: Method, options: ScoreOptions) -> tuple[EdgeScores, float]:
    """Scores and CPU seconds, after a first call on two examples that pays for warming up."""
    few = take(case.batch, slice(0, 2))
    score_edges(case.model, few, method, metric=case.metric, options=options)
    start = time.process_time()
    scores = score_edges(case.model, case.batch, method, metric=case.metric, options=options)
    return scores, time.process_time() - start


Statistic = Callable[[np.ndarray, np.ndarray], float]


def _recovery_rows(
    case: Case, new: EdgeScores, base: EdgeScores, tolerance: float, seed: int
) -> list[Row]:
    """Differences of recovery and accuracy, jackknifed over templates or prompts."""
    statistics: dict[str, Statistic] = {
        f"AUROC of the {case.circuit} circuit": lambda scores, _: auroc(np.abs(scores), case.truth),
        f"average precision of the {case.circuit} circuit": lambda scores, _: average_precision(
            np.abs(scores), case.truth
        ),
        "rank correlation with exact": spearman,
    }

    def differences(weights: np.ndarray) -> np.ndarray:
        exact, mine, theirs = (weights @ v for v in (case.exact, new.values, base.values))
        return np.array([f(mine, exact) - f(theirs, exact) for f in statistics.values()])

    found = group_jackknife(
        differences,
        len(case.batch),
        names=tuple(statistics),
        rng=np.random.default_rng(seed),
        clusters=use_templates(case.batch.templates),
    )
    exact = case.exact.mean(axis=0)
    rows = []
    for (name, statistic), gap in zip(statistics.items(), found, strict=True):
        first, second = (statistic(scores.mean, exact) for scores in (base, new))
        gap = replace(gap, interval=f"paired: {gap.interval}")
        change = Change(f"{name}: {case.key}", first, second, gap, max(gap.n - 1, 1))
        rows.append(Row.of(change, tolerance))
    return rows


def _stability_row(
    case: Case, new: EdgeScores, base: EdgeScores, tolerance: float, seed: int
) -> Row:
    """phi between complementary halves, at the size of the true circuit, on the same splits."""
    both = [Selected(scores.values, int(case.truth.sum())) for scores in (base, new)]
    phi, _ = halves_change(*both, rng=np.random.default_rng(seed), pairs=20)
    return Row.of(replace(phi, name=f"phi: {case.key}"), tolerance)


def assert_method_ok(
    method: Method | ScoreFn,
    *,
    baseline: Method | ScoreFn | str = BASELINE,
    strict: bool = False,
    **options,
) -> Gate:
    """Fail, with the whole table, when a method is significantly worse than the baseline.

    `strict` also fails when the data cannot tell, and where it is better in other measures. Other
    options are those of `check_method`.

    Raises
    ------
    AssertionError
        The method is worse (or, with `strict`, not shown to be no worse).
    """
    gate = check_method(method, baseline=baseline, **options)
    if gate.outcome == "worse" or (strict and gate.outcome not in ("better", "no worse")):
        columns = ["measure", "baseline", "new", "difference", "se", "tolerance", "outcome"]
        table = gate.frame()[columns].to_string(index=False, float_format="%.4g")
        raise AssertionError(f"method against baseline: {gate.outcome}\n{table}")
    return gate


def leaderboard(methods: Sequence[Method], *, cases: Sequence[Case] | None = None) -> pd.DataFrame:
    """Every method on every case: method, case, auroc, average_precision, spearman, phi, seconds.

    Methods that are not defined for a case (a metric without gradient, a missing MLP) are listed
    with the reason in `note` and no numbers, so that absence is visible.
    """
    rows = []
    for case in known_cases() if cases is None else cases:
        for method in methods:
            row: dict[str, object] = {"method": method.key, "case": case.key, "note": ""}
            try:
                scores, seconds = _timed(case, method, ScoreOptions())
            except ValueError as error:
                rows.append({**row, "note": str(error)})
                continue
            size, rng = int(case.truth.sum()), np.random.default_rng(0)
            row |= {
                "auroc": auroc(np.abs(scores.mean), case.truth),
                "average_precision": average_precision(np.abs(scores.mean), case.truth),
                "spearman": spearman(scores.mean, case.exact.mean(axis=0)),
                "phi": halves_agreement(scores.values, rng=rng, size=size, pairs=20).phi.value,
                "seconds": seconds,
            }
            rows.append(row)
    return pd.DataFrame(rows)
