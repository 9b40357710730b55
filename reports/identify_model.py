"""How many circuits of a transformer fit as well as the one a method found?

Exact counting is out of reach, so four bounded questions are asked: how many masks of the edges
nearest the cut behave alike, how many circuits the method returns under resampled prompts and how
many it has not shown yet (Chao1), whether a second circuit appears when reuse is penalised, and
how the overlap of found circuits compares with the overlap of equally good ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from circuitvar.audit.identifiability.capture_recapture import Richness, chao1
from circuitvar.audit.identifiability.degeneracy import Degeneracy, compare_degeneracy
from circuitvar.audit.identifiability.mask_search import MaskSearch, search_masks
from circuitvar.audit.identifiability.rival_search import find_rivals, top_n
from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import evaluate_masks
from circuitvar.circuits.methods import get_method
from circuitvar.circuits.model import Model, load_model
from circuitvar.circuits.prune import prune_masks
from circuitvar.circuits.score import score_edges
from circuitvar.circuits.select import top_n_masks
from circuitvar.circuits.types import Ablation
from circuitvar.reports.identifiability_figures import mask_search_plot
from circuitvar.reports.style import save_figure
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.metrics import get_metric
from circuitvar.tasks.sampling import sample_batch
from circuitvar.tasks.types import Task

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ModelOptions:
    """What is searched around a discovered circuit."""

    method: str = "eap-ig-inputs"
    metric: str | None = None
    """None is the task's own."""
    ablation: Ablation = "patching"
    n: int = 200
    """Prompts the circuit is found on."""
    heldout: int = 64
    """Fresh prompts that behaviour is measured on."""
    size: int | None = None
    """Edges kept; None is a tenth of the graph."""
    m: int = 12
    """Edges nearest the cut; all 2^m masks up to 14, sampled above."""
    epsilon: float = 0.02
    """Allowed difference in faithfulness (1 = full model, 0 = everything ablated)."""
    resamples: int = 200
    """Bootstrap resamples of the prompts, each giving one re-run of the selection."""
    masks: int = 4096
    """Masks drawn where not all are run."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ModelIdentifiability:
    """The four answers, and the frame that tables are made from."""

    faithfulness: float
    """Of the discovered circuit, on held-out prompts."""
    near: MaskSearch
    """Masks that behave like the discovered circuit, within epsilon."""
    returned: Richness
    rivals: pd.DataFrame
    overlap: Degeneracy | None
    """None where fewer than two masks fit."""
    summary: pd.DataFrame


def run_identify_model(
    model: str | Model,
    task: str | Task,
    *,
    out: Path | str,
    options: ModelOptions | None = None,
    progress: Progress | None = None,
) -> ModelIdentifiability:
    """Search around a discovered circuit, write `summary.csv`, `rivals.csv`, `edges.csv`, a figure.

    Behaviour of a mask is its faithfulness on held-out prompts; dangling edges are removed before
    circuits are compared. Masks count as equally good when they are within epsilon of the
    *discovered circuit*; the share within epsilon of the full model is reported beside it. The
    free edges are only those nearest the cut, so every count here is a lower bound for the whole
    graph. A circuit that is the whole model is reported as "no compression".

    Raises:
        ValueError: unknown names, too few usable prompts, a size outside the graph.
    """
    options = options or ModelOptions()
    model = load_model(model) if isinstance(model, str) else model
    task = get_task(task) if isinstance(task, str) else task
    metric = get_metric(options.metric or task.metric)
    found, held = (
        sample_batch(task, n, model.tokenizer, rng=stream(options.seed, "identify", name))[0].batch
        for name, n in (("discovery", options.n), ("held-out", options.heldout))
    )
    scores = score_edges(model, found, get_method(options.method), metric=metric)
    size = options.size or max(1, model.graph.n_edges // 10)

    def behaviour(masks: Bool[np.ndarray, "mask edge"]) -> np.ndarray:
        results = evaluate_masks(model, masks, held, metric=metric, ablation=options.ablation)
        if progress:
            progress("masks", len(masks), len(masks))
        return np.array([r.value for r in results])

    def canonical(masks: Bool[np.ndarray, "mask edge"]) -> Bool[np.ndarray, "mask edge"]:
        return prune_masks(model.graph, masks)

    circuit = top_n(np.abs(scores.mean), size)
    faithfulness = float(behaviour(circuit[None])[0])
    near = search_masks(
        behaviour, scores.mean, size=size, epsilon=options.epsilon,
        m=min(options.m, model.graph.n_edges), target=faithfulness, n=options.masks,
        canonical=canonical, rng=stream(options.seed, "identify", "masks"),
    )  # fmt: skip
    reruns = _reruns(scores.values, size, options, canonical)
    rivals = find_rivals(
        behaviour, scores.mean, circuit, epsilon=options.epsilon, target=faithfulness
    )
    fitting = np.unique(canonical(near.masks[near.within]), axis=0)
    overlap = compare_degeneracy(reruns, fitting) if len(fitting) > 1 else None
    returned = chao1(reruns)
    summary = _summary(faithfulness, near, returned, rivals, overlap, options)
    result = ModelIdentifiability(faithfulness, near, returned, rivals, overlap, summary)
    _write(result, model.graph.edge_names, Path(out))
    return result


def _reruns(values: np.ndarray, size: int, options: ModelOptions, canonical) -> np.ndarray:
    """Circuits selected from bootstrap resamples of the scored prompts, without new model calls."""
    rng = stream(options.seed, "identify", "resamples")
    n = len(values)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=options.resamples) / n
    return canonical(top_n_masks(weights @ values.astype(np.float64), size))


def _summary(
    faithfulness: float,
    near: MaskSearch,
    returned: Richness,
    rivals: pd.DataFrame,
    overlap: Degeneracy | None,
    options: ModelOptions,
) -> pd.DataFrame:
    nan = float("nan")
    full = float((np.abs(near.values - 1) <= near.epsilon).mean())
    best = rivals.loc[rivals["rival"], "jaccard"].to_numpy(dtype=float)
    sampled = near.count.known != "exact"
    rows = [
        ("faithfulness of the circuit", faithfulness, "exact", nan, nan, ""),
        ("edges in the circuit", float(near.circuit.sum()), "exact", nan, nan, ""),
        ("verdict: unique near the cut", nan, near.count.known, nan, nan, near.outcome),
        (near.count.name + " that fit", float(near.count.value), near.count.known,
         near.count.low, near.count.high, f"within {near.epsilon:g} of the circuit's faithfulness"),
        ("share of masks that fit", near.share, near.count.known, nan, nan, ""),
        ("share of masks within epsilon of the full model", full, near.count.known, nan, nan, ""),
        ("different circuits among them", float(near.distinct),
         "lower bound" if sampled else "exact", nan, nan, "dangling edges removed"),
        ("edges forced on / free edges", len(near.forced_on) / len(near.free),
         "estimate" if sampled else "exact", nan, nan, ""),
        ("circuits returned by re-runs", float(returned.seen), "exact", nan, nan,
         f"{options.resamples} bootstrap resamples of the prompts"),
        ("circuits the method can return (Chao1)", float(returned.chao1.value),
         returned.chao1.known, returned.chao1.low, returned.chao1.high, returned.chao1.how),
        ("probability that a re-run returns a circuit already seen", returned.coverage,
         "estimate", nan, nan, "Good-Turing"),
        ("rivals found", float(len(best)), "lower bound", nan, nan, "penalised reuse, greedy"),
        ("least overlap of a rival (Jaccard)", float(best.min()) if len(best) else nan,
         "exact", nan, nan, ""),
    ]  # fmt: skip
    if overlap is not None:
        rows += [
            ("method noise (1 - Jaccard of re-runs)", overlap.method_noise, "estimate", nan, nan,
             "re-runs share the model and the prompts they resample"),
            ("degeneracy near the cut (1 - Jaccard of equally good masks)",
             overlap.true_degeneracy, "lower bound", nan, nan,
             "only the edges nearest the cut vary"),
            ("Jaccard expected by chance", overlap.chance, "exact", nan, nan, ""),
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["quantity", "value", "known", "low", "high", "note"])


def _write(result: ModelIdentifiability, names: tuple[str, ...], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    result.summary.to_csv(out / "summary.csv", index=False)
    rivals = result.rivals.assign(
        edges=[";".join(names[i] for i in np.flatnonzero(k)) for k in result.rivals["kept"]]
    )
    rivals.drop(columns="kept").to_csv(out / "rivals.csv", index=False)
    edges = near_edges(result.near, names)
    edges.to_csv(out / "edges.csv", index=False)
    (out / "figures").mkdir(exist_ok=True)
    figure = mask_search_plot(edges, result.near.values, result.near.target, result.near.epsilon)
    for suffix in (".svg", ".png"):
        save_figure(figure, out / "figures" / f"near_the_cut{suffix}")


def near_edges(near: MaskSearch, names: tuple[str, ...]) -> pd.DataFrame:
    """One row per free edge: name, in the circuit, share of fitting masks that keep it."""
    return pd.DataFrame(
        {
            "edge": [names[i] for i in near.free],
            "in_circuit": near.circuit[near.free],
            "inclusion": near.inclusion,
        }
    )
