"""Strata of edges: edges of one stratum join the same kinds of place in the same two layers.

Edges are not exchangeable (early layers, MLPs and value inputs are chosen more often), so random
circuits and overlap p-values are also offered within strata.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Int

from circuitvar.circuits.graph import Graph, Node


def _place(node: Node) -> tuple[str, int, str]:
    return node.kind, node.layer, node.slot


@lru_cache(maxsize=16)
def edge_strata(graph: Graph) -> Int[np.ndarray, " edge"]:
    """Stratum of every edge: (source kind and layer) x (destination kind, layer and q/k/v).

    >>> int(edge_strata(Graph(n_layers=1, n_heads=2)).max()) + 1
    8
    """
    ids: dict[tuple, int] = {}
    strata = np.array(
        [ids.setdefault((_place(e.src), _place(e.dst)), len(ids)) for e in graph.edges]
    )
    strata.flags.writeable = False
    return strata
