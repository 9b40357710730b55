"""One word-level tokenizer for all pocket tasks, built from their templates and word lists.

A token is a word, a pair of digits or a punctuation mark; white space is not kept, so " Mary" and
"Mary" are the same token. The vocabulary follows from the task files alone: changing a template or
a word list changes it, and the shipped checkpoints must then be trained again (a test says so).
"""

import re
from typing import TYPE_CHECKING

from circuitvar.tasks.language import pocket_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<unk>", "<bos>")
PIECE = r"\d\d|[A-Za-z']+|[^\sA-Za-z\d]"
CONTEXT = 32
"""Positions of the pocket models, BOS included."""


def vocabulary() -> tuple[str, ...]:
    """Special tokens, then every piece of the pocket tasks in alphabetical order."""
    words = {
        word
        for text in pocket_texts()
        for word in re.findall(PIECE, re.sub(r"\{[^}]+\}", " ", text))
    }
    return (*SPECIAL, *sorted(words))


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer that every pocket checkpoint carries."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(vocabulary())}
    inner = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), behavior="removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        model_max_length=CONTEXT,
    )
