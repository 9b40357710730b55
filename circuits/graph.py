"""The list of possible edges of a decoder, from its shape alone.

Sources `input`, `a{l}.h{h}`, `m{l}` write to the residual stream; destinations
`a{l}.h{h}<q>`, `<k>`, `<v>`, `m{l}`, `logits` read it before their own norm. An edge exists where
the source is written before the destination reads. Column order of every score matrix is
`Graph.edges`: row-major over `exists[src, dst]`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Node:
    """A place in the residual stream. `slot` is q, k or v for an attention destination."""

    kind: str
    """`input`, `attn`, `mlp` or `logits`."""
    layer: int = -1
    head: int = -1
    slot: str = ""

    @property
    def name(self) -> str:
        """Name as the field writes it: `a3.h2<q>`, `m1`, `input`, `logits`."""
        if self.kind == "attn":
            return f"a{self.layer}.h{self.head}" + (f"<{self.slot}>" if self.slot else "")
        return f"m{self.layer}" if self.kind == "mlp" else self.kind


@dataclass(frozen=True)
class Edge:
    """A source's write read by one destination."""

    src: Node
    dst: Node

    @property
    def name(self) -> str:
        """`source->destination`, as the field writes it."""
        return f"{self.src.name}->{self.dst.name}"


@dataclass(frozen=True)
class Graph:
    """All possible edges of a decoder with `n_layers` layers of `n_heads` heads.

    With grouped-query attention (`n_kv_heads < n_heads`) k and v destinations are per k/v head,
    as the model has them. `parallel`: attention and MLP of a layer read the same point.

    >>> Graph(n_layers=12, n_heads=12).n_edges
    32491
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int | None = None
    parallel: bool = False
    has_mlp: bool = True

    @property
    def kv_heads(self) -> int:
        """Key and value heads: as many as heads unless they are grouped."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @cached_property
    def sources(self) -> tuple[Node, ...]:
        """What can be patched, in the order of the residual stream."""
        nodes = [Node("input")]
        for layer in range(self.n_layers):
            nodes += [Node("attn", layer, head) for head in range(self.n_heads)]
            nodes += [Node("mlp", layer)] * self.has_mlp
        return tuple(nodes)

    @cached_property
    def destinations(self) -> tuple[Node, ...]:
        """What reads the residual stream, in its order."""
        nodes: list[Node] = []
        for layer in range(self.n_layers):
            for slot, heads in (("q", self.n_heads), ("k", self.kv_heads), ("v", self.kv_heads)):
                nodes += [Node("attn", layer, head, slot) for head in range(heads)]
            nodes += [Node("mlp", layer)] * self.has_mlp
        return (*nodes, Node("logits"))

    def n_sources_before(self, dst: Node) -> int:
        """How many sources (a prefix of `sources`) the destination can read."""
        if dst.kind == "logits":
            return len(self.sources)
        before_layer = 1 + dst.layer * (self.n_heads + self.has_mlp)
        sees_heads = dst.kind == "mlp" and not self.parallel
        return before_layer + (self.n_heads if sees_heads else 0)

    @cached_property
    def exists(self) -> Bool[np.ndarray, "src dst"]:
        """Which sources come before which destinations."""
        first = np.array([self.n_sources_before(dst) for dst in self.destinations])
        return np.arange(len(self.sources))[:, None] < first[None, :]

    @cached_property
    def edge_src(self) -> Int[np.ndarray, " edge"]:
        """Row in `sources` of every edge."""
        return np.nonzero(self.exists)[0]

    @cached_property
    def edge_dst(self) -> Int[np.ndarray, " edge"]:
        """Row in `destinations` of every edge."""
        return np.nonzero(self.exists)[1]

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, source by source: the column order of every score matrix."""
        src, dst = self.sources, self.destinations
        return tuple(
            Edge(src[s], dst[d]) for s, d in zip(self.edge_src, self.edge_dst, strict=True)
        )

    @cached_property
    def edge_names(self) -> tuple[str, ...]:
        """Names of the columns of a score matrix."""
        return tuple(edge.name for edge in self.edges)

    @cached_property
    def edge_index(self) -> dict[str, int]:
        """Edge name -> column."""
        return {name: column for column, name in enumerate(self.edge_names)}

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return int(self.exists.sum())

    @cached_property
    def source_index(self) -> dict[str, int]:
        """Source name -> row."""
        return {node.name: i for i, node in enumerate(self.sources)}

    @cached_property
    def destination_index(self) -> dict[str, int]:
        """Destination name -> row."""
        return {node.name: i for i, node in enumerate(self.destinations)}

    def columns(self, names: Collection[str]) -> Int[np.ndarray, " n"]:
        """Columns of the named edges, in the order given.

        Raises
        ------
        ValueError
            Names the first edge that this graph does not have.
        """
        for name in names:
            if name not in self.edge_index:
                raise ValueError(
                    f"edge {name!r} is not in this graph ({self.n_layers} layers, "
                    f"{self.n_heads} heads, {self.kv_heads} k/v heads, {self.n_edges} edges); "
                    f"edges look like {self.edge_names[-1]!r} or {self.edge_names[0]!r}"
                )
        return np.array([self.edge_index[name] for name in names], dtype=np.int64)

    def matrix(self, kept: Bool[np.ndarray, " edge"]) -> Bool[np.ndarray, "src dst"]:
        """A selection of edges as a mask over sources and destinations."""
        mask = np.zeros(self.exists.shape, dtype=bool)
        mask[self.edge_src, self.edge_dst] = kept
        return mask
