"""Every model call of an audit, in one place: what is measured before statistics begin."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from circuitvar.audit.resampling import require_scores
from circuitvar.audit.runs import (
    data_hash,
    discovery_batch,
    fresh_batch,
    heldout_batch,
    require_fresh,
    spread_over_templates,
)
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.choices import (
    Choice,
    Scored,
    compared_methods,
    other_choices,
    score_choices,
)
from circuitvar.audit.variance import OnExact
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.scores import (
    Behaviour,
    measure_behaviour,
    require_behaviour,
    score_edges,
    score_edges_stored,
)
from circuitvar.circuits.types import EdgeScores, Method, ScoreOptions
from circuitvar.tasks.language import with_noise
from circuitvar.tasks.tokens import get_metric, take
from circuitvar.tasks.types import Batch, Metric, PromptPair, Task

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Collected:
    """Scores and batches of one audit."""

    task: Task
    metric: Metric
    method: Method
    scores: EdgeScores
    """Discovery prompts, `[example, edge]`."""
    heldout: Batch
    behaviour: Behaviour
    exact: EdgeScores | None = None
    exact_rows: Int[np.ndarray, " example"] | None = None
    """Rows of `scores` that the exact scores belong to."""
    methods: Float[np.ndarray, "method edge"] | None = None
    """Mean scores by `method` and by the other methods, in that order."""
    method_keys: tuple[str, ...] = ()
    """Rows of `methods`."""
    on_exact: tuple[OnExact, ...] = ()
    """Every method on the prompts of `exact_rows`."""
    choices: tuple[Scored, ...] = ()
    """Mean scores under other corruptions, noise amplitudes and ablations."""
    fresh: Float[np.ndarray, "replicate edge"] | None = None
    """Mean scores of independent data sets."""
    seeds: Float[np.ndarray, "run edge"] | None = None
    """Mean scores of models that differ in their training seed, the audited one first."""
    seed_names: tuple[str, ...] = ()
    data: str = ""
    """sha256 of the discovery prompts."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Prompts that could not be used, by reason."""
    seconds: dict[str, float] = field(default_factory=dict)


def collect(
    task: Task,
    model: Model,
    settings: Settings,
    *,
    seed_models: tuple[Model, ...] = (),
    method: Method | None = None,
    allow_weak: bool = False,
    progress: Progress | None = None,
    store: Path | None = None,
) -> Collected:
    """Score the discovery prompts, their exact subset, the fresh data sets and the other seeds.

    `seed_models`: models of the same shape trained from other seeds. `method`: your own record
    instead of the one that `settings.method` names.

    Raises
    ------
    ValueError
        The model does not do the task (unless `allow_weak`), every score is 0, fresh data sets are
        asked of a file of prompts, a name is unknown, or a seed model has another shape.
    """
    metric = get_metric(settings.metric or task.metric)
    method = method or get_method(settings.method)
    options = ScoreOptions(ablation=settings.ablation, steps=settings.steps, seed=settings.seed)
    planned = other_choices(task, settings, method)
    require_fresh(task, settings)
    tokenized, pairs = discovery_batch(task, settings, model)
    batch = tokenized.batch
    heldout = heldout_batch(task, settings, model, pairs)[0].batch
    behaviour = measure_behaviour(model, heldout, metric=metric, level=settings.confidence)
    require_behaviour(behaviour, task=task.key, allow_weak=allow_weak)
    clock = _Clock()

    def score(
        stage: str, on: Model, rows: Batch, how: Method, opts: ScoreOptions = options
    ) -> EdgeScores:
        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(stage, done, total)

        known = {"metric": metric, "options": opts, "progress": report}
        if store is None:
            return score_edges(on, rows, how, **known)
        return score_edges_stored(on, rows, how, store=store, **known)

    known_blocks = _blocks(store)
    scores = score(f"{method.key} on {len(batch)} prompts", model, batch, method)
    require_scores(scores)
    # Scores read back from disk say nothing about the speed of the method.
    read_back = store is not None and _blocks(store) == known_blocks
    clock.lap("stored scores" if read_back else "scoring")
    exact, exact_rows = None, None
    if settings.exact:
        exact_rows = spread_over_templates(batch.templates, settings.exact)
        exact = score(
            f"exact patching on {len(exact_rows)} prompts",
            model,
            take(batch, exact_rows),
            get_method("exact"),
            replace(options, edges=None),
        )
        clock.lap("exact")
    every = compared_methods(settings, method)
    means, on_exact = [], []
    for how in every:
        found = scores
        if how is not method:
            found = score(f"{how.key} for comparison", model, batch, how)
        means.append(found.mean)
        if exact_rows is not None:
            on_exact.append(OnExact(how, found.values[exact_rows]))
    compared = np.stack(means) if len(every) > 1 else None
    clock.lap("other methods")

    def score_choice(choice: Choice) -> tuple[EdgeScores, float]:
        rows, matched = _batch_of(choice, task, settings, model, batch, pairs)
        opts = replace(options, ablation=choice.ablation)
        return score(f"{choice.axis}: {choice.name}", model, rows, choice.method, opts), matched

    choices = tuple(score_choices(planned, score_choice))
    clock.lap("other choices")
    fresh = _means(
        score(f"fresh data {i + 1} of {settings.fresh}", model, drawn.batch, method)
        for i in range(settings.fresh)
        for drawn, _ in [fresh_batch(task, settings, model, i)]
    )
    clock.lap("fresh data")
    _check_shapes(model, seed_models)
    seeds = _means(
        scores if other is model else score(f"training seed {other.name}", other, batch, method)
        for other in ((model, *seed_models) if seed_models else ())
    )
    clock.lap("training seeds")
    return Collected(
        task=task,
        metric=metric,
        method=method,
        scores=scores,
        heldout=heldout,
        behaviour=behaviour,
        exact=exact,
        exact_rows=exact_rows,
        methods=compared,
        method_keys=tuple(how.key for how in every) if len(every) > 1 else (),
        on_exact=tuple(on_exact),
        choices=choices,
        fresh=fresh,
        seeds=seeds,
        seed_names=(model.name, *(m.name for m in seed_models)) if seed_models else (),
        data=data_hash(pairs),
        dropped={str(k): int(v) for k, v in tokenized.dropped["reason"].value_counts().items()},
        seconds=clock.seconds,
    )


def _batch_of(
    choice: Choice,
    task: Task,
    settings: Settings,
    model: Model,
    batch: Batch,
    pairs: tuple[PromptPair, ...],
) -> tuple[Batch, float]:
    """The discovery prompts under another corruption, and the share that stayed the same.

    A tokenizer may drop other pairs under another corruption; users' tasks may draw other prompts.
    """
    if choice.amplitude is not None:
        noise = {"roles": settings.noise_roles, "seed": settings.seed}
        return with_noise(batch, choice.amplitude, **noise), 1.0
    if choice.axis != "corruption":
        return batch, 1.0
    other = replace(settings, corruption=choice.corruption)
    changed, new_pairs = discovery_batch(task, other, model)
    same = {pair.clean for pair in pairs}
    return changed.batch, sum(pair.clean in same for pair in new_pairs) / len(new_pairs)


def _means(runs) -> Float[np.ndarray, "run edge"] | None:
    rows = [run.mean for run in runs]
    return np.stack(rows) if rows else None


def _check_shapes(model: Model, others: tuple[Model, ...]) -> None:
    for other in others:
        if other.graph != model.graph:
            raise ValueError(
                f"training-seed model {other.name!r} has {other.graph.n_edges} edges, "
                f"{model.name!r} has {model.graph.n_edges}; seeds must share one architecture"
            )


def _blocks(store: Path | None) -> int:
    """Blocks of scores on disk."""
    return 0 if store is None else sum(1 for _ in store.glob("*.safetensors"))


class _Clock:
    """Wall seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
