"""One audit from beginning to end; reads like the method section of its report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pandas as pd

from circuitvar.audit.edges import edge_table
from circuitvar.audit.function import behaviour_estimates, function_estimates
from circuitvar.audit.resampling import with_ties
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.axis_agreement import agreement_table, run_means
from circuitvar.audit.single.choice_variance import choices_table
from circuitvar.audit.single.claims import claims
from circuitvar.audit.single.collect import Collected, Progress, collect
from circuitvar.audit.single.function_axes import function_tables
from circuitvar.audit.single.perturb import Perturbed, perturbation_axes
from circuitvar.audit.single.run_circuits import CircuitRuns, run_circuits
from circuitvar.audit.single.sample_tables import certificate_table, chance_bounds, decision_study
from circuitvar.audit.single.structure_checks import structure_checks
from circuitvar.audit.single.tables import audit_tables, heldout_table
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Audit, Estimate
from circuitvar.audit.variance import agreement_estimates, components_of
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.model import Model
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import Method
from circuitvar.tasks.types import Task
from circuitvar.tasks.units import use_templates


def audit_circuit(
    task: Task,
    model: Model,
    settings: Settings | None = None,
    *,
    seed_models: tuple[Model, ...] = (),
    method: Method | None = None,
    bars: Bars | None = None,
    allow_weak: bool = False,
    progress: Progress | None = None,
    provenance: Mapping[str, object] | None = None,
    store: Path | None = None,
) -> Audit:
    """Discover a circuit, perturb everything that could have been otherwise, judge the claims.

    Collect every model measurement; keep the strongest edges and run them on held-out prompts;
    re-select under each perturbation; compare with exact patching and with random circuits; hold
    the intervals to the bars. `method`: your own record instead of the one `settings` names.

    Raises
    ------
    ValueError
        The model does not do the task (unless `allow_weak`), or a setting does not fit the graph.
    """
    settings, bars = settings or Settings(), bars or Bars()
    size = circuit_size(model.graph.n_edges, settings.size)
    collected = collect(
        task,
        model,
        settings,
        seed_models=seed_models,
        method=method,
        allow_weak=allow_weak,
        progress=progress,
        store=store,
    )
    seconds, clock = dict(collected.seconds), perf_counter()
    runs = run_circuits(model, collected, settings, size, seed_models=seed_models)
    seconds["evaluation"], clock = perf_counter() - clock, perf_counter()
    perturbed = _with_ties(perturbation_axes(collected, settings, size), collected, settings, size)
    tables = audit_tables(collected, perturbed, settings, size)
    tables |= {"heldout": heldout_table(runs.heldout), **runs.discoveries.tables}
    choices = choices_table(collected, settings, size, tables.get("specifications"))
    ahead = {
        "choices": choices,
        "decision_study": decision_study(
            collected.scores.values, collected.scores.templates, runs.circuit.kept
        ),
        "chance_edges": chance_bounds(perturbed.axes, size, pairs=settings.pairs),
        "certificates": certificate_table(collected.scores.values, settings, size),
        "agreement": agreement_table(
            model.graph, run_means(collected), settings, size, runs=tables.get("runs")
        ),
    }
    tables |= {name: frame for name, frame in ahead.items() if len(frame)}
    if runs.transfer is not None:
        tables["cross_faithfulness"] = runs.transfer.frame()
    tables |= function_tables(
        model,
        collected,
        settings,
        size,
        perturbed.axes,
        runs=runs,
        seed_models=seed_models,
        bars=bars,
    )
    estimates = _estimates(collected, runs, settings, size)
    checks = structure_checks(collected.scores, perturbed.axes, settings, size)
    tables |= checks.tables
    estimates += checks.estimates
    if perturbed.lost is not None:
        estimates += (perturbed.lost,)
    edges = edge_table(
        collected.scores,
        runs.circuit,
        perturbed.axes,
        exact=collected.exact,
        level=settings.confidence,
        rng=stream(settings.seed, "max-T"),
    )
    verdicts = claims(
        perturbed.axes,
        estimates,
        random=runs.random,
        own=runs.own_on_random_prompts,
        method=collected.method.key,
        bars=bars,
        level=settings.confidence,
        size=runs.circuit.size,
    )
    seconds["statistics"] = perf_counter() - clock
    record = _record(collected, settings, runs, bars)
    random = pd.DataFrame({"faithfulness": runs.random, "own": runs.own_on_random_prompts})
    return Audit(
        title=f"{task.title}: {model.name}, {collected.method.key}",
        axes=perturbed.axes,
        verdicts=verdicts,
        edges=edges,
        estimates=estimates,
        components=components_of(tables["ledger"], group="all edges") if "ledger" in tables else (),
        tables={**tables, "random_circuits": random},
        provenance={**(provenance or {}), **record, "seconds": seconds},
        scores=collected.scores,
    )


def _with_ties(
    perturbed: Perturbed, collected: Collected, settings: Settings, size: int
) -> Perturbed:
    """The axes with the edges that tie at their cut."""
    axes = with_ties(
        perturbed.axes,
        collected.scores.values,
        runs=run_means(collected),
        clusters=use_templates(collected.scores.templates),
        size=size,
        signed=settings.signed,
        seed=settings.seed,
    )
    return replace(perturbed, axes=axes)


def _estimates(
    collected: Collected, runs: CircuitRuns, settings: Settings, size: int
) -> tuple[Estimate, ...]:
    """Headline numbers: does the model do the task, does the circuit, is the method right."""
    estimates = [
        *behaviour_estimates(collected.behaviour),
        *function_estimates(runs.heldout, level=settings.confidence),
    ]
    if runs.transfer is not None:
        estimates.append(runs.transfer.kept)
    if collected.exact is not None and collected.exact_rows is not None:
        estimates += agreement_estimates(
            collected.scores.values[collected.exact_rows],
            collected.exact.values,
            collected.exact.templates,
            size=size,
            signed=settings.signed,
            level=settings.confidence,
        )
    return tuple(estimates)


def _record(
    collected: Collected, settings: Settings, runs: CircuitRuns, bars: Bars
) -> dict[str, object]:
    """What the numbers depend on, for the card and the methods paragraph."""
    circuit = runs.circuit
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
        "n_edges": circuit.graph.n_edges,
        "n_examples": len(collected.scores.values),
        "n_templates": len(set(collected.scores.templates)),
        "n_heldout": len(collected.heldout),
        "data_digest": collected.data,
        "dropped": collected.dropped,
        "seed_names": list(collected.seed_names),
        "weak": collected.behaviour.weak,
    }
