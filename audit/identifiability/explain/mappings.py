"""Where a Boolean algorithm can live in a net: interchange interventions on sets of neurons.

A mapping gives every placeable node of the algorithm a non-empty set of neurons in one hidden
layer, disjoint from the others'. It is valid when swapping in the neurons' values from another
input changes the output exactly as setting the node does (interchange-intervention accuracy, IIA,
of 1; Geiger et al. 2021, arXiv 2106.02997; as used by arXiv 2502.20914).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.audit.identifiability.explain.algorithms import Algorithm, evaluate_tree, preorder
from circuitvar.audit.identifiability.nets import BooleanNet, activations, leaky
from circuitvar.tasks.language import input_rows
from circuitvar.tasks.lookup import unknown

Place = tuple[int, tuple[int, ...]]
"""(hidden layer from 1, units)."""


@dataclass(frozen=True)
class Mapping:
    """An algorithm and where each placeable node sits."""

    algorithm: Algorithm
    places: tuple[tuple[int, Place], ...]
    """(node, (layer, units)) pairs."""

    def contains(self, other: "Mapping") -> bool:
        """Whether every node's set includes the other's."""
        return all(
            mine[0] == theirs[0] and set(theirs[1]) <= set(mine[1])
            for (_, mine), (_, theirs) in zip(self.places, other.places, strict=True)
        )


class Swaps:
    """Outputs of one net under swaps of neuron sets, computed once and shared by algorithms."""

    def __init__(self, net: BooleanNet) -> None:
        if net.widths[-1] != 1:
            raise ValueError(f"the net has {net.widths[-1]} outputs; split_outputs first")
        if max(net.widths[1:-1]) > 8:
            raise ValueError(f"width {max(net.widths[1:-1])} has too many neuron sets; at most 8")
        self.net = net
        self.rows = input_rows(net.widths[0])
        self.values = activations(net, self.rows)
        self.places: tuple[Place, ...] = tuple(
            (layer, units)
            for layer in range(1, len(net.widths) - 1)
            for size in range(1, net.widths[layer] + 1)
            for units in combinations(range(net.widths[layer]), size)
        )
        self._joint: dict[tuple[Place, Place], np.ndarray] = {}

    @cached_property
    def singles(self) -> Bool[np.ndarray, "place base source"]:
        """Output above 0.5 with each place taken from the source."""
        n = len(self.rows)
        start = np.broadcast_to(self.rows[:, None], (n, n, self.rows.shape[1]))
        return np.array([self._run(start, (place, 1)) for place in self.places])

    def single(self, place: Place) -> Bool[np.ndarray, "base source"]:
        """The same for one place."""
        return self.singles[self.places.index(place)]

    def joint(self, one: Place, two: Place) -> Bool[np.ndarray, "base source source2"]:
        """The same with two places, each from its own source."""
        if (one, two) not in self._joint:
            n = len(self.rows)
            start = np.broadcast_to(self.rows[:, None, None], (n, n, n, self.rows.shape[1]))
            self._joint[one, two] = self._run(start, (one, 1), (two, 2))
        return self._joint[one, two]

    def _run(self, h: np.ndarray, *swaps: tuple[Place, int]) -> np.ndarray:
        for layer, (w, b) in enumerate(zip(self.net.weights, self.net.biases, strict=True), 1):
            h = leaky(h @ w.T + b, self.net.slope)
            for (where, units), axis in swaps:
                if where == layer:
                    shape = [1] * (h.ndim - 1)
                    shape[axis] = len(self.rows)
                    chosen = list(units)
                    h[..., chosen] = self.values[layer][:, chosen].reshape(*shape, len(chosen))
        return h[..., 0] > 0.5


def valid_mappings(
    swaps: Swaps, algorithm: Algorithm, *, variant: str = "all pairs"
) -> Iterator[Mapping]:
    """Every valid mapping of an algorithm.

    `variant`: `all pairs` tests all ordered (base, source) pairs and, jointly, every two nodes
    with a source each; `single` leaves out the joint test; `paper` is the released code's test:
    each unordered pair in one direction only (lower row as source), single nodes.

    Raises
    ------
    ValueError
        Unknown variant, or an algorithm over another number of inputs.
    """
    if variant not in (known := ("all pairs", "single", "paper")):
        raise unknown("variant", variant, known)
    if len(algorithm.inputs) != swaps.net.widths[0]:
        raise ValueError(
            f"the algorithm has {len(algorithm.inputs)} inputs, the net {swaps.net.widths[0]}"
        )
    nodes = algorithm.placeable
    options = [
        [swaps.places[i] for i in np.flatnonzero(_agreement(swaps, algorithm, node, variant) == 1)]
        for node in nodes
    ]
    if all(options):
        for chosen in _disjoint(swaps, algorithm, nodes, options, (), variant == "all pairs"):
            yield Mapping(algorithm, tuple(zip(nodes, chosen, strict=True)))


def minimal_mappings(
    swaps: Swaps, algorithm: Algorithm, *, variant: str = "all pairs"
) -> tuple[Mapping, ...]:
    """Valid mappings that contain no other valid mapping node by node."""
    every = sorted(
        valid_mappings(swaps, algorithm, variant=variant),
        key=lambda m: sum(len(place[1]) for _, place in m.places),
    )
    kept: list[Mapping] = []
    for mapping in every:
        if not any(mapping.contains(k) for k in kept):
            kept.append(mapping)
    return tuple(kept)


def _wanted(swaps: Swaps, algorithm: Algorithm, *nodes: int) -> np.ndarray:
    """Output [base source ...] with each of `nodes` set to what it has on its own source."""

    def inputs(axis: int) -> dict[str, np.ndarray]:
        shape = np.where(np.arange(len(nodes) + 1) == axis, -1, 1)
        columns = (swaps.rows > 0.5).T
        return {k: x.reshape(shape) for k, x in zip(algorithm.inputs, columns, strict=True)}

    trees = [tree for tree, _ in preorder(algorithm.tree)]
    forced = {n: evaluate_tree(trees[n], inputs(axis), {}) for axis, n in enumerate(nodes, 1)}
    return evaluate_tree(algorithm.tree, inputs(0), forced)


def _agreement(
    swaps: Swaps, algorithm: Algorithm, node: int, variant: str
) -> Float[np.ndarray, " place"]:
    """IIA of one node at every neuron set."""
    n = len(swaps.rows)
    # The released test has each base after its source.
    tested = np.tri(n, k=-1, dtype=bool) if variant == "paper" else ~np.eye(n, dtype=bool)
    return (swaps.singles == _wanted(swaps, algorithm, node))[:, tested].mean(axis=1)


def _disjoint(swaps, algorithm, nodes, options, chosen, joint: bool) -> Iterator[tuple[Place, ...]]:
    at = len(chosen)
    if at == len(nodes):
        yield chosen
        return
    for place in options[at]:
        clash = any(p[0] == place[0] and set(p[1]) & set(place[1]) for p in chosen)
        if not clash and not (
            joint
            and any(
                (swaps.joint(p, place) != _wanted(swaps, algorithm, nodes[i], nodes[at])).any()
                for i, p in enumerate(chosen)
            )
        ):
            yield from _disjoint(swaps, algorithm, nodes, options, (*chosen, place), joint)
