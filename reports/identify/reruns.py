"""Circuits that one method returns when something irrelevant to the model's mechanism changes.

Each source of re-runs changes one thing: which of the prompts are used (resampled), the whole set
of prompts (fresh batches), or the training seed of the model. Their overlap, next to that of
equally good circuits, tells the noise of the method from the degeneracy of the question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from circuitvar.audit.agreement import match_heads, seed_axis_matched
from circuitvar.audit.identifiability.count import pairwise_jaccard
from circuitvar.audit.identifiability.reruns import compare_degeneracy
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model import Model

Canonical = Callable[[Bool[np.ndarray, "run edge"]], Bool[np.ndarray, "run edge"]]
PROMPTS, BATCHES = "resampled prompts", "fresh batches"
SEEDS, MATCHED = "training seeds", "training seeds, heads matched"
EQUAL = "equally good near the cut"
COLUMNS = "circuits jaccard se runs size_mean size_sd chance note".split()


@dataclass(frozen=True, eq=False)
class Reruns:
    """Circuits of the same size found again, dangling edges removed."""

    source: str
    kept: Bool[np.ndarray, "run edge"]
    chance: float | None = None
    """Jaccard expected by chance; None is that of random edge sets of the found sizes."""
    note: str = ""


def rerun_prompts(
    values: Float[np.ndarray, "example edge"],
    size: int,
    *,
    n: int,
    canonical: Canonical,
    rng: np.random.Generator,
) -> Reruns:
    """Selection from `n` bootstrap resamples of the scored prompts, without new model calls."""
    examples = len(values)
    weights = rng.multinomial(examples, np.full(examples, 1 / examples), size=n) / examples
    kept = canonical(top_n_masks(weights @ values.astype(np.float64), size))
    return Reruns(PROMPTS, kept, note="bootstrap of one set of prompts")


def rerun_batches(
    means: Float[np.ndarray, "batch edge"], size: int, *, canonical: Canonical
) -> Reruns:
    """Selection from mean scores of independent sets of prompts, the audited one first."""
    kept = canonical(top_n_masks(means, size))
    return Reruns(BATCHES, kept, note="independent sets of prompts of the same size")


def rerun_seeds(
    graph: Graph,
    means: Float[np.ndarray, "seed edge"],
    size: int,
    *,
    canonical: Canonical,
    rng: np.random.Generator,
) -> tuple[Reruns, ...]:
    """Selection in models of other training seeds (audited one first): by edge name, and matched.

    Head numbers mean nothing across training seeds, so the first is a lower and the second, whose
    heads are renamed to look most like the audited model's, an upper estimate of overlap. With
    grouped-query attention heads cannot be renamed one by one and only the first is given.
    """
    plain = Reruns(
        SEEDS, canonical(top_n_masks(means, size)), note="edges by name: a lower estimate"
    )
    if graph.kv_heads != graph.n_heads:
        return (plain,)
    aligned = np.stack([means[0], *(match_heads(graph, row, means[0]) for row in means[1:])])
    chance = seed_axis_matched(graph, means, size, rng=rng).chance
    note = "heads renamed to look most like the audited model: an upper estimate"
    return (plain, Reruns(MATCHED, canonical(top_n_masks(aligned, size)), chance, note))


def check_seed_models(model: Model, others: Sequence[Model]) -> None:
    """Other training seeds must have the audited model's graph and other weights."""
    for other in others:
        if other.graph.edge_names != model.graph.edge_names:
            raise ValueError(
                f"model {other.name} has {other.graph.n_edges} edges, {model.name} "
                f"{model.graph.n_edges}; training seeds must share one architecture"
            )
    digests = [m.digest for m in (model, *others)]
    for other, digest in zip(others, digests[1:], strict=True):
        if digests.count(digest) > 1:
            raise ValueError(
                f"model {other.name} is given more than once (same weights); "
                "give each training seed once, and not the audited model itself"
            )


def overlap_frame(
    reruns: Sequence[Reruns], fitting: Bool[np.ndarray, "circuit edge"]
) -> pd.DataFrame:
    """One row per source of re-runs, and one for the circuits that fit equally well.

    A single fitting circuit has overlap 1 with itself (no degeneracy near the cut); without any
    the row holds NaN.
    """
    rows = []
    for one in reruns:
        both = compare_degeneracy(one.kept, one.kept)
        chance = both.chance if one.chance is None else one.chance
        found = both.found
        rows.append(
            (one.source, found.mean, found.se, len(one.kept), *both.found_sizes, chance, one.note)
        )
    nan = float("nan")
    sizes = fitting.sum(axis=1) if len(fitting) else np.array([nan])
    alone = 1.0 if len(fitting) else nan
    mean = pairwise_jaccard(fitting).mean if len(fitting) > 1 else alone
    note = "only the edges nearest the cut vary: overlap of all equally good circuits may be lower"
    spread = float(sizes.mean()), float(sizes.std())
    rows.append((EQUAL, mean, 0.0, len(fitting), *spread, nan, note))
    return pd.DataFrame(rows, columns=COLUMNS)


def method_noise(overlap: pd.DataFrame) -> float:
    """1 - Jaccard between re-runs, mean over sources; matched heads stand for training seeds.

    >>> rows = [("fresh batches", 0.8), ("training seeds", 0.1),
    ...         ("training seeds, heads matched", 0.4), ("equally good near the cut", 0.9)]
    >>> round(method_noise(pd.DataFrame(rows, columns=["circuits", "jaccard"])), 3)
    0.4
    """
    left_out = [EQUAL, SEEDS if MATCHED in set(overlap["circuits"]) else MATCHED]
    kept = overlap.loc[~overlap["circuits"].isin(left_out), "jaccard"]
    return float(1 - kept.mean())


def degeneracy(overlap: pd.DataFrame) -> float:
    """1 - Jaccard between equally good circuits near the cut; NaN where none fits."""
    return float(1 - overlap.loc[overlap["circuits"] == EQUAL, "jaccard"].iloc[0])
