"""Pre-tokenized prompt pairs, for models that have no tokenizer.

JSONL or parquet with columns `clean_ids, corrupt_ids, answer_ids, wrong_answer_ids[, template]`.
`read_token_pairs` gives a batch; `readers.task_from_file` a task to audit. Further columns named
`corrupt..._ids` are alternative corruptions. Ids are used as they are: a BOS, where the model
expects one, must be among them.
"""

from pathlib import Path

from circuitvar.tasks.own.tables import Table, id_list_cell, read_table, template_cell
from circuitvar.tasks.tokens import PaddingSide, TokenRow, pack, pair_of_ids
from circuitvar.tasks.types import Batch, PromptPair

COLUMNS = ("clean_ids", "corrupt_ids", "answer_ids", "wrong_answer_ids")


def id_columns(table: Table) -> tuple[str, ...]:
    """Columns of corrupted prompts as token ids, in file order; empty if the file holds text."""
    if "clean_ids" not in table.columns:
        return ()
    return tuple(c for c in table.columns if c.startswith("corrupt") and c.endswith("_ids"))


def token_pair(table: Table, row: int, corruption: str) -> PromptPair:
    """A row of token ids as a prompt pair that needs no tokenizer; `row` counts from 1."""
    one = _row(table, row, corruption)
    return pair_of_ids(one.clean, one.corrupt, one.answers, one.wrong_answers, one.template)


def _row(
    table: Table,
    row: int,
    corruption: str = "corrupt_ids",
    vocab_size: int | None = None,
    max_length: int | None = None,
) -> TokenRow:
    names = (COLUMNS[0], corruption, *COLUMNS[2:])
    cells = {column: id_list_cell(table, row, column) for column in names}
    for column, ids in cells.items():
        if vocab_size is not None and max(ids) >= vocab_size:
            raise table.bad(
                row, column, f"id {max(ids)} is not below the vocabulary's {vocab_size}"
            )
    clean, corrupt, answers, wrong = cells.values()
    if len(clean) != len(corrupt):
        raise table.bad(
            row, corruption, f"{len(corrupt)} ids, but clean_ids has {len(clean)}; must be equal"
        )
    if clean == corrupt:
        raise table.bad(row, corruption, "equals clean_ids, so nothing is removed")
    if max_length is not None and len(clean) > max_length:
        raise table.bad(row, "clean_ids", f"{len(clean)} ids, the model's context is {max_length}")
    if set(answers) & set(wrong):
        both = min(set(answers) & set(wrong))
        raise table.bad(row, "wrong_answer_ids", f"id {both} is also an answer")
    return TokenRow(clean, corrupt, answers, wrong, row - 1, template_cell(table, row))


def check_columns(table: Table) -> None:
    """Raise unless every column that pre-tokenized pairs need is there."""
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(
            f"{table.path}: missing column {', '.join(map(repr, missing))}; found "
            f"{', '.join(map(repr, table.columns))}; needed: {', '.join(COLUMNS)}[, template]"
        )


def read_token_pairs(
    path: str | Path,
    *,
    vocab_size: int | None = None,
    max_length: int | None = None,
    pad_id: int = 0,
    padding_side: PaddingSide = "right",
) -> Batch:
    """All rows of the file as one batch; `index` counts rows from 0.

    Raises
    ------
    ValueError
        The row and column at fault.
    """
    table = read_table(path)
    check_columns(table)
    rows = [
        _row(table, row, vocab_size=vocab_size, max_length=max_length)
        for row in range(1, len(table.rows) + 1)
    ]
    return pack(rows, pad_id=pad_id, padding_side=padding_side)
