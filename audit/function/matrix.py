"""Every circuit of a perturbation, run under the conditions that the others were found under.

Beside agreement of edges this tells apart three things that look alike in an edge list: circuits
that share few edges and do the same job, circuits that do different jobs, and noise. Conditions
are whatever a perturbation changes: prompts, corruption, ablation, metric, model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.intervals import ratio_of_means
from circuitvar.audit.types import Axis, Estimate, Outcome, Verdict
from circuitvar.audit.verdicts import (
    Bars,
    function_verdict,
    stability_verdicts,
    structure_and_function,
)
from circuitvar.circuits.types import Faithfulness

Mask = Bool[np.ndarray, " edge"]
KEPT = "function kept"
KEPT_ACROSS_TEMPLATES = "function kept across templates"
"""Name of the estimate that one verdict rests on."""
NOISE = "noise: the circuits do no better than random ones"
NULLS = 5
"""Random connected circuits of the same size that are run beside them, per axis."""


@dataclass(frozen=True, eq=False)
class Found:
    """A circuit and the condition it was found under."""

    condition: str
    kept: Mask | Mapping[str, Mask]
    """Its edges; by condition where names of heads differ (models of other training seeds)."""

    def under(self, condition: str) -> Mask:
        """Its edges in the names of a condition."""
        return self.kept[condition] if isinstance(self.kept, Mapping) else self.kept


@dataclass(frozen=True, eq=False)
class FunctionMatrix:
    """Faithfulness of every circuit (rows) under every condition (columns)."""

    circuits: tuple[str, ...]
    conditions: tuple[str, ...]
    value: Float[np.ndarray, "circuit condition"]
    own: float
    """Mean faithfulness of circuits under their own condition."""
    kept: Estimate
    """What circuits of other conditions do, over what a condition's own circuits do; with a single
    condition, what the other circuits do over what the first one does."""
    null: Float[np.ndarray, " draw"]
    """Faithfulness of random circuits under all conditions."""

    def frame(self) -> pd.DataFrame:
        """Tidy: circuit, prompts (the condition), faithfulness."""
        rows = [
            (circuit, condition, float(self.value[i, j]))
            for i, circuit in enumerate(self.circuits)
            for j, condition in enumerate(self.conditions)
        ]
        return pd.DataFrame(rows, columns=["circuit", "prompts", "faithfulness"])


def function_matrix(
    circuits: Mapping[str, Found],
    conditions: Sequence[str],
    run: Callable[[str, Bool[np.ndarray, "circuit edge"]], Sequence[Faithfulness]],
    *,
    null: Bool[np.ndarray, "draw edge"],
    level: float = 0.95,
) -> FunctionMatrix:
    """Run all circuits under all conditions; `run(condition, masks)` runs the model.

    With g_c(i) = (m(c) - m(empty)) / mean gap of example i under condition j: kept = sum_j sum_i
    mean of g over circuits found elsewhere / the same over circuits found under j. Jackknife over
    templates or prompts, the same prompts of several conditions together.

    Raises
    ------
    ValueError
        There is one circuit only, or one was found under a condition that is not there.
    """
    missing = {found.condition for found in circuits.values()} - set(conditions)
    if len(circuits) < 2 or missing:
        raise ValueError(
            f"{len(circuits)} circuits and conditions {', '.join(conditions)}; a matrix needs two "
            f"circuits and their own conditions{', missing ' if missing else ''}"
            f"{', '.join(sorted(missing))}"
        )
    names, homes = tuple(circuits), np.array([found.condition for found in circuits.values()])
    value, nulls, columns = np.full((len(names), len(conditions)), np.nan), [], []
    for j, condition in enumerate(conditions):
        masks = np.stack([*(found.under(condition) for found in circuits.values()), *null])
        results = run(condition, masks)
        value[:, j] = [result.value for result in results[: len(names)]]
        nulls += [result.value for result in results[len(names) :]]
        gap = float(results[0].full.mean() - results[0].empty.mean()) or float("nan")
        gains = np.stack([(r.circuit - r.empty) / gap for r in results[: len(names)]])
        home = homes == condition
        if len(set(homes)) == 1:
            home = np.arange(len(names)) == 0
        if home.any() and not home.all():
            others, own = gains[~home].mean(axis=0), gains[home].mean(axis=0)
            columns.append((others, own, results[0].templates))
    diagonal = [value[i, list(conditions).index(home)] for i, home in enumerate(homes)]
    kept = _kept(columns, level)
    return FunctionMatrix(
        names, tuple(conditions), value, float(np.mean(diagonal)), kept, np.array(nulls)
    )


def _kept(columns, level: float) -> Estimate:
    others, own, templates = zip(*columns, strict=True)
    labels = templates[0]
    if all(names == labels for names in templates):  # The same prompts: one unit each.
        top, bottom = np.sum(others, axis=0), np.sum(own, axis=0)
    else:
        top, bottom = np.concatenate(others), np.concatenate(own)
        labels = tuple(label for names in templates for label in names)
    noise = bottom.std(ddof=1) / np.sqrt(len(bottom)) if len(bottom) > 1 else np.inf
    if not bottom.mean() > 2 * noise:
        return Estimate(
            KEPT,
            np.nan,
            level=level,
            interval="none: own circuits near 0",
            missing="no interval: own circuits near 0",
        )
    return ratio_of_means(
        KEPT,
        top,
        bottom,
        templates=labels,
        level=level,
        estimand="faithfulness of circuits found elsewhere over that of the own ones",
    )


def template_matrix(
    runs: Mapping[str, Faithfulness], *, null: Float[np.ndarray, " draw"], level: float = 0.95
) -> FunctionMatrix:
    """The matrix of templates, from every template's circuit on all held-out prompts.

    kept = sum_i mean_{t' != t(i)} g_{t'}(i) / sum_i g_{t(i)}(i), with g_t(i) the metric of
    template t's circuit on prompt i minus that of the empty circuit. 1: other wordings' circuits
    do as well as the own one. `null`: faithfulness of random circuits.

    Raises
    ------
    ValueError
        Fewer than two templates have both a circuit and a held-out prompt.
    """
    label = np.array(next(iter(runs.values())).templates) if runs else np.empty(0, dtype=str)
    names = tuple(name for name in runs if (label == name).any())
    if len(names) < 2:
        raise ValueError(
            f"held-out prompts cover {len(names)} of {len(runs)} templates with a circuit; "
            "transfer needs at least 2: use more held-out prompts"
        )
    gain = np.stack([runs[name].circuit - runs[name].empty for name in names])
    gap = runs[names[0]].full - runs[names[0]].empty
    inside = np.stack([label == name for name in names])
    gaps = [gap[own].sum() or np.nan for own in inside]
    value = np.array([[row[own].sum() for own in inside] for row in gain]) / gaps
    known = inside.any(axis=0)
    own = gain[:, known][inside[:, known].argmax(axis=0), np.arange(known.sum())]
    kept = ratio_of_means(
        KEPT_ACROSS_TEMPLATES,
        (gain[:, known].sum(axis=0) - own) / (len(names) - 1),
        own,
        templates=tuple(label[known].tolist()),
        level=level,
        estimand="faithfulness of other templates' circuits over that of the own circuit",
    )
    return FunctionMatrix(names, names, value, float(np.diag(value).mean()), kept, null)


def function_row(matrix: FunctionMatrix, axis: Axis, *, bars: Bars) -> dict[str, object]:
    """One perturbation, structure beside function.

    Columns axis, circuits, conditions, jaccard, phi, own, kept with low and high, random (mean and
    highest), reading.
    """
    return {
        "axis": axis.key,
        "circuits": len(matrix.circuits),
        "conditions": len(matrix.conditions),
        "jaccard": axis.jaccard.value,
        "phi": axis.phi.value,
        "own": matrix.own,
        "kept": matrix.kept.value,
        "kept_low": matrix.kept.low,
        "kept_high": matrix.kept.high,
        "random": float(np.mean(matrix.null)) if len(matrix.null) else np.nan,
        "best_random": float(np.max(matrix.null)) if len(matrix.null) else np.nan,
        "reading": reading(matrix, stability_verdicts(axis, bars=bars), bars=bars),
    }


def reading(matrix: FunctionMatrix, stable: Sequence[Verdict], *, bars: Bars) -> str:
    """`unstable structure, equal function` and the like.

    Noise where the circuits are no better under their own conditions than the best random circuit.
    """
    if len(matrix.null) and not matrix.own > matrix.null.max():
        return NOISE
    worst: Outcome = "pass"
    for outcome in ("undecided", "fail", "no compression"):
        if any(verdict.outcome == outcome for verdict in stable):
            worst = outcome
    structure = Verdict("structure", "", worst, "")
    function = function_verdict(matrix.kept, claim="function", bars=bars)
    return structure_and_function(structure, function)
