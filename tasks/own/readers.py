"""Users' own prompts: any supported file or folder as prompt pairs, or as a task to audit.

`read_pairs` gives the pairs and what was left out; `task_from_file` wraps them as a task that
draws without replacement. Formats: `tasks.tables`; column layouts: `tasks.layouts`;
pre-tokenized pairs, which need no tokenizer: `tasks.token_pairs`.
"""

import logging
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

LOG = logging.getLogger("circuitvar")

TOKEN_IDS = Layout("token ids", COLUMNS, token_pair)


@dataclass(frozen=True, eq=False)
class PairFile:
    """Prompt pairs of a file."""

    path: Path
    layout: str
    metric: str
    pairs: dict[str, tuple[PromptPair, ...]]
    """Corruption column -> pairs in file order."""
    rows: int
    """Rows of the file, those left out among them."""
    dropped: "pd.DataFrame"
    """Columns row, corruption, reason: rows that repeat an earlier one or cannot be read."""


def _usable(
    table: Table, layout: Layout, column: str, *, strict: bool
) -> tuple[list[PromptPair], list[tuple[int, str, str]]]:
    """The pairs of one corruption, and (row, corruption, reason) of the rows left out.

    A row that repeats another one of the same corruption, answers included, or that cannot be
    read, is left out. The same prompts with another right answer contradict each other.
    """
    found: dict[PromptPair, int] = {}
    answered: dict[tuple[str, str], tuple[int, object]] = {}
    lost: list[tuple[int, str, str]] = []
    for row in range(1, len(table.rows) + 1):
        try:
            pair = layout.pair(table, row, column)
        except ValueError as error:
            if strict or (not found and row == len(table.rows)):
                raise
            lost.append((row, column, str(error).removeprefix(f"{table.path}: row {row}, ")))
            continue
        right = (pair.answers, dict(pair.attributes).get("answer_ids"))
        first, before = answered.setdefault((pair.clean, pair.corrupt), (row, right))
        if right != before:
            problem = f"same prompts as row {first} but another answer; keep one of them"
            raise table.bad(row, column, problem)
        if (earlier := found.setdefault(pair, row)) != row:
            lost.append((row, column, f"repeats row {earlier}"))
    return list(found), lost


def read_pairs(path: str | Path, *, strict: bool = False) -> PairFile:
    """Every prompt pair of a file; rows that repeat or cannot be read are left out and listed.

    Raises
    ------
    ValueError
        The file has another layout, no row can be read, or two rows contradict each other; with
        `strict`, any row that cannot be read. Names file, row and column, and what to do.
    """
    import pandas as pd

    table = read_table(path)
    columns = id_columns(table)
    if columns or (set(COLUMNS) & set(table.columns) and "clean" not in table.columns):
        check_columns(table)
        layout = TOKEN_IDS
    else:
        layout, columns = find_layout(table), corruption_columns(table)
    read, refused = {}, None
    for column in columns:
        try:
            read[column] = _usable(table, layout, column, strict=strict)
        except ValueError as error:
            if strict or "same prompts as" in str(error):
                raise
            refused = refused or error
    if not read and refused is not None:
        raise refused
    lost = [row for _, rows in read.values() for row in rows]
    return PairFile(
        path=table.path,
        layout=layout.key,
        metric=layout.metric,
        pairs={column: tuple(pairs) for column, (pairs, _) in read.items()},
        rows=len(table.rows),
        dropped=pd.DataFrame(lost, columns=["row", "corruption", "reason"]),
    )


def task_from_file(path: str | Path, *, key: str | None = None, strict: bool = False) -> Task:
    """A task that draws the rows of a file without replacement.

    Corruptions are the file's corruption columns, templates its `template` column. Rows that
    repeat an earlier one or cannot be read are left out; `source` says how many and why.

    Raises
    ------
    ValueError
        See `read_pairs`; and when more examples are asked for than the file has.
    """
    file = read_pairs(path, strict=strict)
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

    rows, left_out = len(file.pairs[columns[0]]), _left_out(file)
    if left_out:
        LOG.info("%s%s", file.path.name, left_out.replace(";", ":", 1))
    return Task(
        key=name,
        title=f"Prompts of {file.path.name}",
        sample=sample,
        templates=ids,
        corruptions=tuple(Corruption(c, f"Column {c!r} of the file.") for c in columns),
        metric=file.metric,
        pools=("all",),
        distinct=True,
        rows=rows,
        strict=strict,
        source=f"{file.path.name}: {rows} rows, {file.layout} layout{left_out}",
        licence="user's own",
    )


def _left_out(file: PairFile, named: int = 3) -> str:
    """How many rows were left out, and the first of them with its reason; empty if none was."""
    rows = file.dropped.drop_duplicates("row")
    if rows.empty:
        return ""
    why = [f"row {row}: {reason}" for row, reason in zip(rows["row"], rows["reason"], strict=True)]
    shown = "; ".join(why[:named] + ["..."] * (len(why) > named))
    return f"; {len(rows)} of {file.rows} rows left out ({shown})"
