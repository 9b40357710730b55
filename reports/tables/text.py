"""Frames as LaTeX (booktabs, siunitx), Markdown and CSV text.

Every cell that comes from data is escaped for its target: a template or model name cannot break a
table or smuggle a command into a paper.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from circuitvar.reports.tables.rounding import MISSING, show

_LATEX = {char: f"\\{char}" for char in "{}$&#%_"} | dict(
    zip(
        '\\~^<>|"φ–−≥≤×∞±ρ',
        r"\textbackslash{} \textasciitilde{} \textasciicircum{} \textless{} \textgreater{} "
        r"\textbar{} {''} $\varphi$ -- $-$ $\ge$ $\le$ $\times$ $\infty$ $\pm$ $\rho$".split(),
        strict=True,
    )
)


@dataclass(frozen=True)
class Column:
    """How one column of a frame is shown."""

    key: str
    """Column of the frame."""
    title: str
    kind: Literal["text", "number", "interval"] = "text"
    """`interval` reads `<key>_low` and `<key>_high`."""
    se: str | None = None
    """Column with the standard error that decides the digits."""
    digits: int = 3
    """Decimals where there is no standard error."""


def latex_escape(text: str) -> str:
    r"""Text as literal LaTeX.

    >>> latex_escape(r"a_b & \input{x}")
    'a\\_b \\& \\textbackslash{}input\\{x\\}'
    """
    return "".join(_LATEX.get(char, char) for char in " ".join(text.split()))


def markdown_escape(text: str) -> str:
    r"""Text as one literal Markdown table cell.

    >>> markdown_escape("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    text = " ".join(text.split()).replace("\\", "\\\\").replace("&", "&amp;")
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    for char in "|`*_[]":
        text = text.replace(char, "\\" + char)
    return text


def cell(row: dict, column: Column) -> str:
    """One cell as plain text, rounded by its standard error."""
    se = float(row.get(column.se, math.nan)) if column.se else math.nan
    if column.kind == "interval":
        low, high = (float(row.get(f"{column.key}_{end}", math.nan)) for end in ("low", "high"))
        if math.isnan(low) and math.isnan(high):
            return MISSING
        return f"[{show(low, se, default=column.digits)}, {show(high, se, default=column.digits)}]"
    value = row.get(column.key)
    if column.kind == "number":
        number = math.nan if value is None else float(value)
        return show(number, se, default=column.digits)
    return MISSING if value is None or value != value or value == "" else str(value)


def cells(frame: pd.DataFrame, columns: Sequence[Column]) -> list[list[str]]:
    """The body of the table as plain text."""
    return [[cell(row, column) for column in columns] for row in frame.to_dict("records")]


def _number_format(texts: Sequence[str]) -> str:
    """The `table-format` of siunitx that is wide enough for every number of a column."""
    numbers = [text for text in texts if text not in (MISSING, "∞", "−∞")]
    signed = any(text.startswith("-") for text in numbers)
    whole = max((len(text.lstrip("-").split(".")[0]) for text in numbers), default=1)
    part = max((len(text.split(".")[1]) if "." in text else 0 for text in numbers), default=0)
    return f"S[table-format={'-' * signed}{whole}.{part}]"


def to_latex(frame: pd.DataFrame, columns: Sequence[Column], *, caption: str, label: str) -> str:
    """A complete `table` environment; needs `booktabs` and `siunitx`, nothing else."""
    body = cells(frame, columns)
    spec = [
        _number_format([row[i] for row in body]) if column.kind == "number" else "l"
        for i, column in enumerate(columns)
    ]
    heads = [latex_escape(column.title) for column in columns]
    heads = [f"{{{h}}}" if c.kind == "number" else h for h, c in zip(heads, columns, strict=True)]
    lines = [
        "% Needs \\usepackage{booktabs} and \\usepackage{siunitx}.",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{latex_escape(caption)}}}",
        f"\\label{{{label}}}",
        f"\\begin{{tabular}}{{{' '.join(spec)}}}",
        "\\toprule",
        " & ".join(heads) + r" \\",
        "\\midrule",
    ]
    for row in body:
        parts = [_latex_cell(text, column) for text, column in zip(row, columns, strict=True)]
        lines.append(" & ".join(parts) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _latex_cell(text: str, column: Column) -> str:
    plain = column.kind == "number" and text not in (MISSING, "∞", "−∞")
    # Braces: for text in an S column, and because \\ reads a leading bracket as its option.
    return text if plain else f"{{{latex_escape(text)}}}"


def to_markdown(frame: pd.DataFrame, columns: Sequence[Column], *, caption: str = "") -> str:
    """A pipe table with its caption below."""
    marks = ["---" if column.kind == "text" else "---:" for column in columns]
    heads = [markdown_escape(column.title) for column in columns]
    lines = pipe_table(heads, cells(frame, columns), marks)
    return "\n".join([*lines, "", *([markdown_escape(caption), ""] if caption else [])])


def pipe_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()
) -> list[str]:
    """Lines of a Markdown table, its body escaped; `marks` (`---:`) align the columns."""
    body = [[markdown_escape(text) for text in row] for row in rows]
    lines = [heads, marks or ["---"] * len(heads), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]


def to_csv(frame: pd.DataFrame) -> str:
    """Every column at full precision: floats are written so that they read back bit for bit."""
    return frame.to_csv(index=False, lineterminator="\n", float_format=None)
