"""Prompt pairs to token ids, checked and not hoped for.

Rules, the same for every tokenizer:
* The tokenizer's BOS is prepended exactly once if it has one (GPT-2's is `<|endoftext|>`).
* Clean and corrupted prompts must have equally many tokens, none unknown, none past the context.
* Prompt + answer are tokenized jointly; the first token that tells right from wrong is read
  (`tasks.answers`). Attributes `answer_ids`, `wrong_answer_ids` give the ids instead of texts.
* Role spans become token positions through the offset mapping.
A pair that breaks a rule is dropped with its reason; too few left is an error.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from circuitvar.tasks.tokens.answers import Unusable
from circuitvar.tasks.tokens.batching import PaddingSide, Read, TokenRow, pack
from circuitvar.tasks.tokens.encode import Bos, find_bos, shown_answers, text_reader, with_roles
from circuitvar.tasks.tokens.pretokenized import all_pretokenized, read_ids
from circuitvar.tasks.types import Batch, PromptPair

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class Tokenized:
    """A batch and what became of the pairs it was made from."""

    batch: Batch
    """`batch.index` is the position of each example in the pairs given."""
    kept: tuple[int, ...]
    dropped: "pd.DataFrame"
    """Columns row, template, reason, detail; one line per pair that could not be used."""
    bos: str | None
    """Text of the token prepended to every prompt, None if the tokenizer has none."""
    first_token_only: int
    """Answers and wrong answers that go on after the one token that is read."""
    removed_answers: int
    """Candidates of kept pairs that are not read: they merge with the end of the prompt, or an
    answer and a wrong answer start with the same token."""
    extended_prompts: int
    """Pairs whose candidates all start with the same tokens, which were added to both prompts."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or read otherwise than it was given, each with its number."""
        n, found = len(self.kept), []
        if lost := len(self.dropped):
            counts = Counter(self.dropped["reason"].tolist()).most_common()
            why = "; ".join(f"{count} x {reason}" for reason, count in counts)
            first = self.dropped.iloc[0]
            found.append(
                f"{lost} of {n + lost} prompt pairs left out ({why}; first: pair "
                f"{first['row']}, {first['detail']})"
            )
        if self.first_token_only:
            found.append(
                f"{self.first_token_only} answers go on after the one token that is read, the "
                "first that tells right from wrong"
            )
        if self.removed_answers:
            found.append(
                f"{self.removed_answers} answers are not read: they merge with the end of the "
                "prompt, or are both right and wrong"
            )
        if self.extended_prompts:
            found.append(
                f"the shared start of the answers was moved into the prompt in "
                f"{self.extended_prompts} of {n} pairs"
            )
        return tuple(found)


_Lost = tuple[int, str, str, str]
"""Row, template, reason, detail of a pair that cannot be used."""


class TooFewUsable(ValueError):
    """Fewer prompt pairs are usable than were asked for; `usable` says how many are."""

    def __init__(self, message: str, usable: int) -> None:
        super().__init__(message)
        self.usable = usable


def _enough(rows: list[TokenRow], lost: Sequence[_Lost], minimum: int) -> list[TokenRow]:
    """The rows, if there are at least `minimum`; otherwise an error that says why not."""
    needed = max(minimum, 1)
    if len(rows) >= needed:
        return rows
    if not lost:
        raise TooFewUsable(
            f"{len(rows)} prompt pairs were given and {needed} are needed", len(rows)
        )
    counts = Counter(reason for _, _, reason, _ in lost)
    why = "; ".join(f"{count} x {reason}" for reason, count in counts.most_common())
    row, _, _, detail = lost[0]
    raise TooFewUsable(
        f"only {len(rows)} of {len(rows) + len(lost)} prompt pairs are usable with this tokenizer "
        f"and {needed} are needed; dropped: {why} (first: pair {row}, {detail})",
        len(rows),
    )


def tokenize(
    pairs: Sequence[PromptPair],
    tokenizer: "PreTrainedTokenizerBase | None",
    *,
    padding_side: PaddingSide = "right",
    max_length: int | None = None,
    vocab_size: int | None = None,
    prepend_bos: bool | None = None,
    minimum: int = 1,
) -> Tokenized:
    """Prompt pairs as a padded batch, with a table of those that cannot be used.

    `max_length` is the model's context in tokens, BOS included. `prepend_bos=None` prepends the
    tokenizer's BOS where it has one. Pairs that give their token ids (`tasks.pretokenized`) need no
    tokenizer; `vocab_size` then bounds the ids. Answers are read at the first token that differs; a
    candidate whose token is both right and wrong is taken out of both.

    Raises
    ------
    ValueError
        No pairs, fewer than `minimum` usable, text but no tokenizer, a tokenizer without offsets,
        or BOS required of a tokenizer that has none.
    """
    import pandas as pd

    if not pairs:
        raise ValueError("no prompt pairs to tokenize: give at least one")
    known: Any = None if tokenizer is None else tokenizer.pad_token_id
    pad_id: int = 0 if known is None else known
    bos, read = Bos(None, None), partial(read_ids, vocab_size=vocab_size, max_length=max_length)
    given = all_pretokenized(pairs)
    if not given:
        if tokenizer is None:
            raise ValueError(
                "the model has no tokenizer, so prompts cannot be text; give token ids "
                "(columns clean_ids, corrupt_ids, answer_ids, wrong_answer_ids) or add the "
                "tokenizer files to the model's folder"
            )
        bos = find_bos(tokenizer, prepend_bos)
        read = text_reader(pairs, tokenizer, bos, max_length)
    usable: list[Read] = []
    lost: list[_Lost] = []
    for index, pair in enumerate(pairs):
        try:
            usable.append(read(pair, index))
        except Unusable as why:
            shown = f"{pair.clean!r}" + ("" if given else f" -> {shown_answers(pair)}")
            lost.append((index, pair.template, why.args[0], f"{why.args[1]}: {shown}"))
    rows = _enough([one.row for one in usable], lost, minimum)
    if tokenizer is not None and not given:
        rows = with_roles(rows, pairs, tokenizer, bos)
    return Tokenized(
        batch=pack(rows, pad_id=pad_id, padding_side=padding_side),
        kept=tuple(row.index for row in rows),
        dropped=pd.DataFrame(lost, columns=["row", "template", "reason", "detail"]),
        bos=bos.text,
        first_token_only=sum(one.longer for one in usable),
        removed_answers=sum(one.removed for one in usable),
        extended_prompts=sum(one.extended for one in usable),
    )
