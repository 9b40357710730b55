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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitvar.tasks.answers import Unusable, answer_tokens
from circuitvar.tasks.batching import PaddingSide, TokenRow, chunks, pack, take, to_device
from circuitvar.tasks.types import Batch, PromptPair, Task

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

__all__ = ["Tokenized", "chunks", "sample_batch", "take", "to_device", "tokenize"]


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


@dataclass(frozen=True)
class _Rules:
    """What a tokenizer and a model allow."""

    unknown: int | None
    vocab_size: int
    limit: int | None
    """Context in tokens, without BOS."""


@dataclass(frozen=True)
class _Bos:
    id: int | None
    text: str | None


def _bos(tokenizer: "PreTrainedTokenizerBase", prepend_bos: bool | None) -> _Bos:
    if prepend_bos is False:
        return _Bos(None, None)
    found: Any = tokenizer.bos_token_id
    if found is None and prepend_bos:
        raise ValueError(
            f"tokenizer {tokenizer.name_or_path!r} has no BOS token; "
            "use prepend_bos=None (prepend it where there is one) or False"
        )
    return _Bos(found, None if found is None else str(tokenizer.bos_token))


def _encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> dict[str, list[int]]:
    """Token ids of each distinct text, without special tokens."""
    distinct = list(dict.fromkeys(texts))
    encoded = tokenizer(distinct, add_special_tokens=False, verbose=False)
    return dict(zip(distinct, encoded["input_ids"], strict=True))  # pyright: ignore


def _prompt_tokens(
    pair: PromptPair, ids: Mapping[str, list[int]], rules: _Rules
) -> tuple[list[int], list[int]]:
    clean, corrupt = ids[pair.clean], ids[pair.corrupt]
    if not clean or not corrupt:
        raise Unusable("empty prompt", "no tokens")
    if pair.clean == pair.corrupt:
        raise Unusable("clean and corrupted prompts are the same", "nothing is removed")
    if rules.unknown is not None and rules.unknown in (*clean, *corrupt):
        raise Unusable("unknown token", f"in this or {pair.corrupt!r}")
    if len(clean) != len(corrupt):
        raise Unusable(
            "clean and corrupted lengths differ", f"{len(clean)} and {len(corrupt)} tokens"
        )
    if rules.limit is not None and len(clean) > rules.limit:
        raise Unusable("longer than the context", f"{len(clean)} tokens, {rules.limit} allowed")
    return clean, corrupt


@dataclass(frozen=True)
class _Read:
    """One usable pair: its tokens without BOS, and what was done to its answers."""

    row: TokenRow
    longer: int
    removed: int
    extended: bool


def _read(pair: PromptPair, index: int, ids: Mapping[str, list[int]], rules: _Rules) -> _Read:
    clean, corrupt = _prompt_tokens(pair, ids, rules)
    given = dict(pair.attributes)
    if "answer_ids" in given:
        right, wrong = (
            tuple(map(int, given.get(name, "").split()))
            for name in ("answer_ids", "wrong_answer_ids")
        )
        if not right or max((*right, *wrong)) >= rules.vocab_size:
            raise Unusable("answer id is not in the vocabulary", f"{rules.vocab_size} tokens")
        row = TokenRow(tuple(clean), tuple(corrupt), right, wrong, index, pair.template)
        return _Read(row, 0, 0, False)
    if not pair.answers:
        raise Unusable("no answer", "the pair names no right answer")
    found = answer_tokens(
        clean,
        [ids[pair.clean + answer] for answer in pair.answers],
        [ids[pair.clean + answer] for answer in pair.wrong_answers],
        unknown=rules.unknown,
    )
    if rules.limit is not None and len(clean) + len(found.prefix) > rules.limit:
        raise Unusable("longer than the context", "with the shared start of the answers")
    row = TokenRow(
        (*clean, *found.prefix),
        (*corrupt, *found.prefix),
        found.right,
        found.wrong,
        index,
        pair.template,
    )
    return _Read(row, found.longer, found.removed, bool(found.prefix))


def _role_positions(
    pair: PromptPair, offsets: Sequence[tuple[int, int]], shift: int
) -> dict[str, tuple[int, ...]]:
    """Tokens that overlap each role's character span."""
    roles: dict[str, tuple[int, ...]] = {}
    for name, start, end in pair.roles:
        hits = [shift + t for t, (low, high) in enumerate(offsets) if low < end and high > start]
        roles[name] = (*roles.get(name, ()), *hits)
    return roles


def _with_roles(
    rows: Sequence[TokenRow],
    pairs: Sequence[PromptPair],
    tokenizer: "PreTrainedTokenizerBase",
    bos: _Bos,
) -> list[TokenRow]:
    """Rows with BOS prepended and role positions filled in."""
    if not tokenizer.is_fast:
        raise ValueError(
            f"tokenizer {tokenizer.name_or_path!r} gives no offset mapping; "
            "load a fast tokenizer (tokenizer.json) so that roles can be located"
        )
    texts = list(dict.fromkeys(pairs[row.index].clean for row in rows))
    encoded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets: dict[str, Any] = dict(zip(texts, encoded["offset_mapping"], strict=True))  # pyright: ignore
    done = []
    for row in rows:
        head = () if bos.id is None or row.clean[0] == bos.id else (bos.id,)
        pair = pairs[row.index]
        done.append(
            TokenRow(
                (*head, *row.clean),
                (*head, *row.corrupt),
                row.answers,
                row.wrong_answers,
                row.index,
                row.template,
                _role_positions(pair, offsets[pair.clean], len(head)),
            )
        )
    return done


def _too_few(kept: int, needed: int, dropped: "pd.DataFrame") -> ValueError:
    counts = Counter(dropped["reason"])
    why = "; ".join(f"{count} x {reason}" for reason, count in counts.most_common())
    first = dropped.iloc[0]
    return ValueError(
        f"only {kept} of {kept + len(dropped)} prompt pairs are usable with this tokenizer and "
        f"{needed} are needed; dropped: {why} (first: pair {first['row']}, {first['detail']})"
    )


def tokenize(
    pairs: Sequence[PromptPair],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    padding_side: PaddingSide = "right",
    max_length: int | None = None,
    prepend_bos: bool | None = None,
    minimum: int = 1,
) -> Tokenized:
    """Prompt pairs as a padded batch, with a table of those that cannot be used.

    `max_length` is the model's context in tokens, BOS included. `prepend_bos=None` prepends the
    tokenizer's BOS where it has one. Answers are read at the first token that differs; a candidate
    whose token is both right and wrong is taken out of both.

    Raises
    ------
    ValueError
        No pairs, fewer than `minimum` usable, a tokenizer without offsets, or BOS required of a
        tokenizer that has none.
    """
    import pandas as pd

    if not pairs:
        raise ValueError("no prompt pairs to tokenize: give at least one")
    bos = _bos(tokenizer, prepend_bos)
    limit = None if max_length is None else max_length - (bos.id is not None)
    texts = [text for pair in pairs for text in (pair.clean, pair.corrupt)]
    texts += [pair.clean + a for pair in pairs for a in (*pair.answers, *pair.wrong_answers)]
    ids = _encode(tokenizer, texts)
    # Some tokenizers (GPT-2) name their BOS as the unknown token; their text is never unknown.
    unknown: Any = tokenizer.unk_token_id if tokenizer.unk_token_id != bos.id else None
    rules = _Rules(unknown, len(tokenizer), limit)
    read, lost = [], []
    for index, pair in enumerate(pairs):
        try:
            read.append(_read(pair, index, ids, rules))
        except Unusable as why:
            shown = f"{pair.clean!r} -> {pair.answers[:2]} not {pair.wrong_answers[:2]}"
            lost.append((index, pair.template, why.args[0], f"{why.args[1]}: {shown}"))
    dropped = pd.DataFrame(lost, columns=["row", "template", "reason", "detail"])
    if len(read) < max(minimum, 1):
        raise (
            _too_few(len(read), max(minimum, 1), dropped)
            if lost
            else ValueError(f"{len(pairs)} prompt pairs were given and {minimum} are needed")
        )
    rows = _with_roles([one.row for one in read], pairs, tokenizer, bos)
    pad: Any = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return Tokenized(
        batch=pack(rows, pad_id=pad, padding_side=padding_side),
        kept=tuple(row.index for row in rows),
        dropped=dropped,
        bos=bos.text,
        first_token_only=sum(one.longer for one in read),
        removed_answers=sum(one.removed for one in read),
        extended_prompts=sum(one.extended for one in read),
    )


def sample_batch(
    task: Task,
    n: int,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    rng: np.random.Generator,
    templates: tuple[str, ...] | None = None,
    corruption: str | None = None,
    pool: str = "all",
    padding_side: PaddingSide = "right",
    max_length: int | None = None,
    oversample: int = 2,
) -> tuple[Tokenized, tuple[PromptPair, ...]]:
    """Exactly `n` usable examples of a task, and their pairs in the order of the batch.

    Draws `n` pairs; where the tokenizer drops some, draws once more, `oversample` * `n` pairs in
    all. The table of dropped pairs covers both draws.

    Raises
    ------
    ValueError
        Fewer than `n` pairs are usable.
    """
    options: dict[str, Any] = {"templates": templates, "corruption": corruption, "pool": pool}
    keep: dict[str, Any] = {"padding_side": padding_side, "max_length": max_length}
    pairs = task.sample(n, rng=rng, **options)
    done = tokenize(pairs, tokenizer, **keep) if n > 0 else tokenize(pairs, tokenizer)
    if len(done.batch) < n:
        pairs = (*pairs, *task.sample((oversample - 1) * n, rng=rng, **options))
        done = tokenize(pairs, tokenizer, minimum=n, **keep)
    rows = done.kept[:n]
    cut = replace(done, batch=take(done.batch, slice(0, n)), kept=rows)
    return cut, tuple(pairs[i] for i in rows)
