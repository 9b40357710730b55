"""One prompt pair through a tokenizer: its ids, its answers' ids, its roles' positions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from circuitvar.tasks.tokens.answers import Unusable, answer_tokens
from circuitvar.tasks.tokens.batching import Read, TokenRow
from circuitvar.tasks.types import PromptPair

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Rules:
    """What a tokenizer and a model allow."""

    unknown: int | None
    vocab_size: int
    limit: int | None
    """Context in tokens, without BOS."""


@dataclass(frozen=True)
class Bos:
    """The token that starts every prompt, if there is one."""

    id: int | None
    text: str | None


def find_bos(tokenizer: "PreTrainedTokenizerBase", prepend_bos: bool | None) -> Bos:
    """The tokenizer's BOS, unless it has none or it is not wanted."""
    if prepend_bos is False:
        return Bos(None, None)
    found: Any = tokenizer.bos_token_id
    if found is None and prepend_bos:
        raise ValueError(
            f"tokenizer {tokenizer.name_or_path!r} has no BOS token; "
            "use prepend_bos=None (prepend it where there is one) or False"
        )
    return Bos(found, None if found is None else str(tokenizer.bos_token))


def encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> dict[str, list[int]]:
    """Token ids of each distinct text, without special tokens."""
    distinct = list(dict.fromkeys(texts))
    encoded = tokenizer(distinct, add_special_tokens=False, verbose=False)
    return dict(zip(distinct, encoded["input_ids"], strict=True))  # pyright: ignore


def _prompt_tokens(
    pair: PromptPair, ids: Mapping[str, list[int]], rules: Rules
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


def read_pair(pair: PromptPair, index: int, ids: Mapping[str, list[int]], rules: Rules) -> Read:
    """One pair as token ids, or `Unusable` with the reason."""
    given = dict(pair.attributes)
    right, wrong = (
        tuple(map(int, given.get(name, "").split())) for name in ("answer_ids", "wrong_answer_ids")
    )
    if "answer_ids" in given and (not right or max((*right, *wrong)) >= rules.vocab_size):
        raise Unusable(
            "answer id is not in the vocabulary",
            f"this tokenizer has {rules.vocab_size} tokens: likely ids of another tokenizer",
        )
    clean, corrupt = _prompt_tokens(pair, ids, rules)
    if "answer_ids" in given:
        row = TokenRow(tuple(clean), tuple(corrupt), right, wrong, index, pair.template)
        return Read(row)
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
    clean, corrupt = (*clean, *found.prefix), (*corrupt, *found.prefix)
    row = TokenRow(clean, corrupt, found.right, found.wrong, index, pair.template)
    return Read(row, found.longer, found.removed, bool(found.prefix))


def text_reader(
    pairs: Sequence[PromptPair],
    tokenizer: "PreTrainedTokenizerBase",
    bos: Bos,
    max_length: int | None,
) -> Callable[[PromptPair, int], Read]:
    """`read_pair` with the ids of all texts of these pairs."""
    limit = None if max_length is None else max_length - (bos.id is not None)
    texts = [text for pair in pairs for text in (pair.clean, pair.corrupt)]
    texts += [pair.clean + a for pair in pairs for a in (*pair.answers, *pair.wrong_answers)]
    # Some tokenizers (GPT-2) name their BOS as the unknown token; their text is never unknown.
    unknown: Any = tokenizer.unk_token_id if tokenizer.unk_token_id != bos.id else None
    rules = Rules(unknown, len(tokenizer), limit)
    return partial(read_pair, ids=encode(tokenizer, texts), rules=rules)


def shown_answers(pair: PromptPair) -> str:
    """The first answers of a pair, right and wrong, as texts or as the ids it gives."""
    given = dict(pair.attributes)
    if "answer_ids" in given:
        right, wrong = (
            given.get(name, "").split()[:2] for name in ("answer_ids", "wrong_answer_ids")
        )
        return f"ids {', '.join(right)} not {', '.join(wrong) or 'any'}"
    return f"{pair.answers[:2]} not {pair.wrong_answers[:2]}"


def _role_positions(
    pair: PromptPair, offsets: Sequence[tuple[int, int]], shift: int
) -> dict[str, tuple[int, ...]]:
    """Tokens that overlap each role's character span."""
    roles: dict[str, tuple[int, ...]] = {}
    for name, start, end in pair.roles:
        hits = [shift + t for t, (low, high) in enumerate(offsets) if low < end and high > start]
        roles[name] = (*roles.get(name, ()), *hits)
    return roles


def with_roles(
    rows: Sequence[TokenRow],
    pairs: Sequence[PromptPair],
    tokenizer: "PreTrainedTokenizerBase",
    bos: Bos,
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
        roles = _role_positions(pair, offsets[pair.clean], len(head))
        clean, corrupt = (*head, *row.clean), (*head, *row.corrupt)
        done.append(replace(row, clean=clean, corrupt=corrupt, roles=roles))
    return done
