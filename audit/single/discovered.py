"""Run the circuits that were discovered under perturbations: do they differ in function too?

All of them are run on the audit's held-out prompts with the audit's own ablation, so that rows can
be compared; circuits of other training seeds are run in their own model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.function import function_estimates
from circuitvar.audit.indices import jaccard_to, pairwise_jaccard
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.choices import own_corruption
from circuitvar.audit.single.collect import Collected
from circuitvar.audit.types import Estimate
from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Faithfulness

SIZES = (0.5, 1.0, 2.0)
"""Circuit sizes of the specification curve, as multiples of the audited size."""


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
        return f"{self.run} (audited)" if self.audited else self.run


@dataclass(frozen=True, eq=False)
class Specification:
    """One combination of analytic choices and the circuit it gives."""

    method: str
    ablation: str
    corruption: str
    size: int
    kept: Bool[np.ndarray, " edge"]
    default: bool


@dataclass(frozen=True, eq=False)
class Discoveries:
    """Tables of what circuits found otherwise do: `runs`, `specifications`, `noise`."""

    tables: Mapping[str, pd.DataFrame]


def run_discovered(
    model: Model,
    collected: Collected,
    settings: Settings,
    size: int,
    *,
    seed_models: tuple[Model, ...] = (),
    templates: Mapping[str, Faithfulness] | None = None,
) -> Discoveries:
    """Run every discovered circuit once.

    `templates`: circuits of single templates that were run on the held-out prompts already.
    """
    found = discovered(collected, settings, size)
    specified = specifications(collected, settings, size)
    runs = _runs(model, [item.kept for item in (*found, *specified)], collected, settings)
    rows = [_row("paraphrase", name, run) for name, run in (templates or {}).items()]
    rows += [_row(item.axis, item.name, run) for item, run in zip(found, runs, strict=False)]
    if collected.seeds is not None:
        for other, mean in zip((model, *seed_models), collected.seeds, strict=True):
            kept = _kept(collected, mean, settings, size)
            (run,) = _runs(other, [kept], collected, settings)
            rows.append(_row("seed", other.name, run))
    tables = {
        "runs": pd.DataFrame(rows, columns=["axis", "run", "circuit_error", "kl", "faithfulness"]),
        "specifications": _specification_table(specified, runs[len(found) :], settings.confidence),
    }
    swept = [
        (item, run)
        for item, run in zip(found, runs, strict=False)
        if item.axis == "noise" and not item.audited
    ]
    if swept:
        tables["noise"] = _noise_table(collected, swept, settings, size)
    return Discoveries({name: frame for name, frame in tables.items() if len(frame)})


def discovered(collected: Collected, settings: Settings, size: int) -> list[Discovered]:
    """Circuits of fresh data sets, other methods, corruptions, noise amplitudes and ablations.

    The audited specification is the first run of every axis of choices.
    """

    def kept(mean: Float[np.ndarray, " edge"]) -> Bool[np.ndarray, " edge"]:
        return _kept(collected, mean, settings, size)

    found: list[Discovered] = []
    for i, mean in enumerate(() if collected.fresh is None else collected.fresh):
        found.append(Discovered("fresh-data", f"data set {i + 1}", kept(mean)))
    methods = () if collected.methods is None else collected.methods
    for name, mean in zip(collected.method_keys, methods, strict=True):
        found.append(Discovered("method", name, kept(mean)))
    own = {
        "corruption": own_corruption(collected.task, settings),
        "noise": own_corruption(collected.task, settings),
        "ablation": f"{collected.method.key}, {settings.ablation}",
    }
    for axis in dict.fromkeys(scored.choice.axis for scored in collected.choices):
        found.append(Discovered(axis, own[axis], kept(collected.scores.mean), audited=True))
    for scored in collected.choices:
        found.append(Discovered(scored.choice.axis, scored.choice.name, kept(scored.mean)))
    return found


def specifications(collected: Collected, settings: Settings, size: int) -> list[Specification]:
    """Every scored (method, ablation, corruption), cut at half, once and twice the size."""
    own = own_corruption(collected.task, settings)
    scored = [(collected.method.key, settings.ablation, own, collected.scores.mean)]
    if collected.methods is not None:
        rows = zip(collected.method_keys[1:], collected.methods[1:], strict=True)
        scored += [(key, settings.ablation, own, mean) for key, mean in rows]
    for other in collected.choices:
        choice = other.choice
        corruption = choice.name if choice.axis == "noise" else choice.corruption
        scored.append((choice.method.key, choice.ablation, corruption, other.mean))
    n_edges = len(collected.scores.mean)
    sizes = sorted({min(n_edges, max(1, round(size * factor))) for factor in SIZES})
    return [
        Specification(
            method=method,
            ablation=ablation,
            corruption=corruption,
            size=k,
            kept=_kept(collected, mean, settings, k),
            default=row == 0 and k == size,
        )
        for row, (method, ablation, corruption, mean) in enumerate(scored)
        for k in sizes
    ]


def _kept(
    collected: Collected, mean: Float[np.ndarray, " edge"], settings: Settings, size: int
) -> Bool[np.ndarray, " edge"]:
    return top_n(collected.scores.graph, mean, size, signed=settings.signed).kept


def _runs(
    model: Model, masks: Sequence[np.ndarray], collected: Collected, settings: Settings
) -> list[Faithfulness]:
    """Run every mask on the held-out prompts; equal circuits run once."""
    if not masks:
        return []
    unique, inverse = np.unique(np.stack(masks), axis=0, return_inverse=True)
    options = {"metric": collected.metric, "ablation": settings.ablation}
    runs = evaluate_masks(model, unique, collected.heldout, **options)
    return [runs[i] for i in inverse.ravel()]


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
    rows = []
    for item, run in zip(specified, runs, strict=True):
        estimate = _estimate(run, "faithfulness", level)
        rows.append(
            {
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "default": item.default,
                "method": item.method,
                "ablation": item.ablation,
                "corruption": item.corruption,
                "size": item.size,
            }
        )
    return pd.DataFrame(rows)


def _noise_table(
    collected: Collected,
    swept: Sequence[tuple[Discovered, Faithfulness]],
    settings: Settings,
    size: int,
) -> pd.DataFrame:
    """One row per amplitude of the noise.

    Jaccard to the audited circuit, mean jaccard to the circuits of the other amplitudes, circuit
    error of the circuit on held-out prompts, and the clean-corrupt gap that the noise makes (a gap
    near 0 means that it removed nothing).
    """
    scored = [other for other in collected.choices if other.choice.axis == "noise"]
    masks = np.stack([item.kept for item, _ in swept])
    own = _kept(collected, collected.scores.mean, settings, size)
    pairs, others = pairwise_jaccard(masks), max(len(masks) - 1, 1)
    rows = []
    for i, (other, (_, run)) in enumerate(zip(scored, swept, strict=True)):
        error = _estimate(run, "circuit error", settings.confidence)
        rows.append(
            {
                "amplitude": other.choice.amplitude,
                "jaccard": float(jaccard_to(masks[[i]], own)[0]),
                "jaccard_pairwise": float((pairs[i].sum() - pairs[i, i]) / others)
                if len(masks) > 1
                else float("nan"),
                "circuit_error": error.value,
                "circuit_error_se": error.se,
                "circuit_error_low": error.low,
                "circuit_error_high": error.high,
                "faithfulness": run.value,
                "gap": other.gap,
            }
        )
    return pd.DataFrame(rows)
