"""Runs that need no model call, from the per-example scores of the passes that are stored.

They are of other prompts, templates, sizes, rules and granularities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from circuitvar.audit.resampling import Selector
from circuitvar.audit.runs.design import RunKey
from circuitvar.audit.runs.execute import load_run
from circuitvar.audit.runs.facets import pass_key
from circuitvar.audit.runs.finder_runs import finder_of
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import resampled_prompts
from circuitvar.circuits.find import smallest_connected, strength, top_n, top_n_masks
from circuitvar.circuits.graph import Graph

Edge = Float[np.ndarray, " edge"]


@dataclass(frozen=True, eq=False)
class Derived:
    """Every run of a design: its mean scores and its circuit.

    A finder returns a circuit alone: its score of an edge is 1 or 0, kept or not.
    """

    keys: tuple[RunKey, ...]
    scores: Float[np.ndarray, "run edge"]
    masks: Bool[np.ndarray, "run edge"]
    weights: tuple[Float[np.ndarray, " _example"], ...] = ()
    """Weight of every prompt of a run's pass in the run."""

    def frame(self) -> pd.DataFrame:
        """One row per run: facets, replicate, digest, edges."""
        rows = [
            {**dict(key.levels), "replicate": key.replicate, "digest": key.digest, "edges": int(n)}
            for key, n in zip(self.keys, self.masks.sum(axis=1), strict=True)
        ]
        return pd.DataFrame(rows)


def derived_runs(
    folder: Path, keys: Sequence[RunKey], *, graph: Graph, settings: Settings, size: int
) -> Derived:
    """Read each stored pass once and take every run of the design from it."""
    scores = np.empty((len(keys), graph.n_edges))
    masks = np.empty((len(keys), graph.n_edges), dtype=bool)
    by_pass: dict[RunKey, list[int]] = {}
    every: list[Float[np.ndarray, " example"]] = [np.empty(0)] * len(keys)
    for row, key in enumerate(keys):
        by_pass.setdefault(pass_key(key), []).append(row)
    for stored, rows in by_pass.items():
        arrays = _stored(folder, stored)
        for row in rows:
            levels = dict(keys[row].levels)
            if finder_of(levels):
                every[row], masks[row] = arrays["weights"], arrays["kept"]
                scores[row] = arrays["kept"]
                continue
            weights = example_weights(arrays, levels, settings)
            every[row], used = weights, weights > 0
            scores[row] = weights[used] @ arrays["scores"][used].astype(np.float64)
            masks[row] = selected(graph, scores[row], levels, settings=settings, size=size)
    return Derived(tuple(keys), scores, masks, tuple(every))


def _stored(folder: Path, key: RunKey) -> dict[str, np.ndarray]:
    arrays = load_run(folder, key)
    if arrays is None:
        raise ValueError(f"the run {dict(key.levels)} is missing from {folder}; resume the design")
    return arrays


def example_weights(
    arrays: Mapping[str, np.ndarray], levels: Mapping[str, object], settings: Settings
) -> Float[np.ndarray, " example"]:
    """Weight of every stored example in a run; they sum to 1.

    A bootstrap resample is drawn from its number alone, so that runs of other methods with the
    same number use the same prompts.

    Raises
    ------
    ValueError
        No stored prompt is left.
    """
    n = len(arrays["scores"])
    weights = np.ones(n)
    resample = levels.get("prompts")
    if resample:
        rows = resampled_prompts(settings.seed, int(str(resample)), n)
        weights = np.bincount(rows, minlength=n).astype(np.float64)
    template = levels.get("template")
    if template is not None:
        weights = weights * (arrays["templates"] == template)
    if not weights.any():
        raise ValueError(
            f"none of the {n} prompts of this run has template {template!r}; use more prompts"
        )
    return weights / weights.sum()


def selected(
    graph: Graph, scores: Edge, levels: Mapping[str, object], *, settings: Settings, size: int
) -> Bool[np.ndarray, " edge"]:
    """The circuit of one run under its `size`, `signed`, `selection` and `granularity`."""
    signed = bool(levels.get("signed", settings.signed))
    n = int(str(levels.get("size") or size))
    granularity = str(levels.get("granularity", "edge"))
    rule = levels.get("selection", "top-n")
    if rule == "connected":
        return smallest_connected(graph, scores, signed=signed).kept
    if granularity != "edge":
        mask = whole_groups(scores, edge_groups(graph, granularity), n, signed=signed)
        scores = np.where(mask, 1.0, 0.0)
        n = int(mask.sum())
    if rule == "pruned":
        return top_n(graph, scores, n, signed=signed).kept
    return top_n_masks(scores[None], n, signed=signed)[0]


@dataclass(frozen=True, eq=False)
class Sample:
    """What the resamples of a run were drawn from, and the rule that selects from their means."""

    scores: Float[np.ndarray, "example edge"]
    select: Selector


def sample_of(
    folder: Path, key: RunKey, *, graph: Graph, settings: Settings, size: int
) -> Sample | None:
    """The stored per-example scores behind a run.

    None for finders, which see no scores, and for the rule `connected`, which is too slow to be
    repeated for every half of the data.
    """
    levels = dict(key.levels)
    if finder_of(levels) or levels.get("selection") == "connected":
        return None
    arrays = _stored(folder, pass_key(key))
    weights = example_weights(arrays, levels | {"prompts": None}, settings)

    def select(means):
        return np.stack([selected(graph, m, levels, settings=settings, size=size) for m in means])

    return Sample(arrays["scores"][weights > 0], select)


def whole_groups(
    scores: Edge, group: Int[np.ndarray, " edge"], size: int, *, signed: bool = False
) -> Bool[np.ndarray, " edge"]:
    """The groups of largest |summed score|, kept whole, as many as fit into `size` edges.

    At least one group is kept.

    >>> whole_groups(np.array([1.0, 1.0, 3.0, 0.0]), np.array([0, 0, 1, 2]), 3).tolist()
    [True, True, True, False]
    """
    value = strength(np.bincount(group, weights=scores), signed=signed)
    order = np.argsort(-value, kind="stable")
    filled = np.cumsum(np.bincount(group)[order])
    chosen = order[: max(1, int((filled <= size).sum()))]
    return np.isin(group, chosen)


@lru_cache(maxsize=8)
def edge_groups(graph: Graph, granularity: str) -> Int[np.ndarray, " edge"]:
    """Number of the group each edge belongs to."""
    if granularity == "node":
        return np.asarray(graph.edge_src)
    names = [(e.src.name, e.dst.kind, e.dst.layer, e.dst.head) for e in graph.edges]
    seen: dict[tuple[object, ...], int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names])
