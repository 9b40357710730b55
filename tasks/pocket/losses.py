"""What a pocket model is trained to lower: loss on answers, on prompts, on repeated word lists.

The lists are dense practice for induction, whose prompts each ask for one word only. A text is
several short lists of nouns, each written twice, the second time from a random place on. Held-out
pairs of neighbours (`pocket.held_out`) never occur within a list.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuitvar.tasks.language import NOUNS
from circuitvar.tasks.pocket.batches import Example
from circuitvar.tasks.pocket.held_out import may_follow
from circuitvar.tasks.pocket.tokenizer import CONTEXT

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

LONGEST = 5
"""Words per list at first; with longer lists induction takes far longer to appear."""


def prompt_loss(
    model: "GPT2LMHeadModel", examples: Sequence[Example], total: int, prompt_weight: float
) -> Tensor:
    """The piece's share of the batch loss (a sum over examples divided by `total`)."""
    device, n = model.device, len(examples)
    width = max(len(e.ids) for e in examples)
    ids = torch.zeros(n, width, dtype=torch.long)
    target = torch.zeros(n, model.config.vocab_size)
    for i, example in enumerate(examples):
        ids[i, : len(example.ids)] = torch.tensor(example.ids)
        target[i, example.answers] = 1 / len(example.answers)
    ids, target = ids.to(device), target.to(device)
    last = torch.tensor([len(e.ids) - 1 for e in examples], device=device)
    log_probs, following = next_token(model, ids)
    answer = -(target * log_probs[torch.arange(n, device=device), last]).sum(dim=-1)
    real = torch.arange(width - 1, device=device)[None] < last[:, None]
    prompt = torch.where(real, following, 0.0).sum(dim=1) / last
    return (answer + prompt_weight * prompt).sum() / total


def next_token(model: "GPT2LMHeadModel", ids: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities, and the cross-entropy of each token given those before it."""
    # Right padding: causal attention keeps real tokens clean of it; no mask is needed, but
    # transformers warns without one.
    log_probs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)
    return log_probs, -log_probs[:, :-1].gather(2, ids[:, 1:, None])[:, :, 0]


@cache
def _allowed() -> Bool[np.ndarray, "noun noun"]:
    return np.array([[may_follow(one, two) for two in NOUNS] for one in NOUNS])


def _list(order: list[int], size: int) -> list[int]:
    """Up to `size` nouns from the end of `order`, no held-out neighbours."""
    words: list[int] = []
    while len(words) < size and order:
        word = order.pop()
        if not words or _allowed()[words[-1], word]:
            words.append(word)
    return words


def repeated_lists(
    n: int,
    vocabulary: Mapping[str, int],
    *,
    length: int,
    rng: np.random.Generator,
    longest: int = LONGEST,
) -> tuple[Int[np.ndarray, "batch pos"], Bool[np.ndarray, "batch pos"]]:
    """`n` texts of `length` tokens, and where a token follows from an earlier copy."""
    nouns = np.array([vocabulary[word] for word in NOUNS])
    ids = np.full((n, length), vocabulary["<bos>"])
    second = np.zeros((n, length), dtype=bool)
    for row in range(n):
        order, at = rng.permutation(len(NOUNS)).tolist(), 1
        while at < length:
            size = int(rng.integers(2, longest + 1))
            words = _list(order, size)
            restart = int(rng.integers(len(words) - 1)) if len(words) > 1 else 0
            text = (words + words[restart:])[: length - at]
            ids[row, at : at + len(text)] = nouns[text]
            second[row, at + len(words) + 1 : at + len(text)] = True
            at += len(text)
    return ids, second


def list_loss(
    model: "GPT2LMHeadModel",
    tokenizer: "PreTrainedTokenizerFast",
    n: int,
    rng: np.random.Generator,
    *,
    longest: int = LONGEST,
) -> Tensor:
    """Mean next-token loss on the second copies of `n` texts of repeated lists."""
    ids, second = repeated_lists(
        n, tokenizer.get_vocab(), length=CONTEXT - 1, rng=rng, longest=longest
    )
    following = next_token(model, torch.from_numpy(ids).to(model.device))[1]
    return following[torch.from_numpy(second[:, 1:]).to(model.device)].mean()
