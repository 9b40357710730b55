"""The edge table and the circuit drawing of the page as one compact JSON document.

Columns are stored column-wise with names spelled once, so that 32,491 edges stay near a megabyte.
"""

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd

from circuitvar.reports.tables import inclusion_column, require_columns

DIGITS = 4
"""Significant digits of the numbers shown on the page; `edges.csv` has them all."""

TITLES = {
    "score": "Score",
    "se": "SE",
    "snr": "SNR",
    "sign_consistency": "Sign consistency",
    "exact": "Exact",
    "class": "Class",
    "in_circuit": "In circuit",
}
_NODE = re.compile(r"(?:a(\d+)\.h(\d+)|m(\d+))(?:<([qkv])>)?\Z")


def rounded(values: np.ndarray, digits: int = DIGITS) -> list[float | None]:
    """Floats with `digits` significant digits; None where there is no number.

    >>> rounded(np.array([0.123456, np.nan, 1200.4]))
    [0.1235, None, 1200.0]
    """
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values.tolist()]


def column_title(key: str) -> str:
    """Heading of a column: known names, `inclusion_x` as `Kept: x`, others as they are."""
    if key.startswith("inclusion_"):
        return f"Kept: {key.removeprefix('inclusion_').replace('_', ' ')}"
    return TITLES.get(key, key.replace("_", " "))


def edge_columns(edges: pd.DataFrame) -> list[dict[str, Any]]:
    """Every column of the edge frame except the names, ready for JSON."""
    columns = []
    headline = inclusion_column(edges)
    first = [key for key in ("class", headline, *TITLES) if key in edges.columns]
    rest = [key for key in edges.columns if key not in ("edge", "src", "dst")]
    for key in dict.fromkeys([*first, *rest]):
        values = edges[key]
        entry: dict[str, Any] = {"key": str(key), "title": column_title(str(key))}
        if values.dtype == bool:
            entry |= {"kind": "flag", "values": values.to_numpy(dtype=int).tolist()}
        elif pd.api.types.is_numeric_dtype(values):
            entry |= {"kind": "number", "values": rounded(values.to_numpy(dtype=float))}
        else:
            codes, levels = pd.factorize(values.astype(str))
            entry |= {"kind": "level", "levels": [str(x) for x in levels], "values": codes.tolist()}
        columns.append(entry)
    return columns


def endpoints(edges: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Source and destination names, from their columns or from the edge name."""
    if {"src", "dst"} <= set(edges.columns):
        return edges["src"].astype(str).tolist(), edges["dst"].astype(str).tolist()
    pairs = [str(name).partition("->") for name in edges["edge"]]
    return [pair[0] for pair in pairs], [pair[2] for pair in pairs]


def place(names: list[str]) -> list[dict[str, Any]]:
    """Where each end of an edge is drawn: layers left to right, heads above the MLP.

    `x` and `y` are grid units; ends of one head differ in `slot` only. A name that is not a node of
    a decoder is put below the drawing, so nothing is lost.
    """
    found = [_NODE.match(name) for name in names]
    layers = [int(m[1] or m[3]) for m in found if m]
    heads = [int(m[2]) for m in found if m and m[2]]
    last, rows = 2 * (max(layers, default=-1) + 1) + 1, max(heads, default=0) + 1
    middle, strays = (rows - 1) / 2, 0
    placed = []
    for name, match in zip(names, found, strict=True):
        node: dict[str, Any] = {"name": name, "label": name.split("<")[0], "slot": ""}
        if match and match[2]:
            node |= {"x": 2 * int(match[1]) + 1, "y": int(match[2]), "slot": match[4] or ""}
        elif match and match[3]:
            node |= {"x": 2 * int(match[3]) + 2, "y": rows + 0.2}
        elif name in ("input", "logits"):
            node |= {"x": 0 if name == "input" else last, "y": middle}
        else:
            node |= {
                "label": name,
                "x": strays % (last + 1),
                "y": rows + 1.2 + strays // (last + 1),
            }
            strays += 1
        placed.append(node)
    return placed


def page_data(edges: pd.DataFrame) -> dict[str, Any]:
    """Nodes, edges and columns for the page's script."""
    require_columns(edges, ["edge"], "edge table")
    src, dst = endpoints(edges)
    names = list(dict.fromkeys([*src, *dst]))
    index = {name: i for i, name in enumerate(names)}
    spelled = [f"{a}->{b}" for a, b in zip(src, dst, strict=True)]
    written = edges["edge"].astype(str).tolist()
    return {
        "nodes": place(names),
        "src": [index[name] for name in src],
        "dst": [index[name] for name in dst],
        # Names are sent only where they are not simply src->dst.
        "names": None if written == spelled else written,
        "columns": edge_columns(edges),
        "inclusion": inclusion_column(edges),
    }


def script_json(data: Any) -> str:
    r"""JSON that is safe inside a `<script>` element: no `<`, `>`, `&` or line separators survive.

    >>> script_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
