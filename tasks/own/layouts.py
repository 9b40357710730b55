"""Column layouts that users bring, each turned into prompt pairs without conversion.

* own: `clean, corrupt, answer, wrong_answer[, template]`;
* EAP-IG: `clean, corrupted, correct_idx, incorrect_idx` (token ids of one tokenizer);
* EAP-IG greater-than: `clean, corrupted, label` (label = the start year's two-digit suffix);
* MIB counterfactuals: `prompt`, `*_counterfactual` records, and `choices` + `answerKey`, names in
  `metadata`, or `label`.
Further columns whose name starts with `corrupt`, and every `*_counterfactual`, are alternative
corruptions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from circuitvar.tasks.language import SUFFIXES, years_after
from circuitvar.tasks.own.tables import (
    Table,
    id_list_cell,
    template_cell,
    text_cell,
    text_list_cell,
)
from circuitvar.tasks.types import PromptPair

MakePair = Callable[[Table, int, str], PromptPair]
"""(table, row counted from 1, corruption column) -> the pair."""


@dataclass(frozen=True)
class Layout:
    """One way to lay out prompt pairs in columns."""

    key: str
    needs: tuple[str, ...]
    """Columns that must be there, besides at least one corruption column."""
    pair: MakePair
    metric: str = "logit_diff"


def corruption_columns(table: Table) -> tuple[str, ...]:
    """Columns that hold a corrupted prompt, in file order."""
    return tuple(
        name
        for name in table.columns
        if name.endswith("_counterfactual")
        or (name.startswith("corrupt") and not name.endswith("_ids"))
    )


def _own(table: Table, row: int, corruption: str) -> PromptPair:
    clean = text_cell(table, row, "clean")
    answers = text_list_cell(table, row, "answer")
    wrong = text_list_cell(table, row, "wrong_answer")
    if set(answers) & set(wrong):
        raise table.bad(row, "wrong_answer", f"{wrong[0]!r} is also the answer")
    return PromptPair(
        clean, text_cell(table, row, corruption), answers, wrong, template_cell(table, row)
    )


def _eap_ig(table: Table, row: int, corruption: str) -> PromptPair:
    right = id_list_cell(table, row, "correct_idx")
    wrong = id_list_cell(table, row, "incorrect_idx")
    if set(right) & set(wrong):
        raise table.bad(row, "incorrect_idx", f"token id {wrong[0]} is also the answer")
    clean, corrupt = (text_cell(table, row, column) for column in ("clean", corruption))
    sides = (("answer_ids", right), ("wrong_answer_ids", wrong))
    ids = tuple((name, " ".join(map(str, side))) for name, side in sides)
    return PromptPair(clean, corrupt, (), (), template_cell(table, row), attributes=ids)


def _greater_than(table: Table, row: int, corruption: str) -> PromptPair:
    label = table.rows[row - 1].get("label")
    text = str(label).strip().zfill(2)
    if text not in SUFFIXES[:-1]:
        raise table.bad(row, "label", f"expected a two-digit year suffix 00 to 98, found {label!r}")
    clean = text_cell(table, row, "clean")
    century = clean.rstrip()[-2:]
    if not century.isdigit() or century + text not in clean:
        problem = f"the prompt does not end after a year that began with {century}{text}"
        raise table.bad(row, "label", f"{problem}, so {label!r} is no start year of it")
    return PromptPair(
        clean, text_cell(table, row, corruption), *years_after(text), template_cell(table, row)
    )


def _mib(table: Table, row: int, corruption: str) -> PromptPair:
    record = table.rows[row - 1]
    other = record.get(corruption)
    if not isinstance(other, Mapping) or not isinstance(other.get("prompt"), str):
        raise table.bad(row, corruption, f"expected a record with a prompt, found {other!r}")
    clean = text_cell(table, row, "prompt")
    if (found := _mib_answer(record)) is None:
        raise table.bad(row, "answerKey", "no answer: needs choices + answerKey, metadata or label")
    (answer, rest), (other_answer, _) = found, _mib_answer(other) or ("", ())
    # Of two names the wrong one is the clean prompt's subject, whatever the corruption.
    named = isinstance(record.get("metadata"), Mapping)
    wrong = rest if named or other_answer in ("", answer) else (other_answer,)
    if not wrong or answer in wrong:
        raise table.bad(
            row, corruption, f"no wrong answer: both prompts are answered by {answer!r}"
        )
    space = "" if clean[-1].isspace() else " "
    right, others = (space + answer,), tuple(space + text for text in wrong)
    return PromptPair(clean, str(other["prompt"]), right, others, str(record.get("template") or ""))


def _mib_answer(record: Mapping[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """The right answer of a record and the other candidates it lists; None if it has none."""
    names, choices, key = (record.get(name) for name in ("metadata", "choices", "answerKey"))
    if isinstance(names, Mapping) and names.get("indirect_object"):
        return str(names["indirect_object"]), (str(names.get("subject") or ""),)
    listed = choices.get("label") if isinstance(choices, Mapping) else choices
    if listed and isinstance(key, int) and 0 <= key < len(listed):
        texts = [str(text) for text in listed]
        return texts[key], tuple(text for i, text in enumerate(texts) if i != key)
    return None if record.get("label") is None else (str(record["label"]), ())


LAYOUTS: tuple[Layout, ...] = (
    Layout("own", ("clean", "answer", "wrong_answer"), _own),
    Layout("EAP-IG", ("clean", "correct_idx", "incorrect_idx"), _eap_ig),
    Layout("EAP-IG greater-than", ("clean", "label"), _greater_than, metric="prob_diff"),
    Layout("MIB counterfactuals", ("prompt",), _mib),
)


def find_layout(table: Table) -> Layout:
    """The first layout whose columns are all there.

    Raises
    ------
    ValueError
        None fits; says which columns were found and what the nearest layout still needs.
    """
    corrupt = corruption_columns(table)
    missing = {
        layout.key: [name for name in layout.needs if name not in table.columns]
        + ["corrupt"] * (not corrupt)
        for layout in LAYOUTS
    }
    for layout in LAYOUTS:
        if not missing[layout.key]:
            return layout
    nearest = max(LAYOUTS[:3], key=lambda layout: len(set(layout.needs) & set(table.columns)))
    marks = [mark for mark in ";\t|" if mark in " ".join(table.columns)]
    hint = f"; cells seem to be separated by {marks[0]!r}" if marks else ""
    if any(name != name.strip() for name in table.columns):
        hint = "; take the spaces out of the header"
    raise ValueError(
        f"{table.path}: missing column {', '.join(map(repr, missing[nearest.key]))}; found "
        f"{', '.join(map(repr, table.columns))}; needed: clean, corrupt, answer, wrong_answer"
        f"[, template] (or an EAP-IG or MIB layout){hint}"
    )
