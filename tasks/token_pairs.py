"""Pre-tokenized prompt pairs, for models that have no tokenizer.

JSONL or parquet with columns `clean_ids, corrupt_ids, answer_ids, wrong_answer_ids[, template]`.
Ids are used as they are: a BOS, where the model expects one, must be among them.
"""

from pathlib import Path

from circuitvar.tasks.batching import PaddingSide, TokenRow, pack
from circuitvar.tasks.tables import Table, id_list_cell, read_table, text_cell
from circuitvar.tasks.types import Batch

COLUMNS = ("clean_ids", "corrupt_ids", "answer_ids", "wrong_answer_ids")


def _row(table: Table, row: int, vocab_size: int | None, max_length: int | None) -> TokenRow:
    cells = {column: id_list_cell(table, row, column) for column in COLUMNS}
    for column, ids in cells.items():
        if vocab_size is not None and max(ids) >= vocab_size:
            raise table.bad(
                row, column, f"id {max(ids)} is not below the vocabulary's {vocab_size}"
            )
    clean, corrupt, answers, wrong = cells.values()
    if len(clean) != len(corrupt):
        raise table.bad(
            row, "corrupt_ids", f"{len(corrupt)} ids, but clean_ids has {len(clean)}; must be equal"
        )
    if clean == corrupt:
        raise table.bad(row, "corrupt_ids", "equals clean_ids, so nothing is removed")
    if max_length is not None and len(clean) > max_length:
        raise table.bad(row, "clean_ids", f"{len(clean)} ids, the model's context is {max_length}")
    if set(answers) & set(wrong):
        both = min(set(answers) & set(wrong))
        raise table.bad(row, "wrong_answer_ids", f"id {both} is also an answer")
    template = text_cell(table, row, "template") if "template" in table.columns else ""
    return TokenRow(clean, corrupt, answers, wrong, row - 1, template)


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
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(
            f"{table.path}: missing column {', '.join(map(repr, missing))}; found "
            f"{', '.join(map(repr, table.columns))}; needed: {', '.join(COLUMNS)}[, template]"
        )
    rows = [_row(table, row, vocab_size, max_length) for row in range(1, len(table.rows) + 1)]
    return pack(rows, pad_id=pad_id, padding_side=padding_side)
