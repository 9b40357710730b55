"""The perturbation axes of one audit, each a set of circuits that could have been found instead."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement import (
    Wording,
    bootstrap_axis,
    halves_axis,
    phi_given_runs,
    runs_axis,
    seed_axis_matched,
    with_block_interval,
    wording,
)
from circuitvar.audit.resampling import bootstrap, template_means
from circuitvar.audit.runs import Runs, has_word_lists
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis, Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.types import EdgeScores
from circuitvar.tasks.units import sampling_units, use_templates


@dataclass(frozen=True, eq=False)
class Perturbed:
    """The axes of an audit and what wording costs."""

    axes: tuple[Axis, ...]
    lost: Estimate | None = None
    """phi lost to wording; None without enough templates."""


def matrix_axes(scores: EdgeScores, settings: Settings, size: int) -> Perturbed:
    """The axes that the per-example matrix gives by itself, without a model call.

    Resampling the matrix gives the same circuits as re-running the method on resampled prompts.
    """
    values, clusters = scores.values, use_templates(scores.templates)
    top = {"size": size, "signed": settings.signed, "level": settings.confidence}
    axes = []
    if clusters is not None:
        rng = stream(settings.seed, "halves", "template")
        axes.append(halves_axis(values, rng=rng, clusters=clusters, pairs=settings.pairs, **top))
    rng = stream(settings.seed, "halves", "prompt")
    axes.append(halves_axis(values, rng=rng, pairs=settings.pairs, **top))
    rng = stream(settings.seed, "bootstrap")
    resamples = bootstrap(len(values), settings.bootstrap, rng=rng)
    boot, _ = bootstrap_axis(values, resamples, **top)
    rng = stream(settings.seed, "bootstrap", "interval")
    axes.append(with_block_interval(boot, values, rng=rng, **top))
    if clusters is None:
        return Perturbed(tuple(axes))
    groups = wording(
        values,
        clusters,
        size=size,
        signed=settings.signed,
        level=settings.confidence,
        rng=stream(settings.seed, "paraphrase", "groups"),
    )
    axes.append(paraphrase_axis(scores, settings, size, groups))
    return Perturbed(tuple(axes), groups.lost)


@dataclass(frozen=True)
class AxisKind:
    """What is said of the runs of one axis."""

    key: str
    title: str
    unit: str
    note: str
    chosen: bool = False
    """Whether the runs were chosen by name, so that no more of them can be drawn."""


AXES = (
    AxisKind(
        "fresh-data",
        "Fresh data sets",
        "data set",
        "Independent draws of the same size from the same words.",
    ),
    AxisKind(
        "method",
        "Choice of method",
        "method",
        "Approximations of the same effects on the same prompts.",
        chosen=True,
    ),
    AxisKind(
        "seed",
        "Training seeds",
        "training seed",
        "Heads of models trained from different seeds have no common names: the same head number "
        "is another head, so low overlap is expected even if both models work alike.",
    ),
    AxisKind(
        "corruption",
        "Choice of corruption",
        "corruption",
        "The audited corruption and others. Each removes other information, so each asks another "
        "question: low agreement need not be an error.",
        chosen=True,
    ),
    AxisKind(
        "noise",
        "Noise amplitudes",
        "amplitude",
        "The audited corruption and Gaussian noise on the embeddings of role-marked tokens.",
        chosen=True,
    ),
    AxisKind(
        "ablation",
        "Method x ablation",
        "specification",
        "The audited specification and every method under the other ablations it is defined for.",
        chosen=True,
    ),
)
"""Axes whose runs are scored, in the order of a report."""
ALTERNATING = "Independent draws of the same size, alternating between disjoint word lists."
"""Note of fresh data sets of tasks that have two disjoint word lists."""


def run_means(runs: Runs) -> dict[str, Float[np.ndarray, "run edge"]]:
    """Mean scores of the runs of every axis whose runs were scored, by axis key."""
    scores, means = runs.scores, {}
    if use_templates(scores.templates) is not None:
        means["paraphrase"] = template_means(scores.values, scores.templates)[0]
    for kind in AXES:
        means[kind.key] = np.array([run.mean for run in runs.along(kind.key)])
    return {key: rows for key, rows in means.items() if len(rows) > 1}


def perturbation_axes(runs: Runs, settings: Settings, size: int) -> Perturbed:
    """Every axis the finished runs support: those of the matrix, then those of further runs."""
    from_matrix = matrix_axes(runs.scores, settings, size)
    axes, means = list(from_matrix.axes), run_means(runs)
    top, graph = {"signed": settings.signed}, runs.scores.graph
    for kind in AXES:
        if kind.key in means:
            axes.append(
                runs_axis(
                    top_n_masks(means[kind.key], size, **top),
                    key=kind.key,
                    title=kind.title,
                    unit=kind.unit,
                    level=settings.confidence,
                    note=_note(kind, runs),
                    chosen=kind.chosen,
                )
            )
    if "seed" in means and graph.kv_heads == graph.n_heads:
        rng = stream(settings.seed, "match heads")
        axes.append(
            seed_axis_matched(graph, means["seed"], size, rng=rng, level=settings.confidence, **top)
        )
    return replace(from_matrix, axes=tuple(axes))


def given_estimates(runs: Runs, settings: Settings, size: int) -> tuple[Estimate, ...]:
    """phi of every axis whose runs share their prompts, with its interval over prompts.

    The interval of the axis itself takes its runs as a sample of choices or seeds; this one takes
    them as they are.
    """
    of_example, unit = sampling_units(len(runs.scores.values), runs.scores.templates)
    found = []
    for kind in AXES:
        rows = runs.along(kind.key)
        same = all(r.same_prompts == 1 and len(r.batch) == len(of_example) for r in rows)
        if len(rows) > 1 and kind.key != "fresh-data" and same:
            given = phi_given_runs(
                [run.scores.values for run in rows],
                size=size,
                of_example=of_example,
                rng=stream(settings.seed, "given runs", kind.key),
                signed=settings.signed,
                level=settings.confidence,
                unit=unit,
            )
            found.append(replace(given, name=f"phi over {unit}s, {kind.title.lower()} as given"))
    return tuple(found)


def _note(kind: AxisKind, runs: Runs) -> str:
    if kind.key == "fresh-data":
        return ALTERNATING if has_word_lists(runs.bench.task) else kind.note
    other = [run.level for run in runs.along(kind.key) if run.same_prompts < 1]
    if not other:
        return kind.note
    names = ", ".join(other)
    return f"{kind.note} Other prompts than the audit's, from the same templates: {names}."


def paraphrase_axis(
    edge_scores: EdgeScores, settings: Settings, size: int, groups: Wording
) -> Axis:
    """One circuit per template; the note says what the same number of random groups gives."""
    templates = edge_scores.templates
    means, names = template_means(edge_scores.values, templates)
    note = (
        f"{len(names)} templates of about {len(templates) // len(names)} prompts; random groups of "
        f"the same sizes give phi {groups.groups_phi:.3f} and Jaccard {groups.groups_jaccard:.3f} "
        "on average, the difference is what wording adds."
    )
    return runs_axis(
        top_n_masks(means, size, signed=settings.signed),
        key="paraphrase",
        title="Paraphrases (one circuit per template)",
        unit="template",
        level=settings.confidence,
        note=note,
    )
