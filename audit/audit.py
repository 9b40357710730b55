"""One audit from beginning to end; reads like the method section of its report."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np
import pandas as pd

from circuitvar.audit.against_exact import agreement_estimates
from circuitvar.audit.beats_random import random_faithfulness
from circuitvar.audit.claims import claims
from circuitvar.audit.collect import Collected, Progress, collect
from circuitvar.audit.edge_table import edge_table
from circuitvar.audit.function_estimates import function_estimates
from circuitvar.audit.jaccard import pairwise_jaccard
from circuitvar.audit.perturb import (
    FEW_TEMPLATES,
    circuit_size,
    perturbation_axes,
    template_means,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.size_curve import size_curve
from circuitvar.audit.types import Audit, Estimate
from circuitvar.audit.verdict import Bars
from circuitvar.circuits.evaluate import evaluate
from circuitvar.circuits.model import Model
from circuitvar.circuits.select import top_n, top_n_masks
from circuitvar.circuits.types import Circuit, Method
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Task

RANDOM_PROMPTS = 50
"""Held-out prompts on which random circuits are run."""


def audit_circuit(
    task: Task,
    model: Model,
    settings: Settings | None = None,
    *,
    other_seeds: tuple[Model, ...] = (),
    method: Method | None = None,
    bars: Bars | None = None,
    allow_weak: bool = False,
    progress: Progress | None = None,
    provenance: Mapping[str, object] | None = None,
) -> Audit:
    """Discover a circuit, perturb everything that could have been otherwise, judge the claims.

    Collect every model measurement; keep the strongest edges; run the circuit on held-out
    prompts; re-select under each perturbation; compare with exact patching and with random
    circuits; hold the intervals to the bars.

    Raises
    ------
    ValueError
        The model does not do the task (unless `allow_weak`), or a setting does not fit the graph.
    """
    settings = settings or Settings()
    bars = bars or Bars()
    size = circuit_size(model.graph.n_edges, settings.size)
    collected = collect(
        task,
        model,
        settings,
        other_seeds=other_seeds,
        method=method,
        allow_weak=allow_weak,
        progress=progress,
    )
    circuit = top_n(model.graph, collected.scores.mean, size, absolute=not settings.signed)
    clock = perf_counter()
    run = evaluate(
        model, circuit, collected.heldout, metric=collected.metric, ablation=settings.ablation
    )
    random = random_faithfulness(
        model,
        circuit,
        take(collected.heldout, slice(0, RANDOM_PROMPTS)),
        metric=collected.metric,
        draws=settings.random,
        ablation=settings.ablation,
        seed=settings.seed,
    )
    seconds = {**collected.seconds, "evaluation": perf_counter() - clock}
    clock = perf_counter()
    axes, _, _ = perturbation_axes(collected, settings, size)
    estimates = (
        *behaviour_estimates(collected),
        *function_estimates(run, level=settings.level),
        *_against_exact(collected, settings, size),
    )
    verdicts = claims(
        axes, estimates, random, method=collected.method.key, bars=bars, level=settings.level
    )
    result = Audit(
        title=f"{task.title}: {model.name}, {collected.method.key}",
        axes=axes,
        verdicts=verdicts,
        edges=edge_table(collected.scores, circuit, axes, exact=collected.exact),
        estimates=estimates,
        tables=_tables(collected, settings, size, random),
        provenance={},
    )
    seconds["statistics"] = perf_counter() - clock
    record = _record(collected, settings, circuit, model, bars)
    full = {**(provenance or {}), **record, "seconds": seconds}
    return Audit(**{**vars(result), "provenance": full})


def behaviour_estimates(collected: Collected) -> tuple[Estimate, ...]:
    """Does the full model do the task? Accuracy and the clean-corrupt metric gap."""
    return (collected.behaviour.accuracy, collected.behaviour.gap)


def _against_exact(collected: Collected, settings: Settings, size: int) -> tuple[Estimate, ...]:
    if collected.exact is None or collected.exact_rows is None:
        return ()
    rows = collected.exact_rows
    return agreement_estimates(
        collected.scores.values[rows],
        collected.exact.values,
        collected.exact.templates,
        size=size,
        absolute=not settings.signed,
        level=settings.level,
    )


def _tables(
    collected: Collected, settings: Settings, size: int, random: np.ndarray
) -> dict[str, pd.DataFrame]:
    """Frames behind the figures that are not one row per edge."""
    scores, templates = collected.scores.values, collected.scores.templates
    clustered = len(set(templates)) >= FEW_TEMPLATES
    tables = {
        "phi_by_k": size_curve(
            scores,
            size=size,
            clusters=templates if clustered else None,
            signed=settings.signed,
            level=settings.level,
            seed=settings.seed,
        ),
        "random_circuits": pd.DataFrame({"faithfulness": random}),
    }
    if clustered:
        means, names = template_means(scores, templates)
        masks = top_n_masks(means, size, absolute=not settings.signed)
        pairs = pairwise_jaccard(masks)
        tables["similarity"] = pd.DataFrame(
            {
                "run_a": np.repeat(names, len(names)),
                "run_b": np.tile(names, len(names)),
                "jaccard": np.asarray(pairs, dtype=np.float64).ravel(),
            }
        )
    return tables


def _record(
    collected: Collected, settings: Settings, circuit: Circuit, model: Model, bars: Bars
) -> dict[str, object]:
    """What the numbers depend on, for the card and the methods paragraph."""
    return {
        "task": collected.task.key,
        "method": collected.method.key,
        "metric": collected.metric.key,
        "ablation": settings.ablation,
        "settings": settings.as_dict(),
        "bars": dict(vars(bars)),
        "rule": circuit.rule,
        "size_requested": circuit.requested,
        "size_selected": circuit.selected,
        "size": circuit.size,
        "n_edges": model.graph.n_edges,
        "n_examples": len(collected.scores.values),
        "n_templates": len(set(collected.scores.templates)),
        "n_heldout": len(collected.heldout),
        "data_digest": collected.data,
        "dropped": collected.dropped,
        "seed_names": list(collected.seed_names),
    }
