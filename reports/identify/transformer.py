"""How many circuits of a transformer fit as well as the one a method found.

Exact counting is out of reach, so four bounded questions are asked: how many masks of the edges
nearest the cut behave alike, how many circuits the method returns under resampled prompts and how
many it has not shown yet (Chao1), whether a second circuit appears when reuse is penalised, and
how the overlap of circuits found over prompts, batches and training seeds (method noise) compares
with the overlap of equally good ones (true degeneracy).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.identifiability.reruns import chao1
from circuitvar.audit.identifiability.transformers import (
    Cut,
    MaskSearch,
    find_rivals,
    search_masks,
    top_n,
)
from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.prune import prune_masks
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.size import circuit_size
from circuitvar.circuits.types import EdgeScores
from circuitvar.reports.identify.figures import mask_search_plot, overlap_plot, save_figures
from circuitvar.reports.identify.reruns import (
    Canonical,
    Reruns,
    check_seed_models,
    overlap_frame,
    rerun_batches,
    rerun_prompts,
    rerun_seeds,
)
from circuitvar.reports.identify.section import csv_name
from circuitvar.reports.identify.summary import ModelIdentifiability, judge, summary_sentences
from circuitvar.reports.named import task_caution
from circuitvar.reports.options import ModelOptions
from circuitvar.reports.page import SectionFigure, SectionTable, write_section
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens import get_metric, sample_batch
from circuitvar.tasks.types import Batch, Task

FIGURES = {
    "near_the_cut": (
        "Masks of the edges nearest the cut",
        "Left: faithfulness of every mask; the band fits. Right: how often fitting masks keep each "
        "free edge.",
    ),
    "overlap": (
        "Method noise and true degeneracy",
        "Mean Jaccard between circuits of re-runs, by what changed, and between circuits that fit "
        "equally well.",
    ),
}
Progress = Callable[[str, int, int], None]


def run_identify_model(
    model: str | Model,
    task: str | Task,
    *,
    out: Path | str,
    options: ModelOptions | None = None,
    seed_models: Sequence[str | Model] = (),
    progress: Progress | None = None,
) -> ModelIdentifiability:
    """Search around a discovered circuit; write tables, figures and `section.json` to `out`.

    Behaviour of a mask is its faithfulness on held-out prompts; dangling edges are removed before
    circuits are compared. Masks count as equally good when they are within epsilon of the
    *discovered circuit*; the share within epsilon of the full model is reported beside it. The
    free edges are only those nearest the cut, so every count here is a lower bound for the whole
    graph. A circuit that is the whole model is reported as "no compression". `seed_models` are
    the same architecture trained from other seeds, one source of re-runs more.

    Raises
    ------
    ValueError
        Unknown names, too few usable prompts, a size outside the graph, a seed model of another
        architecture or given twice.
    """
    options = options or ModelOptions()
    model = load_model(model) if isinstance(model, str) else model
    task = get_task(task) if isinstance(task, str) else task
    others = [
        (
            load_model(one, device=model.device, dtype=model.dtype) if isinstance(one, str) else one
        ).keeping(model.store)
        for one in seed_models
    ]
    check_seed_models(model, others)
    metric = get_metric(options.metric or task.metric)
    found = _prompts(model, task, options.n, options, "discovery")
    held = _prompts(model, task, options.heldout, options, "held-out")
    cautions = task_caution(task, model, held, metric, allow_weak=options.allow_weak)

    def behaviour(masks: Bool[np.ndarray, "mask edge"]) -> np.ndarray:
        results = evaluate_masks(model, masks, held, metric=metric, ablation=options.ablation)
        if progress:
            progress("masks", len(masks), len(masks))
        return np.array([r.value for r in results])

    def canonical(masks: Bool[np.ndarray, "mask edge"]) -> Bool[np.ndarray, "mask edge"]:
        return prune_masks(model.graph, masks)

    scores = _score(model, found, task, options)
    size = circuit_size(model.graph.n_edges, options.size)
    circuit = top_n(np.abs(scores.mean), size)
    target = float(behaviour(circuit[None])[0])
    near = search_masks(
        behaviour,
        scores.mean,
        Cut(size, options.epsilon, min(options.m, model.graph.n_edges), options.masks),
        target=target,
        canonical=canonical,
        rng=stream(options.seed, "identify", "masks"),
    )
    rivals = find_rivals(behaviour, scores.mean, circuit, epsilon=options.epsilon, target=target)
    sized = replace(options, size=size)
    reruns = _reruns([model, *others], task, found, scores, sized, canonical, progress)
    result = _conclude(target, near, rivals, reruns, canonical)
    _write(result, model, task, Path(out), cautions)
    return result


def _prompts(model: Model, task: Task, n: int, options: ModelOptions, *names: str) -> Batch:
    rng = stream(options.seed, "identify", *names)
    return sample_batch(task, n, model, rng=rng)[0].batch


def _score(model: Model, batch: Batch, task: Task, options: ModelOptions) -> EdgeScores:
    metric = get_metric(options.metric or task.metric)
    return score_edges(model, batch, get_method(options.method), metric=metric)


def _reruns(
    models: Sequence[Model],
    task: Task,
    found: Batch,
    scores: EdgeScores,
    options: ModelOptions,
    canonical: Canonical,
    progress: Progress | None,
) -> list[Reruns]:
    """Every source of re-runs, that of resampled prompts first; the first model is audited."""
    model, *others = models
    size = options.size or len(scores.mean)
    rng = stream(options.seed, "identify", "resamples")
    out = [rerun_prompts(scores.values, size, n=options.resamples, canonical=canonical, rng=rng)]

    def means(stage: str, parts: Sequence[tuple[Model, Batch]]) -> Float[np.ndarray, "run edge"]:
        rows = [scores.mean]
        for done, (one, batch) in enumerate(parts, 1):
            rows.append(_score(one, batch, task, options).mean)
            if progress:
                progress(stage, done, len(parts))
        return np.stack(rows)

    if options.batches > 1:
        fresh = [
            (model, _prompts(model, task, options.n, options, "batch", str(i)))
            for i in range(1, options.batches)
        ]
        out.append(rerun_batches(means("fresh batches", fresh), size, canonical=canonical))
    if others:
        rows = means("training seeds", [(other, found) for other in others])
        rng = stream(options.seed, "identify", "seeds")
        out += rerun_seeds(model.graph, rows, size, canonical=canonical, rng=rng)
    return out


def _conclude(
    target: float,
    near: MaskSearch,
    rivals: pd.DataFrame,
    reruns: Sequence[Reruns],
    canonical: Canonical,
) -> ModelIdentifiability:
    circuit, whole = canonical(np.stack([near.circuit, np.ones_like(near.circuit)]))
    fitting = np.unique(canonical(near.masks[near.within]), axis=0)
    # Rivals that only differ in dangling edges are the circuit itself.
    second = canonical(np.stack(list(rivals["kept"])))
    real = rivals["rival"].to_numpy() & (second != circuit).any(axis=1) & second.any(axis=1)
    rivals = rivals.assign(rival=real)
    verdict = judge(
        near, rivals=int(real.sum()), effective=int(circuit.sum()), whole=int(whole.sum())
    )
    returned, overlap = chao1(reruns[0].kept), overlap_frame(reruns, fitting)
    seen = len(np.unique(np.concatenate([fitting, second[real]]), axis=0))
    return ModelIdentifiability(target, near, returned, rivals, overlap, verdict, seen)


def _write(
    result: ModelIdentifiability, model: Model, task: Task, out: Path, cautions: list[str]
) -> None:
    names = model.graph.edge_names
    out.mkdir(parents=True, exist_ok=True)
    rivals = result.rivals.assign(
        edges=[";".join(names[i] for i in np.flatnonzero(k)) for k in result.rivals["kept"]]
    )
    edges = near_edges(result.near, names)
    tables = (
        ("summary", "Circuits that fit equally well", result.summary),
        ("overlap", "Method noise and true degeneracy (Jaccard)", result.overlap),
        ("rivals", "Rival search", rivals.drop(columns="kept")),
        ("edges", "Edges nearest the cut", edges),
    )
    for name, _, frame in tables:
        frame.to_csv(out / csv_name(name), index=False)
    near = result.near
    drawn = {
        "near_the_cut": mask_search_plot(edges, near.values, near.target, near.epsilon),
        "overlap": overlap_plot(result.overlap),
    }
    save_figures(drawn, out / "figures")
    write_section(
        out,
        kind="identifiability",
        title=f"Identifiability: {model.name} on {task.key}",
        summary=[*cautions, *summary_sentences(result, model=model.name, task=task.key)],
        tables=[SectionTable(csv_name(name), title) for name, title, _ in tables],
        figures=[SectionFigure(f"figures/{name}.svg", *FIGURES[name]) for name in drawn],
    )


def near_edges(near: MaskSearch, names: tuple[str, ...]) -> pd.DataFrame:
    """One row per free edge: name, in the circuit, share of fitting masks that keep it."""
    return pd.DataFrame(
        {
            "edge": [names[i] for i in near.free],
            "in_circuit": near.circuit[near.free],
            "inclusion": near.inclusion,
        }
    )
