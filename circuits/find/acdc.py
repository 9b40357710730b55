"""ACDC: remove edges one by one, from the logits back to the input, while the output holds.

Conmy et al. 2023 (arXiv 2304.14997), algorithm 1. Every edge is tried once; it is removed for good
if that raises the mean KL to the full model by less than a threshold. Order, which the result
depends on: destinations from last to first, and within one, sources from last to first.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool

from circuitvar.circuits.find.select import circuit_from_mask
from circuitvar.circuits.model import Model, logits_at
from circuitvar.circuits.prune import reads_of
from circuitvar.circuits.run import needed_sources, prepare, streams_of
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.tokens import kl
from circuitvar.tasks.types import Batch, Metric

SWEEPS = 10
"""Thresholds tried at most to come close to the size asked for."""
TOLERANCE = 0.05
"""The search stops within this share of the size asked for."""


@torch.no_grad()
def acdc_mask(model: Model, batch: Batch, threshold: float) -> Bool[np.ndarray, " edge"]:
    """Edges that ACDC keeps at one threshold on the rise of mean KL, in nats; not pruned.

    An edge into a node that no longer reaches the logits is removed without a run: it cannot
    change the output under counterfactual patching.
    """
    graph = model.graph
    backdrop = prepare(model, batch)
    full = logits_at(model.architecture, backdrop.full).float()
    kept = np.ones(graph.n_edges, dtype=bool)
    order = np.lexsort((-graph.edge_src, -graph.edge_dst))
    reads = reads_of(graph)
    candidate = -1

    def masks() -> Iterator[np.ndarray]:
        nonlocal candidate
        destination, wanted = -1, False
        for column in order:
            if graph.edge_dst[column] != destination:
                destination = int(graph.edge_dst[column])
                needed = needed_sources(graph, graph.matrix(kept))
                last = destination == len(graph.destinations) - 1
                wanted = last or bool((reads[:, destination] & needed).any())
            if not wanted:
                kept[column] = False
                continue
            candidate = int(column)
            trial = kept.copy()
            trial[column] = False
            yield trial

    current = 0.0
    for stream in streams_of(model, backdrop, masks()):
        logits = logits_at(model.architecture, stream).float()
        after = float(kl(logits, batch, full).mean())
        if after - current < threshold:
            kept[candidate] = False
            current = after
    return kept


def find_acdc(model: Model, batch: Batch, *, metric: Metric, size: int, seed: int) -> Circuit:
    """ACDC at the threshold whose circuit is closest to `size` edges.

    The threshold is found by bisection on a log scale, so the size is met only approximately;
    `selected` says what came out. Judged by KL whatever the metric, as in the paper's default;
    deterministic, so `seed` changes nothing.
    """
    low, high = 1e-7, 10.0
    best = np.ones(model.graph.n_edges, dtype=bool)
    chosen = 0.0
    for _ in range(SWEEPS):
        threshold = float(np.sqrt(low * high))
        mask = acdc_mask(model, batch, threshold)
        if abs(int(mask.sum()) - size) < abs(int(best.sum()) - size):
            best, chosen = mask, threshold
        if abs(int(mask.sum()) - size) <= TOLERANCE * size:
            break
        low, high = (threshold, high) if mask.sum() > size else (low, threshold)
    rule = f"ACDC, rise of KL below {chosen:.3g} nats"
    return circuit_from_mask(model.graph, best, rule=rule, requested=size)
