"""ACDC edge lists as text: `(child hook, child index, parent hook, parent index)`.

ACDC names TransformerLens hooks and pickles its edges; pickles are never read, their printed form
is: one edge per line, or the whole list or dict, indices as `(None, None, 3)` or `[:, :, 3]`, each
edge alone or with its effect. Its edges inside a node (q input -> q -> result, MLP in -> out) are
computation, not choices, and are skipped; token and position embedding are both `input`. A text
file with one `a0.h1->a3.h2<q>` per line is read as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from circuitvar.circuits.files.edge_file import EdgeFile, from_names
from circuitvar.circuits.graph import Graph, Node
from circuitvar.tasks.text_files import lines_of, read_text

_INPUTS = ("hook_embed", "hook_pos_embed", "blocks.0.hook_resid_pre")
_INDEX = re.compile(r"""['"]?\[((?:(?::|COLON|None|\d+),?\s*)+)\]['"]?""")
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
    """Read ACDC edges or plain edge names; `#` starts a comment.

    An edge may come with a number, its effect (a score), or with True or False (kept or not).
    """
    kept: dict[str, bool] = {}
    scores: dict[str, float] = {}
    for where, entry, value in _entries(read_text(path), path.name):
        if isinstance(entry, str):
            name = entry
        else:
            try:
                name = edge_name(_flat(entry), graph)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where}: {error}") from None
        if name is None:
            continue
        kept[name] = kept.get(name, False) or value is not False
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            scores[name] = float(value)
    return from_names(graph, kept, scores or None, source=path.name)


def _entries(text: str, source: str) -> Iterator[tuple[str, object, object]]:
    """(place, edge, value) of every edge in the text; value None where it has none."""
    lines = [_INDEX.sub(_as_tuple, line.split("#")[0]).strip() for line in lines_of(text)]
    whole = " ".join(lines).strip()
    if whole.startswith(("[", "{")):
        try:
            data = ast.literal_eval(whole)
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"{source} is no list or dict of edges: {error}") from None
        items = data.items() if isinstance(data, dict) else map(_with_value, data)
        for number, (entry, value) in enumerate(items, start=1):
            yield f"{source}, edge {number}", entry, value
        return
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        where = f"{source}, line {number}"
        if not line.startswith("("):
            yield where, line.rstrip(","), None
            continue
        try:  # a line of a printed dict is `(...): value`
            entry, value = _with_value(ast.literal_eval(re.sub(r"\):", "),", line.rstrip(","))))
        except (ValueError, SyntaxError, TypeError) as error:
            raise ValueError(f"{where}: {error}") from None
        yield where, entry, value


def _as_tuple(found: re.Match) -> str:
    parts = [part.strip() for part in found[1].split(",") if part.strip()]
    return f"({', '.join(p if p.isdigit() else 'None' for p in parts)},)"


def _with_value(entry: object) -> tuple[object, object]:
    """An edge, or an edge and its value."""
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], (bool, int, float)):
        return entry[0], entry[1]
    return entry, None


def _flat(entry: object) -> tuple:
    """The four parts of an edge, also of `((child, index), (parent, index))`."""
    parts = tuple(entry) if isinstance(entry, (tuple, list)) else ()
    if len(parts) == 2 and all(isinstance(part, tuple) and len(part) == 2 for part in parts):
        parts = (*parts[0], *parts[1])
    if len(parts) != 4:
        raise ValueError(
            f"{entry!r} is no edge; write (child hook, child index, parent hook, parent index)"
        )
    return parts


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
