"""One audit from beginning to end; reads like the method section of its report."""

from collections.abc import Mapping
from time import perf_counter

import pandas as pd

from circuitvar.audit.edges import edge_table
from circuitvar.audit.function import behaviour_estimates, function_estimates
from circuitvar.audit.resampling import with_ties
from circuitvar.audit.runs import Runs, data_hash
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.axis_agreement import agreement_table
from circuitvar.audit.single.choice_variance import choices_table
from circuitvar.audit.single.claims import claims
from circuitvar.audit.single.collect import Progress, collect
from circuitvar.audit.single.function_axes import function_tables
from circuitvar.audit.single.perturb import given_estimates, perturbation_axes, run_means
from circuitvar.audit.single.run_circuits import CircuitRuns, run_circuits
from circuitvar.audit.single.sample_tables import certificate_table, chance_bounds, decision_study
from circuitvar.audit.single.structure_checks import structure_checks
from circuitvar.audit.single.tables import audit_tables, heldout_table
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Audit, Axis, Estimate
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
    runs = collect(
        task,
        model,
        settings,
        seed_models=seed_models,
        method=method,
        allow_weak=allow_weak,
        progress=progress,
    )
    seconds, clock = dict(runs.seconds), perf_counter()
    circuits = run_circuits(runs, settings, size)
    seconds["evaluation"], clock = perf_counter() - clock, perf_counter()
    perturbed = perturbation_axes(runs, settings, size)
    axes = _with_ties(perturbed.axes, runs, settings, size)
    checks = structure_checks(runs.scores, axes, settings, size)
    tables = {
        **audit_tables(runs, axes, settings, size),
        **circuits.discoveries,
        **_further_tables(runs, circuits, axes, settings, size),
        **function_tables(runs, settings, size, axes, transfer=circuits.transfer, bars=bars),
        **checks.tables,
    }
    estimates = (
        *_estimates(runs, circuits, settings, size),
        *checks.estimates,
        *given_estimates(runs, settings, size),
    )
    if perturbed.lost is not None:
        estimates += (perturbed.lost,)
    edges = edge_table(
        runs.scores,
        circuits.circuit,
        axes,
        exact=runs.exact,
        level=settings.confidence,
        rng=stream(settings.seed, "max-T"),
    )
    verdicts = claims(
        axes,
        estimates,
        random=circuits.random,
        own=circuits.own_on_random_prompts,
        method=runs.audited.method.key,
        bars=bars,
        level=settings.confidence,
        size=circuits.circuit.size,
    )
    seconds["statistics"] = perf_counter() - clock
    return Audit(
        title=f"{task.title}: {model.name}, {runs.audited.method.key}",
        axes=axes,
        verdicts=verdicts,
        edges=edges,
        estimates=estimates,
        components=components_of(tables["ledger"], group="all edges") if "ledger" in tables else (),
        tables=tables,
        provenance={
            **(provenance or {}),
            **_record(runs, settings, circuits, bars),
            "seconds": seconds,
        },
        scores=runs.scores,
    )


def _further_tables(
    runs: Runs, circuits: CircuitRuns, axes: tuple[Axis, ...], settings: Settings, size: int
) -> dict[str, pd.DataFrame]:
    """Tables beside those of the score matrix alone; the ones with rows."""
    scores, done = runs.scores, circuits.discoveries
    tables = {
        "heldout": heldout_table(circuits.heldout),
        "choices": choices_table(runs, settings, size, done.get("specifications")),
        "decision_study": decision_study(scores.values, scores.templates, circuits.circuit.kept),
        "chance_edges": chance_bounds(axes, size, pairs=settings.pairs),
        "certificates": certificate_table(scores.values, settings, size),
        "agreement": agreement_table(
            scores.graph, run_means(runs), settings, size, runs=done.get("runs")
        ),
        "random_circuits": pd.DataFrame(
            {"faithfulness": circuits.random, "own": circuits.own_on_random_prompts}
        ),
    }
    if circuits.transfer is not None:
        tables["cross_faithfulness"] = circuits.transfer.frame()
    return {name: frame for name, frame in tables.items() if len(frame)}


def _with_ties(
    axes: tuple[Axis, ...], runs: Runs, settings: Settings, size: int
) -> tuple[Axis, ...]:
    """The axes with the edges that tie at their cut."""
    return with_ties(
        axes,
        runs.scores.values,
        runs=run_means(runs),
        clusters=use_templates(runs.scores.templates),
        size=size,
        signed=settings.signed,
        seed=settings.seed,
    )


def _estimates(
    runs: Runs, circuits: CircuitRuns, settings: Settings, size: int
) -> tuple[Estimate, ...]:
    """Headline numbers: does the model do the task, does the circuit, is the method right."""
    estimates = [
        *behaviour_estimates(runs.behaviour),
        *function_estimates(circuits.heldout, level=settings.confidence),
    ]
    if circuits.transfer is not None:
        estimates.append(circuits.transfer.kept)
    if runs.exact is not None and runs.exact_rows is not None:
        estimates += agreement_estimates(
            runs.scores.values[runs.exact_rows],
            runs.exact.values,
            runs.exact.templates,
            size=size,
            signed=settings.signed,
            level=settings.confidence,
        )
    return tuple(estimates)


def _record(runs: Runs, settings: Settings, circuits: CircuitRuns, bars: Bars) -> dict[str, object]:
    """What the numbers depend on, for the card and the methods paragraph."""
    circuit, scores = circuits.circuit, runs.scores
    return {
        "task": runs.bench.task.key,
        "method": scores.method,
        "metric": scores.metric,
        "ablation": settings.ablation,
        "settings": settings.as_dict(),
        "bars": dict(vars(bars)),
        "rule": circuit.rule,
        "size_requested": circuit.requested,
        "size_selected": circuit.selected,
        "size": circuit.size,
        "n_edges": circuit.graph.n_edges,
        "n_examples": len(scores.values),
        "n_templates": len(set(scores.templates)),
        "n_heldout": len(runs.heldout),
        "data_digest": data_hash(runs.seen),
        "dropped": dict(runs.dropped),
        "source": runs.bench.task.source,
        "prompts_read": "; ".join(runs.notes),
        "seed_names": [model.name for model in runs.bench.models.values()],
        "weak": runs.behaviour.weak,
    }
