"""From names on a command line to a circuit in a file: by a finder, or by scores and a rule."""

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from circuitvar.audit.edges import edge_summary, inner_outer, max_t
from circuitvar.audit.streams import stream
from circuitvar.circuits import find
from circuitvar.circuits.evaluate import evaluate
from circuitvar.circuits.files import EdgeFile, check_can_write, write_edges
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import Circuit, EdgeScores, Faithfulness
from circuitvar.reports.named import discovery_and_heldout, task_caution
from circuitvar.reports.options import MORE_RULES, FindOptions, ModelChoice
from circuitvar.reports.page import check_writable
from circuitvar.tasks.tokens import get_metric
from circuitvar.tasks.types import Batch, Metric, Task
from circuitvar.tasks.units import use_templates

TESTED = ("significant", "inner", "outer")
"""Rules for which no edge at all is a finding, and is written."""
FIND_RULES = (*(rule.key for rule in find.RULES), *MORE_RULES)

SELECTION = ("method", "rule", "signed", "epsilon", "error", "alpha", "minimum_effect")
"""Options that a finder does not use."""
READ_BY = {
    "epsilon": ("smallest-faithful",),
    "error": ("smallest-faithful",),
    "alpha": TESTED,
    "minimum_effect": TESTED,
}
"""Options that only some rules use."""


def refuse_unread(options: FindOptions, given: Collection[str]) -> None:
    """Refuse options that were asked for and that the finder or the rule does not read.

    Raises
    ------
    ValueError
        Names the option, why it has no effect, and what reads it.
    """
    for name in given:
        flag = f"--{name.replace('_', '-')}"
        if options.finder is not None and name in SELECTION:
            raise ValueError(
                f"finder {options.finder!r} chooses edges by itself, so {flag} would have no "
                "effect: leave it out, or leave out --finder"
            )
        if options.rule not in READ_BY.get(name, (options.rule,)):
            raise ValueError(
                f"rule {options.rule!r} does not read {flag}: leave it out, or use --rule "
                f"{' or '.join(READ_BY[name])}"
            )


def run_find(
    task: Task, *, where: ModelChoice, out: Path, options: FindOptions = FindOptions()
) -> Circuit:
    """Find a circuit on discovery prompts and write it to `out`, in the format of its ending.

    Beside it, `out` + `.record.json` says how: rule, sizes asked for, chosen and live, options.

    Raises
    ------
    ValueError
        A name or number a user can mend; nothing is written then.
    """
    check_writable(out.parent)
    loaded = where.load(out.parent)
    check_can_write(out, loaded.graph)
    metric = get_metric(options.metric or task.metric)
    finder = find.get_finder(options.finder) if options.finder else None
    amount = _amount(options, loaded.graph.n_edges)
    batch, heldout = discovery_and_heldout(
        task, loaded, options.n, seed=options.seed, corruption=options.corruption
    )
    cautions = task_caution(task, loaded, heldout, metric, allow_weak=options.allow_weak)
    means = None
    if finder is not None:
        size = _whole(amount)
        circuit = find.run_finder(
            finder, loaded, batch, metric=metric, size=size, seed=options.seed
        )
    else:
        scores = score_edges(loaded, batch, get_method(options.method), metric=metric)
        means = scores.mean
        circuit = select_by_rule(loaded, scores, heldout, metric, replace(options, amount=amount))
    if not circuit.size and options.rule not in TESTED:
        raise ValueError(
            f"{circuit.rule}: {circuit.selected} edges chosen and 0 live, so there is no circuit "
            "to write; ask for more edges or choose another rule"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_edges(out, EdgeFile(loaded.graph, circuit.kept, means, circuit.rule))
    unused = SELECTION if finder is not None else ("finder",)
    record = {
        **{"how": circuit.rule, "requested": circuit.requested, "selected": circuit.selected},
        **{"live": circuit.size, "edges_of_the_graph": loaded.graph.n_edges},
        **{"model": loaded.name, "model_digest": loaded.digest, "task": task.key},
        **{key: value for key, value in asdict(options).items() if key not in unused},
        "cautions": cautions,
    }
    text = json.dumps(record, indent=1) + "\n"
    out.with_name(f"{out.name}.record.json").write_text(text, encoding="utf-8")
    return circuit


def _amount(options: FindOptions, n_edges: int) -> float:
    if options.amount is not None:
        return options.amount
    if options.rule == "top-fraction":
        return 0.1
    if options.rule == "threshold":
        raise ValueError("rule 'threshold' needs --amount: the lowest score to keep")
    return circuit_size(n_edges)


def _whole(amount: float) -> int:
    if amount != int(amount):
        raise ValueError(f"edges are counted: amount must be whole, got {amount}")
    return int(amount)


def select_by_rule(
    model: Model, scores: EdgeScores, heldout: Batch, metric: Metric, options: FindOptions
) -> Circuit:
    """Apply the rule to scores; significance rules test over the sampling unit."""
    graph, mean, signed = model.graph, scores.mean, options.signed
    amount = _amount(options, graph.n_edges)
    if options.rule not in MORE_RULES:
        return find.select(graph, mean, options.rule, amount, signed=signed)
    if options.rule == "smallest-faithful":
        judge = partial(_error, model, heldout, metric, options.error)
        return find.smallest_faithful(graph, mean, judge, epsilon=options.epsilon, signed=signed)
    clusters = use_templates(scores.templates)
    summary = edge_summary(scores.values, clusters=clusters)
    tests = max_t(
        scores.values,
        summary,
        rng=stream(options.seed, "max-T"),
        clusters=clusters,
        minimum_effect=options.minimum_effect,
        level=1 - options.alpha,
    )
    if options.rule == "significant":
        p = _known(tests.step_down, summary.mean, options.minimum_effect)
        return find.significant(graph, mean, p, alpha=options.alpha, signed=signed)
    size = _whole(amount)
    sets = inner_outer(summary.mean, summary.se, size=size, critical=tests.critical)
    kept = sets.inner if options.rule == "inner" else sets.outer
    return find.top_set_circuit(graph, kept, options.rule, k=size, confidence=1 - options.alpha)


def _known(
    p: Float[np.ndarray, " edge"], mean: Float[np.ndarray, " edge"], minimum_effect: float
) -> Float[np.ndarray, " edge"]:
    """Edges that score alike on every unit have no p-value: 0 above the minimum effect, else 1."""
    return np.where(np.isnan(p), np.where(np.abs(mean) > minimum_effect, 0.0, 1.0), p)


def _error(model: Model, heldout: Batch, metric: Metric, error: str, circuit: Circuit) -> float:
    found: Faithfulness = evaluate(model, circuit, heldout, metric=metric)
    if error == "circuit-error":
        return float(found.flipped.mean())
    return abs(1 - found.value) if error == "faithfulness" else float(found.kl.mean())
