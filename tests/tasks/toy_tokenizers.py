"""Small tokenizers built in memory, so that token tests need no files and no network."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


def word_tokenizer(words: str, *, bos: bool = True) -> PreTrainedTokenizerFast:
    """One token per word of `words`; two digits to a token; `<bos>` unless told otherwise."""
    specials = ["<pad>", "<unk>", *(["<bos>"] if bos else [])]
    vocabulary = {word: i for i, word in enumerate([*specials, *dict.fromkeys(words.split())])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"\d\d|[A-Za-z']+|[^\sA-Za-z\d]"), behavior="removed", invert=True
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>" if bos else None,
    )


def byte_tokenizer(texts: list[str], *, vocab_size: int = 600) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on `texts`, with GPT-2's conventions: BOS = UNK = EOS."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    )
