"""Run the circuits that were discovered under perturbations: do they differ in function too?

All of them are run on the audit's held-out prompts with the audit's own ablation, so that rows can
be compared; circuits of other training seeds are run in their own model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

from circuitvar.audit.function import function_estimates
from circuitvar.audit.indices import jaccard_to, pairwise_jaccard
from circuitvar.audit.runs import Run, Runs
from circuitvar.audit.settings import Settings
from circuitvar.audit.types import Estimate
from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Faithfulness

SIZES = (0.5, 1.0, 2.0)
"""Circuit sizes of the specification curve, as multiples of the audited size."""
CHOSEN = ("method", "corruption", "noise", "ablation")
"""Axes of analytic choices."""


@dataclass(frozen=True, eq=False)
class Discovered:
    """One circuit found under some perturbation."""

    axis: str
    run: str
    kept: Bool[np.ndarray, " edge"]
    audited: bool = False
    """Whether it is the audited specification itself."""

    @property
    def name(self) -> str:
        """Of its row in a table."""
        said = self.audited and self.axis != "method"  # There it is the name of the method.
        return f"{self.run} (audited)" if said else self.run


@dataclass(frozen=True, eq=False)
class Specification:
    """One combination of analytic choices and the circuit it gives."""

    method: str
    ablation: str
    corruption: str
    size: int
    kept: Bool[np.ndarray, " edge"]
    default: bool


def run_discovered(
    runs: Runs,
    settings: Settings,
    size: int,
    *,
    templates: Mapping[str, Faithfulness] | None = None,
) -> dict[str, pd.DataFrame]:
    """Run every discovered circuit once: tables `runs`, `specifications`, `noise`.

    `templates`: circuits of single templates that were run on the held-out prompts already.
    """
    found = discovered(runs, settings, size)
    specified = specifications(runs, settings, size)
    done = _evaluated(runs, [item.kept for item in (*found, *specified)], settings)
    rows = [_row("paraphrase", name, run) for name, run in (templates or {}).items()]
    rows += [_row(item.axis, item.name, run) for item, run in zip(found, done, strict=False)]
    for other in runs.along("seed"):
        model = runs.bench.model_of(other.key)
        (run,) = _evaluated(runs, [_kept(other, size, settings)], settings, model=model)
        rows.append(_row("seed", other.level, run))
    tables = {
        "runs": pd.DataFrame(rows, columns=["axis", "run", "circuit_error", "kl", "faithfulness"]),
        "specifications": _specification_table(specified, done[len(found) :], settings.confidence),
        "noise": _noise_table(runs, found, done, settings, size),
    }
    return {name: frame for name, frame in tables.items() if len(frame)}


def discovered(runs: Runs, settings: Settings, size: int) -> list[Discovered]:
    """Circuits of fresh data sets, other methods, corruptions, noise amplitudes and ablations.

    The audited specification is the first run of every axis of choices.
    """
    return [
        Discovered(axis, run.level, _kept(run, size, settings), run.scores is runs.scores)
        for axis in ("fresh-data", *CHOSEN)
        for run in runs.along(axis)
    ]


def specifications(runs: Runs, settings: Settings, size: int) -> list[Specification]:
    """Every scored (method, ablation, corruption), cut at half, once and twice the size."""
    n_edges = len(runs.scores.mean)
    sizes = sorted({min(n_edges, max(1, round(size * factor))) for factor in SIZES})
    return [
        Specification(
            method=run.method.key,
            ablation=run.ablation,
            corruption=run.corruption,
            size=k,
            kept=_kept(run, k, settings),
            default=run is runs.audited and k == size,
        )
        for run in specified_runs(runs)
        for k in sizes
    ]


def specified_runs(runs: Runs) -> tuple[Run, ...]:
    """The audited run and those with another method, corruption, noise amplitude or ablation."""
    return (runs.audited, *(run for run in runs.others if run.axis in CHOSEN))


def _kept(run: Run, size: int, settings: Settings) -> Bool[np.ndarray, " edge"]:
    return top_n(run.scores.graph, run.mean, size, signed=settings.signed).kept


def _evaluated(
    runs: Runs, masks: Sequence[np.ndarray], settings: Settings, *, model: Model | None = None
) -> list[Faithfulness]:
    """Run every mask on the held-out prompts; equal circuits run once."""
    if not masks:
        return []
    unique, inverse = np.unique(np.stack(masks), axis=0, return_inverse=True)
    options = {"metric": runs.bench.metric_of(runs.audited.key), "ablation": settings.ablation}
    done = evaluate_masks(model or runs.bench.model, unique, runs.heldout, **options)
    return [done[i] for i in inverse.ravel()]


def _row(axis: str, name: str, run: Faithfulness) -> tuple[str, str, float, float, float]:
    return axis, name, float(run.flipped.mean()), float(run.kl.mean()), run.value


def _estimate(run: Faithfulness, name: str, level: float) -> Estimate:
    return {e.name: e for e in function_estimates(run, level=level)}[name]


def _specification_table(
    specified: Sequence[Specification], runs: Sequence[Faithfulness], level: float
) -> pd.DataFrame:
    """Faithfulness of each circuit, under the choices it was found with.

    Columns value, low, high, default; method, ablation, corruption, size.
    """
    rows = [
        vars(_estimate(run, "faithfulness", level)) | vars(item)
        for item, run in zip(specified, runs, strict=True)
    ]
    choices = ["default", "method", "ablation", "corruption", "size"]
    return pd.DataFrame(rows, columns=["value", "low", "high", *choices])


def _noise_table(
    runs: Runs,
    found: Sequence[Discovered],
    done: Sequence[Faithfulness],
    settings: Settings,
    size: int,
) -> pd.DataFrame:
    """One row per amplitude of the noise.

    Jaccard to the audited circuit, mean jaccard to the circuits of the other amplitudes, circuit
    error of the circuit on held-out prompts, and the clean-corrupt gap that the noise makes (a gap
    near 0 means that it removed nothing).
    """
    swept = [i for i, item in enumerate(found) if item.axis == "noise" and not item.audited]
    if not swept:
        return pd.DataFrame()
    masks, own = np.stack([found[i].kept for i in swept]), _kept(runs.audited, size, settings)
    pairs, others = pairwise_jaccard(masks), max(len(masks) - 1, 1)
    rows = []
    for i, scored in enumerate(runs.along("noise")[1:]):
        run = done[swept[i]]
        error = _estimate(run, "circuit error", settings.confidence)
        rows.append(
            {
                "amplitude": dict(scored.key.levels)["noise"],
                "jaccard": float(jaccard_to(masks[[i]], own)[0]),
                "jaccard_pairwise": float((pairs[i].sum() - pairs[i, i]) / others)
                if len(masks) > 1
                else float("nan"),
                "circuit_error": error.value,
                "circuit_error_se": error.se,
                "circuit_error_low": error.low,
                "circuit_error_high": error.high,
                "faithfulness": run.value,
                "gap": scored.gap,
            }
        )
    return pd.DataFrame(rows)
