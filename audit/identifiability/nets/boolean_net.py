"""A small multi-layer perceptron as plain arrays, and circuits of it run in numpy.

A circuit is a row of booleans over the edges, in the order layer by layer, destination by
destination, source by source. Everything is float64 on the exact float32 weights: some outputs
lie within 1e-6 of a decision boundary.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.tasks.shown import Shown

Rows = Float[np.ndarray, "row _unit"]
CHUNK = 20_000
"""Circuits run at once."""


@dataclass(frozen=True, eq=False, repr=False)
class BooleanNet(Shown):
    """Weights of an MLP with LeakyReLU after every layer, the output included, as released."""

    weights: tuple[Float[np.ndarray, "_dst _src"], ...]
    biases: tuple[Float[np.ndarray, " _dst"], ...]
    slope: float = 0.01
    """Negative slope of every LeakyReLU; 1.0 is the identity."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        return (self.weights[0].shape[1], *(w.shape[0] for w in self.weights))

    @property
    def n_edges(self) -> int:
        """Edges of all layers, those to the output included."""
        return sum(w.size for w in self.weights)

    def _facts(self) -> Mapping[str, object]:
        return {"widths": self.widths, "edges": self.n_edges, "slope": self.slope}


def make_net(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], *, slope: float = 0.01
) -> BooleanNet:
    """Check shapes and values and build a net.

    Raises
    ------
    ValueError
        Layers that do not fit together, NaN or infinite weights.
    """
    w = tuple(np.asarray(a, dtype=np.float64) for a in weights)
    b = tuple(np.asarray(a, dtype=np.float64) for a in biases)
    if len(w) < 2 or len(w) != len(b):
        raise ValueError(
            f"got {len(w)} weight and {len(b)} bias arrays; need as many of each, at least two"
        )
    for i, (wi, bi) in enumerate(zip(w, b, strict=True)):
        if wi.ndim != 2 or bi.shape != wi.shape[:1]:
            raise ValueError(
                f"layer {i}: weight {wi.shape}, bias {bi.shape}; need (dst, src) and (dst,)"
            )
        if i and wi.shape[1] != w[i - 1].shape[0]:
            raise ValueError(
                f"layer {i} reads {wi.shape[1]} units, layer {i - 1} has {w[i - 1].shape[0]}"
            )
        if not (np.isfinite(wi).all() and np.isfinite(bi).all()):
            raise ValueError(
                f"layer {i} holds NaN or infinite weights; train again or drop this net"
            )
    return BooleanNet(w, b, float(slope))


def split_outputs(net: BooleanNet) -> tuple[BooleanNet, ...]:
    """One single-output net per output: shared hidden layers, one output row each."""
    return tuple(
        BooleanNet(
            (*net.weights[:-1], net.weights[-1][o : o + 1]),
            (*net.biases[:-1], net.biases[-1][o : o + 1]),
            net.slope,
        )
        for o in range(net.widths[-1])
    )


def leaky(x: np.ndarray, slope: float) -> np.ndarray:
    """LeakyReLU."""
    return np.where(x > 0, x, slope * x)


def activations(net: BooleanNet, rows: Rows) -> tuple[Rows, ...]:
    """Values of every layer of the full net: inputs, hidden layers, output pre-activation."""
    layers = [np.asarray(rows, dtype=np.float64)]
    for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        pre = layers[-1] @ w.T + b
        layers.append(pre if i == len(net.weights) - 1 else leaky(pre, net.slope))
    return tuple(layers)


def edge_names(widths: Sequence[int]) -> tuple[str, ...]:
    """Names of the edges, in column order.

    >>> edge_names((2, 1, 1))
    ('x0->h1.0', 'x1->h1.0', 'h1.0->out0')
    """
    last = len(widths) - 1

    def unit(layer: int, index: int) -> str:
        if layer == 0:
            return f"x{index}"
        return f"out{index}" if layer == last else f"h{layer}.{index}"

    return tuple(
        f"{unit(layer, src)}->{unit(layer + 1, dst)}"
        for layer in range(last)
        for dst in range(widths[layer + 1])
        for src in range(widths[layer])
    )


def layer_masks(
    kept: Bool[np.ndarray, "circuit edge"], widths: Sequence[int]
) -> tuple[Bool[np.ndarray, "circuit dst src"], ...]:
    """Edge columns as one mask per layer."""
    out, at = [], 0
    for src, dst in itertools.pairwise(widths):
        out.append(kept[:, at : at + src * dst].reshape(-1, dst, src))
        at += src * dst
    return tuple(out)


def run_circuits(
    net: BooleanNet, kept: Bool[np.ndarray, "circuit edge"], rows: Rows, fill: Sequence[Rows]
) -> tuple[Float[np.ndarray, "circuit row _unit"], ...]:
    """Values of every layer when the edges not kept carry `fill` (the source's replacement).

    pre = b + W fill + (mask * W)(h - fill); zero ablation is fill = 0. The last entry is the
    output pre-activation.
    """
    pieces = [kept[i : i + CHUNK] for i in range(0, max(len(kept), 1), CHUNK)]
    starts = [np.broadcast_to(rows, (len(piece), *rows.shape)) for piece in pieces]
    runs = [run_from(net, k, h, fill) for k, h in zip(pieces, starts, strict=True)]
    return tuple(np.concatenate(layer) for layer in zip(*runs, strict=True))


def run_from(
    net: BooleanNet, kept: np.ndarray, h: np.ndarray, fill: Sequence[Rows], layer: int = 0
) -> list[np.ndarray]:
    """The same from `layer` on, whose values are `h` [circuit ... row unit]."""
    layers = [h]
    for i, mask in enumerate(layer_masks(kept, net.widths)[layer:], layer):
        w = net.weights[i]
        weights = np.expand_dims(np.swapaxes(mask * w, 1, 2), tuple(range(1, h.ndim - 2)))
        pre = net.biases[i] + fill[i] @ w.T + (h - fill[i]) @ weights
        h = pre if i == len(net.weights) - 1 else leaky(pre, net.slope)
        layers.append(h)
    return layers
