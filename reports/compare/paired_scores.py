"""What the stored scores of two runs say about their difference, prompt by prompt.

Both run folders keep the per-example scores. Where they are of the same prompts, every statistic
of the scores is recomputed from both with the same prompts left out or redrawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.agreement import (
    Change,
    Selected,
    bootstrap_change,
    halves_change,
    template_change,
)
from circuitvar.audit.indices import auroc, average_precision
from circuitvar.audit.intervals import group_jackknife
from circuitvar.audit.resampling import bootstrap
from circuitvar.audit.runs import spread_over_templates
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.audit.variance import exact_numbers
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.scores import read_scores
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import EdgeScores
from circuitvar.reports.card import Run
from circuitvar.reports.tables import fact
from circuitvar.reports.verify import SCORES, read_settings
from circuitvar.tasks.units import use_templates

Statistic = Callable[[Float[np.ndarray, " example"]], float]
"""Of the weights of the prompts."""


@dataclass(frozen=True, eq=False)
class Side:
    """One run with its scores."""

    run: Run
    scores: EdgeScores
    settings: Settings
    size: int

    @property
    def selected(self) -> Selected:
        """Its scores and how a circuit is selected from them."""
        return Selected(self.scores.values, self.size, self.settings.signed)


def score_changes(a: Run, b: Run) -> tuple[Change, ...]:
    """Stability, accuracy against exact and recovery of a known circuit, b minus a, paired.

    Empty where a run has no stored scores or the two are not of the same prompts.
    """
    digests = {fact(run.card["provenance"], "data_digest") for run in (a, b)}
    if len(digests) > 1 or None in digests:
        return ()
    sides = [scored_side(run) for run in (a, b)]
    first, second = sides
    if first is None or second is None or first.scores.templates != second.scores.templates:
        return ()
    return (*stability_changes(first, second), *accuracy_changes(first, second))


def scored_side(run: Run) -> Side | None:
    """A run with its stored scores; None where it has none."""
    folder = run.folder / SCORES
    if not (folder / "scores.json").is_file():
        return None
    scores, settings = read_scores(folder), read_settings(run.card)
    return Side(run, scores, settings, circuit_size(scores.values.shape[1], settings.size))


def stability_changes(a: Side, b: Side) -> list[Change]:
    """phi and Jaccard of every axis that the scores give, named as in `compare`.

    The first run's seed and number of replicates are used for both.
    """
    settings, templates = a.settings, a.scores.templates
    level, clusters = settings.confidence, use_templates(templates)
    both = a.selected, b.selected
    rng = stream(settings.seed, "bootstrap")
    resamples = bootstrap(len(templates), settings.bootstrap, rng=rng)
    found = {"bootstrap": bootstrap_change(*both, resamples, level=level)}
    for unit, of in (("prompt", None), ("template", clusters)):
        if unit == "prompt" or of is not None:
            rng = stream(settings.seed, "halves", unit)
            found[f"halves-{unit}"] = halves_change(
                *both, rng=rng, clusters=of, pairs=settings.pairs, level=level
            )
    if clusters is not None:
        found["paraphrase"] = template_change(*both, templates, level=level)
    titles = {"phi": "phi", "jaccard": "Jaccard"}
    return [
        replace(change, name=f"{titles[change.name]}: {axis}")
        for axis, changes in found.items()
        for change in changes
    ]


def accuracy_changes(a: Side, b: Side) -> list[Change]:
    """Agreement with exact effects and recovery of the known circuit, jackknifed.

    The exact effects are those of each run's edge table, held fixed; they are held against the mean
    scores of the prompts that were patched exactly, as on the page of the run.
    """
    mine, theirs = _statistics(a), _statistics(b)
    names = tuple(name for name in mine if name in theirs)
    if not names:
        return []
    templates = a.scores.templates

    def differences(weights: np.ndarray) -> np.ndarray:
        return np.array([theirs[name](weights) - mine[name](weights) for name in names])

    found = group_jackknife(
        differences,
        len(templates),
        names=names,
        rng=np.random.default_rng(0),
        clusters=use_templates(templates),
        level=a.settings.confidence,
    )
    return [
        Change(
            name,
            mine[name](np.full(len(templates), 1 / len(templates))),
            theirs[name](np.full(len(templates), 1 / len(templates))),
            replace(gap, name="difference", interval=f"paired: jackknife over {gap.unit}s"),
            max(gap.n - 1, 1),
        )
        for name, gap in zip(names, found, strict=True)
    ]


def _statistics(side: Side) -> dict[str, Statistic]:
    """What the mean scores of one run are held against, by the name of the number."""
    size, signed, edges = side.size, side.settings.signed, side.run.frames.get("edges")
    every = np.arange(len(side.scores.values))
    found: dict[str, Statistic] = {}
    exact = None if edges is None or "exact" not in edges else edges["exact"].to_numpy(dtype=float)
    if exact is not None and len(exact) == side.scores.values.shape[1] and np.isfinite(exact).all():
        rows = spread_over_templates(side.scores.templates, side.settings.exact)
        for name, number in exact_numbers(size, signed=signed).items():
            found[name] = _of_mean(side, rows, lambda mean, of=number: of(mean, exact))
        truth = top_n_masks(exact[None], size, signed=signed)[0]
        for name, number in _recovery("exact", truth, signed).items():
            found[name] = _of_mean(side, rows, number)
    planted = _planted_circuit(side)
    if planted is not None:
        for name, number in _recovery("planted", planted, signed).items():
            found[name] = _of_mean(side, every, number)
    return found


def _of_mean(side: Side, rows: np.ndarray, number: Callable[[np.ndarray], float]) -> Statistic:
    """A number of the mean scores of some prompts, as a function of the weights of all."""
    values = side.scores.values[rows]

    def statistic(weights: np.ndarray) -> float:
        total = weights[rows].sum()
        return number(weights[rows] / total @ values) if total else float("nan")

    return statistic


def _sized(scores: np.ndarray, signed: bool) -> np.ndarray:
    """What edges are ranked by."""
    return scores if signed else np.abs(scores)


def _recovery(
    kind: str, truth: Bool[np.ndarray, " edge"], signed: bool
) -> dict[str, Callable[[np.ndarray], float]]:
    if not 0 < truth.sum() < truth.size:
        return {}
    return {
        f"AUROC of the {kind} circuit": lambda scores: auroc(_sized(scores, signed), truth),
        f"average precision of the {kind} circuit": lambda scores: average_precision(
            _sized(scores, signed), truth
        ),
    }


def _planted_circuit(side: Side) -> Bool[np.ndarray, " edge"] | None:
    """The true circuit, for tasks of planted models on those models; None for others."""
    from circuitvar.tasks.planted import PLANTED_TASKS

    known = {task.key: task.known_edges for task in PLANTED_TASKS}
    edges = known.get(side.run.labels.get("task", ""))
    names = set(side.scores.graph.edge_names)
    if not edges or side.scores.columns is not None or not edges <= names:
        return None
    truth = np.zeros(side.scores.graph.n_edges, dtype=bool)
    truth[side.scores.graph.columns(tuple(edges))] = True
    return truth
