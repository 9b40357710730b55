"""Every scoring pass of an audit: what is measured before statistics begin."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter

from circuitvar.audit.resampling import require_scores
from circuitvar.audit.runs import (
    Bench,
    Run,
    RunKey,
    Runs,
    drawn_prompts,
    heldout_batch,
    require_fresh,
    score_prompts,
    spread_over_templates,
    with_level_noise,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.plan import STAGES, Planned, audit_plan, own_corruption, seed_levels
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import measure_behaviour, require_behaviour
from circuitvar.circuits.types import Method
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch, Task

Progress = Callable[[str, int, int], None]
AUDITED = RunKey(())


def collect(
    task: Task,
    model: Model,
    settings: Settings,
    *,
    seed_models: tuple[Model, ...] = (),
    method: Method | None = None,
    allow_weak: bool = False,
    progress: Progress | None = None,
) -> Runs:
    """Score the discovery prompts, their exact subset, and every run that changes one thing.

    `seed_models`: models of the same shape trained from other seeds. `method`: your own record
    instead of the one that `settings.method` names.

    Raises
    ------
    ValueError
        The model does not do the task (unless `allow_weak`), every score is 0, fresh data sets are
        asked of a file of prompts, a name is unknown, or a seed model has another shape.
    """
    seeds = (model, *seed_models) if seed_models else ()
    models = dict(zip(seed_levels(seeds), seeds, strict=True))
    bench = Bench(task, model, settings, method, models)
    metric, own, plan = bench.metric_of(AUDITED), bench.audited_method, audit_plan(bench)
    require_fresh(task, settings)
    _require_one_shape(model, seed_models)
    tokenized, seen = drawn_prompts(bench, AUDITED)
    evaluated = heldout_batch(task, settings, model, seen)[0]
    heldout = evaluated.batch
    behaviour = measure_behaviour(model, heldout, metric=metric, level=settings.confidence)
    require_behaviour(behaviour, task=task.key, allow_weak=allow_weak)

    seconds = dict.fromkeys(("scoring", *STAGES.values()), 0.0)

    def score(key: RunKey, batch: Batch, text: str, stage: str):
        clock, known = perf_counter(), _items(model)
        tell = None if progress is None else partial(progress, text)
        scores = score_prompts(bench, key, batch, progress=tell)
        # Scores read back from disk say nothing about the speed of the method.
        if stage == "scoring" and model.store is not None and _items(model) == known:
            del seconds["scoring"]
            stage = "stored scores"
        seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - clock
        return scores

    batch = tokenized.batch
    scores = score(AUDITED, batch, f"{own.key} on {len(batch)} prompts", "scoring")
    require_scores(scores)
    corruption = own_corruption(task, settings)
    audited = Run("", own.key, AUDITED, own, settings.ablation, corruption, batch, scores)
    runs = Runs(
        bench=bench,
        audited=audited,
        others=(),
        heldout=heldout,
        seen=seen,
        behaviour=behaviour,
        dropped={str(k): int(v) for k, v in tokenized.dropped["reason"].value_counts().items()},
        notes=(*tokenized.notes, *(f"held out: {note}" for note in evaluated.notes)),
    )
    if settings.exact:
        rows = spread_over_templates(batch.templates, settings.exact)
        text = f"exact patching on {len(rows)} prompts"
        exact = score(RunKey((("method", "exact"),)), take(batch, rows), text, "exact")
        runs = replace(runs, exact=exact, exact_rows=rows)
    others = tuple(_run(each, runs, score) for each in plan)
    return replace(runs, others=others, seconds=seconds)


def _run(planned: Planned, runs: Runs, score: Callable) -> Run:
    """One run of the plan.

    A tokenizer may drop other pairs under another corruption; users' tasks may draw other prompts.
    Models of other seeds are scored on the very prompts of the audited one.
    """
    bench, key, own = runs.bench, planned.key, runs.audited
    levels, batch, same = dict(key.levels), own.batch, 1.0
    if planned.axis in ("corruption", "fresh-data"):
        tokenized, pairs = drawn_prompts(bench, key)
        known = {pair.clean for pair in runs.seen}
        batch, same = tokenized.batch, sum(p.clean in known for p in pairs) / len(pairs)
    batch = with_level_noise(bench, key, batch)
    twin = planned.axis == "seed" and bench.model_of(key) is bench.model
    return Run(
        planned.axis,
        planned.level,
        key,
        bench.method_of(key),
        bench.settings_of(key).ablation,
        planned.level if "noise" in levels else str(levels.get("corruption", own.corruption)),
        batch,
        own.scores if twin else score(key, batch, planned.text, STAGES[planned.axis]),
        same,
    )


def _require_one_shape(model: Model, others: tuple[Model, ...]) -> None:
    for other in others:
        if other.graph != model.graph:
            raise ValueError(
                f"training-seed model {other.name!r} has {other.graph.n_edges} edges, "
                f"{model.name!r} has {model.graph.n_edges}; seeds must share one architecture"
            )


def _items(model: Model) -> int:
    """Finished runs in the model's store."""
    return 0 if model.store is None else sum(1 for _ in model.store.glob("*.safetensors"))
