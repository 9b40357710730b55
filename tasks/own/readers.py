"""Users' own prompts: any supported file or folder as prompt pairs, or as a task to audit.

`read_pairs` gives the pairs and what was left out; `task_from_file` wraps them as a task that
draws without replacement. Formats: `tasks.tables`; column layouts: `tasks.layouts`;
pre-tokenized pairs, which need no tokenizer: `tasks.token_pairs`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from circuitvar.tasks.language import check_choice
from circuitvar.tasks.own.layouts import Layout, corruption_columns, find_layout
from circuitvar.tasks.own.tables import Table, read_table
from circuitvar.tasks.own.token_pairs import COLUMNS, check_columns, id_columns, token_pair
from circuitvar.tasks.types import Corruption, PromptPair, Task

if TYPE_CHECKING:
    import pandas as pd

TOKEN_IDS = Layout("token ids", COLUMNS, token_pair)


@dataclass(frozen=True, eq=False)
class PairFile:
    """Prompt pairs of a file."""

    path: Path
    layout: str
    metric: str
    pairs: dict[str, tuple[PromptPair, ...]]
    """Corruption column -> pairs in file order."""
    dropped: "pd.DataFrame"
    """Columns row, reason: rows that repeat an earlier one."""


def _distinct(table: Table, pairs: list[PromptPair], column: str) -> tuple[list[int], list[int]]:
    """Rows to keep, and for the others the row they repeat; all counted from 1."""
    first: dict[tuple[str, str], int] = {}
    repeats = [0] * len(pairs)
    for row, pair in enumerate(pairs, start=1):
        key = (pair.clean, pair.corrupt)
        if key not in first:
            first[key] = row
            continue
        earlier = pairs[first[key] - 1]
        if (pair.answers, pair.attributes) != (earlier.answers, earlier.attributes):
            raise table.bad(
                row,
                column,
                f"same prompts as row {first[key]} but another answer; keep one of them",
            )
        repeats[row - 1] = first[key]
    return [row for row, earlier in enumerate(repeats, start=1) if not earlier], repeats


def _read(table: Table, layout: Layout, column: str) -> list[PromptPair]:
    return [layout.pair(table, row, column) for row in range(1, len(table.rows) + 1)]


def read_pairs(path: str | Path) -> PairFile:
    """Every prompt pair of a file, repeated rows left out and listed.

    Raises
    ------
    ValueError
        The file, row and column at fault and what to do, in one sentence.
    """
    import pandas as pd

    table = read_table(path)
    columns = id_columns(table)
    if columns or (set(COLUMNS) & set(table.columns) and "clean" not in table.columns):
        check_columns(table)
        layout = TOKEN_IDS
    else:
        layout, columns = find_layout(table), corruption_columns(table)
    every = {column: _read(table, layout, column) for column in columns}
    kept, repeats = _distinct(table, every[columns[0]], columns[0])
    lost = [(row, f"repeats row {first}") for row, first in enumerate(repeats, start=1) if first]
    return PairFile(
        path=table.path,
        layout=layout.key,
        metric=layout.metric,
        pairs={column: tuple(pairs[row - 1] for row in kept) for column, pairs in every.items()},
        dropped=pd.DataFrame(lost, columns=["row", "reason"]),
    )


def task_from_file(path: str | Path, *, key: str | None = None) -> Task:
    """A task that draws the rows of a file without replacement.

    Corruptions are the file's corruption columns, templates its `template` column. Rows that
    repeat an earlier one are left out, and `source` says how many.

    Raises
    ------
    ValueError
        See `read_pairs`; and when more examples are asked for than the file has.
    """
    file = read_pairs(path)
    name = key or file.path.stem
    columns = tuple(file.pairs)
    ids = tuple(dict.fromkeys(pair.template for pair in file.pairs[columns[0]]))

    def sample(
        n: int,
        *,
        rng: np.random.Generator,
        templates: tuple[str, ...] | None = None,
        corruption: str | None = None,
        pool: str = "all",
    ) -> tuple[PromptPair, ...]:
        """Draw `n` different rows of the file in random order."""
        column = columns[0] if corruption is None else corruption
        check_choice("corruption", column, columns, name)
        check_choice("pool", pool, ("all",), name)
        for template in templates or ():
            check_choice("template", template, ids, name)
        pairs = [p for p in file.pairs[column] if templates is None or p.template in templates]
        if not 0 <= n <= len(pairs):
            raise ValueError(
                f"{file.path}: {n} examples are asked for and {len(pairs)} different rows fit; "
                "ask for fewer or add rows"
            )
        return tuple(pairs[int(i)] for i in rng.permutation(len(pairs))[:n])

    rows = len(file.pairs[columns[0]])
    note = f"; {len(file.dropped)} repeated rows left out" if len(file.dropped) else ""
    return Task(
        key=name,
        title=f"Prompts of {file.path.name}",
        sample=sample,
        templates=ids,
        corruptions=tuple(Corruption(c, f"Column {c!r} of the file.") for c in columns),
        metric=file.metric,
        pools=("all",),
        distinct=True,
        source=f"{file.path.name}: {rows} rows, {file.layout} layout{note}",
        licence="user's own",
    )
