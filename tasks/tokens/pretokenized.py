"""Prompt pairs whose tokens are given as ids, for models that have no tokenizer.

Such a pair shows its ids as text ("12 53 8") and says so in its attributes `clean_ids` and
`corrupt_ids`, besides `answer_ids` and `wrong_answer_ids`. Ids are used as they are: a BOS, where
the model expects one, must be among them.
"""

from collections.abc import Sequence

from circuitvar.tasks.tokens.answers import Unusable
from circuitvar.tasks.tokens.batching import Read, TokenRow
from circuitvar.tasks.types import PromptPair

NAMES = ("clean_ids", "corrupt_ids", "answer_ids", "wrong_answer_ids")


def pair_of_ids(
    clean: Sequence[int],
    corrupt: Sequence[int],
    answers: Sequence[int],
    wrong_answers: Sequence[int],
    template: str = "",
) -> PromptPair:
    """A pair of given ids.

    >>> pair_of_ids((5, 6), (5, 7), (1,), (2,)).clean
    '5 6'
    """
    texts = [" ".join(map(str, ids)) for ids in (clean, corrupt, answers, wrong_answers)]
    attributes = tuple(zip(NAMES, texts, strict=True))
    return PromptPair(texts[0], texts[1], (), (), template, attributes=attributes)


def all_pretokenized(pairs: Sequence[PromptPair]) -> bool:
    """Whether every pair gives its token ids.

    Raises
    ------
    ValueError
        Some do and some do not.
    """
    given = ["clean_ids" in dict(pair.attributes) for pair in pairs]
    if any(given) and not all(given):
        raise ValueError(
            f"pair {given.index(False)} is text and pair {given.index(True)} gives token ids; "
            "a data set must be one or the other"
        )
    return all(given)


def read_ids(
    pair: PromptPair, index: int, *, vocab_size: int | None, max_length: int | None
) -> Read:
    """The tokens of a pair that gives them.

    Raises
    ------
    Unusable
        Its ids do not fit the model or each other.
    """
    given = dict(pair.attributes)
    clean, corrupt, right, wrong = (
        tuple(int(word) for word in given.get(name, "").split()) for name in NAMES
    )
    if len(clean) != len(corrupt):
        raise Unusable(
            "clean and corrupted lengths differ", f"{len(clean)} and {len(corrupt)} tokens"
        )
    if clean == corrupt:
        raise Unusable("clean and corrupted prompts are the same", "nothing is removed")
    if not clean or not right:
        raise Unusable("no tokens", "a prompt and at least one right answer are needed")
    largest = max(*clean, *corrupt, *right, *wrong)
    if vocab_size is not None and largest >= vocab_size:
        raise Unusable(
            "token id is not in the vocabulary", f"id {largest}, the model has {vocab_size}"
        )
    if max_length is not None and len(clean) > max_length:
        raise Unusable("longer than the context", f"{len(clean)} tokens, {max_length} allowed")
    return Read(TokenRow(clean, corrupt, right, wrong, index, pair.template))
