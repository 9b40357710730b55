"""Method noise next to true degeneracy, per net: overlaps of found and equally valid circuits."""

import numpy as np

from circuitvar.audit.identifiability.count import inclusion_minimal, list_valid, sample_valid
from circuitvar.audit.identifiability.nets import Question, is_valid
from circuitvar.audit.identifiability.reruns.degeneracy import compare_degeneracy
from circuitvar.audit.identifiability.reruns.greedy_prune import prune_in_order
from circuitvar.audit.identifiability.reruns.rediscover import SOURCES, backwards, rediscover

FOUND = tuple(f"found over {source}" for source in SOURCES)
VALID, MINIMAL = "equally valid", "inclusion-minimal"
LISTED = 10_000
"""Inclusion-minimal circuits are compared where at most this many valid ones must be listed."""


def overlap_rows(
    question: Question, *, valid: int, samples: int, rng: np.random.Generator
) -> list[dict]:
    """Jaccard of circuits found over edge orders, batches and prompts, equally valid and minimal.

    Equally valid circuits are exact uniform samples.

    `valid` is the number of valid circuits, `samples` the number drawn and of re-runs (an eighth
    of it over prompts, which cannot share work). `valid_share` is the share of found circuits
    that are valid on the whole truth table. Empty where the full net fails the criterion.
    """
    full = np.ones((1, question.net.n_edges), dtype=bool)
    if not is_valid(question, full)[0]:
        return []
    equal = sample_valid(question, samples, rng=rng)
    rows = []
    for source in SOURCES:
        runs = max(2, samples // 8) if source == "prompts" else samples
        found = rediscover(question, source, runs, rng=rng)
        if len(found) < 2:
            continue
        both = compare_degeneracy(found, equal)
        share = float(is_valid(question, found).mean())
        name = f"found over {source}"
        rows.append(_row(question, name, both.found, both.found_sizes, both.chance, share))
    both = compare_degeneracy(equal, equal)
    rows.append(_row(question, VALID, both.valid, both.valid_sizes, both.chance, 1.0))
    minimal = inclusion_minimal(list_valid(question)) if valid <= LISTED else equal[:0]
    if len(minimal) > 1:
        both = compare_degeneracy(minimal, minimal)
        rows.append(_row(question, MINIMAL, both.valid, both.valid_sizes, float("nan"), 1.0))
    return rows


def found_circuit(question: Question) -> list[dict]:
    """The circuit found on the whole truth table, as a string of 0 and 1.

    Edges are tried from the output back; it is what is compared across training seeds.
    """
    if not is_valid(question, np.ones((1, question.net.n_edges), dtype=bool))[0]:
        return []
    kept = prune_in_order(question, backwards(question.net))[0]
    text = "".join("1" if k else "0" for k in kept)
    return [{"ablation": question.ablation, "circuit": text}]


def _row(question: Question, name: str, overlap, sizes, chance: float, share: float) -> dict:
    return {
        "ablation": question.ablation,
        "circuits": name,
        "jaccard": overlap.mean,
        "se": overlap.se,
        "pairs": overlap.pairs,
        "size_mean": sizes[0],
        "size_sd": sizes[1],
        "chance": chance,
        "valid_share": share,
    }
