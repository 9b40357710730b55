"""The perturbation axes of one audit, each a set of circuits that could have been found instead."""

from dataclasses import dataclass, replace

import numpy as np

from circuitvar.audit.agreement import (
    Wording,
    bootstrap_axis,
    halves_axis,
    runs_axis,
    seed_axis_matched,
    with_block_interval,
    wording,
)
from circuitvar.audit.resampling import bootstrap, template_means
from circuitvar.audit.runs import has_word_lists
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.collect import Collected
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis, Estimate
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.types import EdgeScores
from circuitvar.tasks.units import use_templates


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


def perturbation_axes(collected: Collected, settings: Settings, size: int) -> Perturbed:
    """Every axis the collected scores support: those of the matrix, then those of further runs."""
    from_matrix = matrix_axes(collected.scores, settings, size)
    axes = list(from_matrix.axes)
    fresh_note = FRESH_NOTES[has_word_lists(collected.task)]
    for key, title, unit, means, note in (
        ("fresh-data", "Fresh data sets", "data set", collected.fresh, fresh_note),
        ("method", "Choice of method", "method", collected.methods, METHOD_NOTE),
        ("seed", "Training seeds", "training seed", collected.seeds, SEED_NOTE),
    ):
        if means is not None:
            masks = top_n_masks(means, size, signed=settings.signed)
            axes.append(
                runs_axis(
                    masks,
                    key=key,
                    title=title,
                    unit=unit,
                    level=settings.confidence,
                    note=note,
                    chosen=key == "method",
                )
            )
    axes += choice_axes(collected, settings, size)
    graph = collected.scores.graph
    if collected.seeds is not None and graph.kv_heads == graph.n_heads:
        rng = stream(settings.seed, "match heads")
        axes.append(
            seed_axis_matched(
                graph,
                collected.seeds,
                size,
                rng=rng,
                signed=settings.signed,
                level=settings.confidence,
            )
        )
    return replace(from_matrix, axes=tuple(axes))


def choice_axes(collected: Collected, settings: Settings, size: int) -> list[Axis]:
    """Agreement of the audited circuit with those under other corruptions, noise, ablations."""
    axes = []
    for key, title, unit in (
        ("corruption", "Choice of corruption", "corruption"),
        ("noise", "Noise amplitudes", "amplitude"),
        ("ablation", "Method x ablation", "specification"),
    ):
        found = [scored for scored in collected.choices if scored.choice.axis == key]
        if not found:
            continue
        means = np.stack([collected.scores.mean, *(scored.mean for scored in found)])
        masks = top_n_masks(means, size, signed=settings.signed)
        fresh = [scored.choice.name for scored in found if scored.matched < 1]
        note = CHOICE_NOTES[key]
        if fresh:
            note += f" Other prompts than the audit's, from the same templates: {', '.join(fresh)}."
        axes.append(
            runs_axis(
                masks,
                key=key,
                title=title,
                unit=unit,
                level=settings.confidence,
                note=note,
                chosen=True,
            )
        )
    return axes


CHOICE_NOTES = {
    "corruption": "The audited corruption and others. Each removes other information, so each asks "
    "another question: low agreement need not be an error.",
    "noise": "The audited corruption and Gaussian noise on the embeddings of role-marked tokens.",
    "ablation": "The audited specification and every method under the other ablations it is "
    "defined for.",
}
FRESH_NOTES = {
    True: "Independent draws of the same size, alternating between disjoint word lists.",
    False: "Independent draws of the same size from the same words.",
}
"""By whether the task has disjoint word lists."""
METHOD_NOTE = "Approximations of the same effects on the same prompts."
SEED_NOTE = (
    "Heads of models trained from different seeds have no common names: the same head number is "
    "another head, so low overlap is expected even if both models work alike."
)


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
