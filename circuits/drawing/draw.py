"""Draw a circuit as a layered graph with matplotlib: for papers as PDF or SVG, for pages as SVG.

Up to `AGGREGATE_ABOVE` edges every edge is drawn, from the source at the bottom to the
destination above it, coloured by what it enters (query, key, value, MLP, logits). Larger circuits
are aggregated: one node per layer and type, edge width by the number of edges it stands for.
Positions depend on the graph and the nodes shown alone, so that circuits can be compared by eye.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from circuitvar.circuits.evaluate import circuit_nodes
from circuitvar.circuits.graph import Graph, Node

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGGREGATE_ABOVE = 1000
COLOURS = {"q": "#0072b2", "k": "#d55e00", "v": "#009e73", "mlp": "#7a4fa3", "logits": "#4d4d4d"}
"""Okabe-Ito based; told apart by colour-blind readers and in grey by the legend's order."""
NAMES = {"q": "query", "k": "key", "v": "value", "mlp": "MLP", "logits": "logits"}
MLP_X = 0.95
HEADS_WIDTH = 0.88
"""Share of the width that heads take where MLPs are shown: edges between MLPs pass no head."""
STAGGER = 0.3
"""Rows of heads are moved left and right in turn by this share of the distance between two heads,
so that edges over several layers do not run behind the heads in between."""


@dataclass(frozen=True)
class Position:
    """Centre of a node; x from 0 (left) to 1 (right), y in rows from 0 (input) upwards."""

    x: float
    y: float


def layout(graph: Graph, nodes: Collection[str] | None = None) -> dict[str, Position]:
    """Positions of nodes (all of them, or those named), input at the bottom and logits on top.

    Attention heads of layer l are in row 1 + 2 l and its MLP in row 2 + 2 l (in parallel models
    and without MLPs the rows are kept, so that layers are equally far apart). With `nodes`, rows
    that hold none of them are closed up and heads are spread over the width; rows of heads are
    staggered.

    >>> layout(Graph(n_layers=1, n_heads=1))["logits"]
    Position(x=0.5, y=3.0)
    """
    shown = [node for node in graph.sources if nodes is None or node.name in nodes]
    rows: dict[int, list[str]] = {}
    for node in shown:
        row = 0 if node.kind == "input" else 1 + 2 * node.layer + (node.kind == "mlp")
        rows.setdefault(row, []).append(node.name)
    top = 1 + 2 * graph.n_layers
    rows.setdefault(0, ["input"])
    rows[top] = ["logits"]
    heights = sorted(rows)
    place = {row: float(row if nodes is None else i) for i, row in enumerate(heights)}
    width = HEADS_WIDTH if any(node.kind == "mlp" for node in shown) else 1.0
    positions, turn = {}, 1
    for row in heights:
        names = rows[row]
        if names[0].startswith("a"):
            turn = -turn
        for i, name in enumerate(names):
            x = 0.5
            if name.startswith("m"):
                x = MLP_X
            elif name.startswith("a"):
                x = width * (i + 0.5 + turn * STAGGER / 2) / len(names)
            positions[name] = Position(x, place[row])
    return positions


def shown_nodes(graph: Graph, kept: Bool[np.ndarray, " edge"]) -> list[str]:
    """Names of the sources that take part in a circuit, in the order of writing."""
    return [graph.sources[i].name for i in np.flatnonzero(circuit_nodes(graph, kept))]


def draw_circuit(
    graph: Graph,
    kept: Bool[np.ndarray, " edge"],
    *,
    weights: Float[np.ndarray, " edge"] | None = None,
    weight_name: str = "|score|",
    roles: dict[str, str] | None = None,
    title: str = "",
    width: float | None = None,
) -> "Figure":
    """A circuit as a matplotlib figure (in inches; `figure.savefig` writes SVG, PDF or PNG).

    `weights` sets the width and opacity of every edge by the square root of |weight|: scores, or
    inclusion frequencies. `roles` maps node names to a role written under the name. Nothing is
    shown on screen and pyplot is not used.

    Raises
    ------
    ValueError
        If the masks do not fit the graph, or the circuit is empty.
    """
    kept = np.asarray(kept, dtype=bool)
    if kept.shape != (graph.n_edges,):
        raise ValueError(f"kept must have {graph.n_edges} entries, got shape {kept.shape}")
    if not kept.any():
        raise ValueError("the circuit is empty: there is nothing to draw")
    strength = np.ones(graph.n_edges) if weights is None else np.abs(np.asarray(weights, float))
    if strength.shape != kept.shape:
        raise ValueError(f"weights must have {graph.n_edges} entries, got {strength.shape}")
    if kept.sum() > AGGREGATE_ABOVE:
        return _draw_aggregated(graph, kept, title=title, width=width)
    nodes = shown_nodes(graph, kept)
    positions = layout(graph, nodes)
    figure, axes = _canvas(positions, title, width, per_node=0.95 if roles else 0.55)
    columns = np.flatnonzero(kept)
    columns = columns[np.argsort(strength[columns], kind="stable")]  # strong edges on top
    largest = float(strength[columns].max()) or 1.0
    shares = np.sqrt(strength[columns] / largest).tolist()
    edges = [graph.edges[c] for c in columns]
    segments = [(e.src.name, e.dst, share) for e, share in zip(edges, shares, strict=True)]
    _edges(axes, graph, positions, segments, crowded=len(columns) > 150)
    _nodes(axes, positions, roles or {})
    _legend(axes, {_enters(edge.dst) for edge in edges})
    if weights is not None:
        _note(axes, f"width, opacity: root of {weight_name}, largest {largest:.3g}")
    return figure


def _enters(node: Node) -> str:
    return node.slot or node.kind


def _canvas(
    positions: dict[str, Position], title: str, width: float | None, *, per_node: float = 0.55
) -> tuple["Figure", "Axes"]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = Counter(place.y for place in positions.values())
    wide = width or max(3.4, per_node * max(rows.values()) / HEADS_WIDTH + 1.0)
    figure = Figure(figsize=(wide, 0.9 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, max(rows) + 0.5)
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=8)
    return figure, axes


def _edges(
    axes: "Axes",
    graph: Graph,
    positions: dict[str, Position],
    segments: list[tuple[str, Node, float]],
    *,
    crowded: bool,
) -> None:
    """Curves from source to destination; q, k and v arrive left, middle and right of a head."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for source, dst, share in segments:
        start = positions[source]
        # A shared key or value is drawn at the first shown head of its group.
        end = next(positions[n] for n in _reader_names(graph, dst) if n in positions)
        shift = {"q": -0.012, "k": 0.0, "v": 0.012}.get(dst.slot, 0.0)
        x, y = end.x + shift, end.y - 0.16
        low = start.y + 0.16
        bend = 0.45 * (y - low)
        side = 0.04 * (1 if start.x <= end.x else -1) * (y - low > 1.5)
        path = Path(
            [(start.x, low), (start.x + side, low + bend), (x + side, y - bend), (x, y)],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
        wide, alpha = (1.1, 0.15) if crowded else (2.2, 0.3)
        look = {"linewidth": 0.3 + wide * share, "alpha": alpha + 0.6 * share, "zorder": 1}
        axes.add_patch(PathPatch(path, facecolor="none", edgecolor=COLOURS[_enters(dst)], **look))


def _reader_names(graph: Graph, dst: Node) -> list[str]:
    if dst.kind != "attn":
        return [dst.name]
    group = graph.n_heads // graph.kv_heads if dst.slot in ("k", "v") else 1
    return [f"a{dst.layer}.h{h}" for h in range(dst.head * group, (dst.head + 1) * group)]


def _nodes(axes: "Axes", positions: dict[str, Position], roles: dict[str, str]) -> None:
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "linewidth": 0.6}
    style: dict = {"ha": "center", "va": "center", "fontsize": 5.5, "zorder": 2}
    for name, place in positions.items():
        label = f"{name}\n{roles[name]}" if name in roles else name
        edge = COLOURS["mlp"] if name.startswith("m") else "#4d4d4d"
        axes.text(place.x, place.y, label, bbox={**box, "edgecolor": edge}, **style)


def _note(axes: "Axes", text: str) -> None:
    below = {"xytext": (0, -26), "textcoords": "offset points", "va": "top"}
    axes.annotate(text, (0.0, 0.0), xycoords="axes fraction", fontsize=6, **below)


def _legend(axes: "Axes", present: set[str]) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=colour, linewidth=1.5, label=NAMES[key])
        for key, colour in COLOURS.items()
        if key in present
    ]
    place: dict = {"loc": "upper right", "bbox_to_anchor": (1.0, 0.0), "borderaxespad": 0.0}
    text = {"title": "into", "fontsize": 6, "title_fontsize": 6}
    axes.legend(handles=lines, ncols=len(lines), frameon=False, **place, **text)


def aggregate(
    graph: Graph, kept: Bool[np.ndarray, " edge"]
) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(source group, destination group, q/k/v) -> (edges kept, edges possible).

    Groups are `input`, `heads L`, `MLP L` and `logits`.

    >>> graph = Graph(n_layers=1, n_heads=2)
    >>> aggregate(graph, np.ones(graph.n_edges, bool))["input", "heads 0", "q"]
    (2, 2)
    """
    keys = [(_group(edge.src), _group(edge.dst), edge.dst.slot) for edge in graph.edges]
    on = Counter(key for key, keep in zip(keys, kept, strict=True) if keep)
    return {key: (on[key], possible) for key, possible in Counter(keys).items() if on[key]}


def _group(node: Node) -> str:
    if node.kind in ("input", "logits"):
        return node.kind
    return f"{'heads' if node.kind == 'attn' else 'MLP'} {node.layer}"


def _draw_aggregated(
    graph: Graph, kept: Bool[np.ndarray, " edge"], *, title: str, width: float | None
) -> "Figure":
    """One box per layer and type with its edge count; attention left, MLPs right."""
    counts = aggregate(graph, kept)
    positions = {"input": Position(0.5, 0.0)}
    for layer in range(graph.n_layers):
        positions[f"heads {layer}"] = Position(0.3, 1.0 + layer)
        if graph.has_mlp:
            positions[f"MLP {layer}"] = Position(0.7, 1.0 + layer + 0.4)
    positions["logits"] = Position(0.5, graph.n_layers + 1.5)
    figure, axes = _canvas(positions, title, width or 5.0)
    figure.set_figheight(1.2 + 0.55 * (graph.n_layers + 2))
    from matplotlib.patches import FancyArrowPatch

    largest = max(on for on, _ in counts.values())
    for (src, dst, slot), (on, _) in sorted(counts.items(), key=lambda item: item[1][0]):
        start, end = positions[src], positions[dst]
        shift = {"q": -0.03, "k": 0.0, "v": 0.03}.get(slot, 0.0)
        kind = slot or ("logits" if dst == "logits" else "mlp")
        bow = f"arc3,rad={0.25 if start.x >= end.x else -0.25}"
        ends = (start.x, start.y + 0.12), (end.x + shift, end.y - 0.12)
        arrow = FancyArrowPatch(*ends, connectionstyle=bow, arrowstyle="-", zorder=1)
        arrow.set(linewidth=0.3 + 4.0 * on / largest, alpha=0.12 + 0.6 * on / largest)
        arrow.set_color(COLOURS[kind])
        axes.add_patch(arrow)
    into: Counter[str] = Counter()
    for (_, dst, _), (on, _) in counts.items():
        into[dst] += on
    _nodes(axes, positions, {name: f"{n:,} in" for name, n in into.items()})
    _legend(axes, {slot or ("logits" if d == "logits" else "mlp") for _, d, slot in counts})
    size = f"{int(kept.sum()):,} edges"
    _note(axes, f"{size}, aggregated by layer and type; widest line {largest:,} edges")
    return figure
