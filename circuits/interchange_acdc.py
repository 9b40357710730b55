"""ACDC edge lists: one edge per line, `(child hook, child index, parent hook, parent index)`.

ACDC names TransformerLens hooks. Its edges inside a node (q input -> q -> result, MLP in -> out)
are computation, not choices, and are skipped; token and position embedding are both `input`.
A text file with one `a0.h1->a3.h2<q>` per line is read as well.
"""

import ast
import re
from pathlib import Path

from circuitvar.circuits.graph import Graph, Node
from circuitvar.circuits.interchange import EdgeFile, from_names

_INPUTS = ("hook_embed", "hook_pos_embed", "blocks.0.hook_resid_pre")
_INSIDE = re.compile(r"blocks\.\d+\.attn\.hook_[qkv]$")


def _source(hook: str, index: tuple, n_heads: int) -> str | None:
    if hook in _INPUTS:
        return "input"
    if match := re.fullmatch(r"blocks\.(\d+)\.attn\.hook_result", hook):
        return f"a{match[1]}.h{_head(hook, index, n_heads)}"
    if match := re.fullmatch(r"blocks\.(\d+)\.hook_mlp_out", hook):
        return f"m{match[1]}"
    return None


def _destination(hook: str, index: tuple, graph: Graph) -> str | None:
    if hook == f"blocks.{graph.n_layers - 1}.hook_resid_post":
        return "logits"
    if match := re.fullmatch(r"blocks\.(\d+)\.hook_([qkv])_input", hook):
        heads = graph.n_heads if match[2] == "q" else graph.kv_heads
        return f"a{match[1]}.h{_head(hook, index, heads)}<{match[2]}>"
    if match := re.fullmatch(r"blocks\.(\d+)\.hook_(mlp_in|resid_mid)", hook):
        return f"m{match[1]}"
    return None


def _head(hook: str, index: tuple, n_heads: int) -> int:
    head = index[-1] if index else None
    if not isinstance(head, int) or not 0 <= head < n_heads:
        raise ValueError(f"{hook} needs a head between 0 and {n_heads - 1}, got index {index}")
    return head


def edge_name(edge: tuple, graph: Graph) -> str | None:
    """Our name of one ACDC edge, or None for computation inside a node.

    >>> graph = Graph(n_layers=2, n_heads=2)
    >>> child = ("blocks.1.hook_q_input", (None, None, 1))
    >>> edge_name((*child, "blocks.0.attn.hook_result", (None, None, 0)), graph)
    'a0.h0->a1.h1<q>'
    """
    child, child_index, parent, parent_index = edge
    if _INSIDE.fullmatch(child) or _INSIDE.fullmatch(parent) or child.endswith("hook_mlp_out"):
        return None
    source = _source(parent, tuple(parent_index), graph.n_heads)
    destination = _destination(child, tuple(child_index), graph)
    if source is None or destination is None:
        hook = parent if source is None else child
        raise ValueError(f"hook {hook!r} is not a {'source' if source is None else 'destination'}")
    return f"{source}->{destination}"


def read_acdc(path: Path, graph: Graph) -> EdgeFile:
    """Read ACDC edges or plain edge names, one per line; `#` starts a comment."""
    kept: dict[str, bool] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.split("#")[0].strip().rstrip(",")
        if not text:
            continue
        if text.startswith("("):
            try:
                name = edge_name(ast.literal_eval(text), graph)
            except (ValueError, SyntaxError, TypeError) as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from None
        else:
            name = text
        if name is not None:
            kept[name] = True
    return from_names(graph, kept, None, source=path.name)


def write_acdc(path: Path, file: EdgeFile) -> None:
    """Write the circuit as ACDC edges, one tuple per line."""
    lines = []
    for name in file.circuit.edge_names:
        edge = file.graph.edges[file.graph.edge_index[name]]
        child, parent = _hook(edge.dst, file.graph, "in"), _hook(edge.src, file.graph, "out")
        lines.append(repr((*child, *parent)))
    path.write_text("\n".join(lines) + "\n" * bool(lines), encoding="utf-8")


def _hook(node: Node, graph: Graph, side: str) -> tuple[str, tuple[int | None, ...]]:
    if node.kind == "input":
        return "blocks.0.hook_resid_pre", (None,)
    if node.kind == "logits":
        return f"blocks.{graph.n_layers - 1}.hook_resid_post", (None,)
    if node.kind == "mlp":
        return f"blocks.{node.layer}.hook_mlp_{side}", (None,)
    hook = f"hook_{node.slot}_input" if node.slot else "attn.hook_result"
    return f"blocks.{node.layer}.{hook}", (None, None, node.head)
