"""Give heads of independently trained models common names, by what their edges do.

Head numbers mean nothing across training seeds: permuting the heads of a layer leaves the model
unchanged. Comparing circuits edge by edge therefore needs a matching. It is chosen to make the
models look alike, so its overlap is an upper estimate and is reported with the overlap that the
same matching gives to shuffled scores.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import Generator
from scipy.optimize import linear_sum_assignment

from circuitvar.audit.agreement.axis import runs_axis
from circuitvar.audit.indices import mean_pairwise, pairwise_jaccard
from circuitvar.audit.types import Axis
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.graph import Graph

Edge = Float[np.ndarray, " edge"]
Dense = Float[np.ndarray, "src dst"]
MATCHED = "seed-matched"
"""Key of the axis over training seeds after matching heads."""


def match_heads(graph: Graph, scores: Edge, reference: Edge) -> Edge:
    """`scores` with the heads of every layer renamed to look most like `reference`.

    Layer by layer, heads are assigned (Hungarian method) so that the sum of products of |score|
    profiles is largest. A head's profile: its q, k, v edges from sources already matched, its
    edges to MLPs and logits, and its summed edges into each later layer's q, k and v.

    Raises
    ------
    ValueError
        With grouped-query attention, whose heads may only be permuted in groups.
    """
    if graph.kv_heads != graph.n_heads:
        raise ValueError(
            f"heads of a model with {graph.n_heads} heads and {graph.kv_heads} k/v heads cannot "
            "be matched one by one; compare its seeds without matching"
        )
    own, other = _dense(graph, scores), _dense(graph, reference)
    for layer in range(graph.n_layers):
        cost = -_profiles(graph, other, layer) @ _profiles(graph, own, layer).T
        order = linear_sum_assignment(cost)[1]
        own = _rename(graph, own, layer, order)
    return own[graph.edge_src, graph.edge_dst]


def seed_axis_matched(
    graph: Graph,
    means: Float[np.ndarray, "run edge"],
    size: int,
    *,
    rng: Generator,
    signed: bool = False,
    level: float = 0.95,
) -> Axis:
    """Stability over training seeds after matching every run's heads to the first run's.

    `chance` is the mean Jaccard when scores are shuffled among the edges of each destination
    before matching.
    """

    def matched(rows: np.ndarray) -> Bool[np.ndarray, "run edge"]:
        aligned = np.stack([rows[0], *(match_heads(graph, row, rows[0]) for row in rows[1:])])
        return top_n_masks(aligned, size, signed=signed)

    shuffled = np.stack([_shuffle_within_destination(graph, row, rng) for row in means])
    axis = runs_axis(
        matched(means),
        key=MATCHED,
        title="Training seeds, heads matched",
        unit="training seed",
        level=level,
        note="Heads of each layer renamed to look most like the first seed: an upper estimate.",
    )
    chance = mean_pairwise(pairwise_jaccard(matched(shuffled)))
    return replace(axis, chance=chance)


def _dense(graph: Graph, scores: Edge) -> Dense:
    dense = np.zeros(graph.exists.shape)
    dense[graph.edge_src, graph.edge_dst] = scores
    return dense


def _heads(graph: Graph, layer: int) -> Int[np.ndarray, " head"]:
    """Rows of a layer's heads."""
    return 1 + layer * (graph.n_heads + graph.has_mlp) + np.arange(graph.n_heads)


def _slots(graph: Graph, layer: int) -> Int[np.ndarray, "slot head"]:
    """Columns of a layer's q, k and v destinations."""
    first = layer * (3 * graph.n_heads + graph.has_mlp)
    return first + np.arange(3 * graph.n_heads).reshape(3, graph.n_heads)


def _profiles(graph: Graph, dense: Dense, layer: int) -> Float[np.ndarray, "head feature"]:
    rows, slots = _heads(graph, layer), _slots(graph, layer)
    strength = np.abs(dense)
    features = [strength[: rows[0], columns].T for columns in slots]
    for later in range(layer + 1, graph.n_layers):
        features += [
            strength[np.ix_(rows, columns)].sum(axis=1)[:, None] for columns in _slots(graph, later)
        ]
    fixed = [i for i, node in enumerate(graph.destinations) if node.kind != "attn"]
    return np.concatenate([*features, strength[rows][:, fixed]], axis=1)


def _rename(graph: Graph, dense: Dense, layer: int, order: Int[np.ndarray, " head"]) -> Dense:
    """Head h of the result is head order[h] of the input."""
    renamed = dense.copy()
    rows = _heads(graph, layer)
    renamed[rows] = dense[rows[order]]
    by_rows = renamed.copy()
    for columns in _slots(graph, layer):
        renamed[:, columns] = by_rows[:, columns[order]]
    return renamed


def _shuffle_within_destination(graph: Graph, scores: Edge, rng: Generator) -> Edge:
    shuffled = scores.copy()
    for dst in range(len(graph.destinations)):
        columns = np.flatnonzero(graph.edge_dst == dst)
        shuffled[columns] = scores[rng.permutation(columns)]
    return shuffled
