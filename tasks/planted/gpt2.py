"""Planted weights as a Hugging Face GPT-2, and a word-level tokenizer for it.

Norms are `torch.nn.Identity`, so that a linear model is linear. GPT-2 divides attention scores by
sqrt(d_head); query weights are multiplied by it, which is exact because d_head is a power of 4.
An attention-only model has MLPs of one hidden unit with weights 0: `circuits.planted` removes them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from circuitvar.tasks.planted.types import SPECIAL, LayerWeights, Weights

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast


def build_gpt2(weights: Weights) -> "GPT2LMHeadModel":
    """A `GPT2LMHeadModel` with these weights, in evaluation mode, float32.

    >>> from circuitvar.tasks.planted.catalog import get_planted
    >>> build_gpt2(get_planted("integer").weights()).config.n_layer
    2
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    vocab, d_model = weights.embed.shape
    config = GPT2Config(
        vocab_size=vocab,
        n_positions=len(weights.position),
        n_embd=d_model,
        n_layer=len(weights.layers),
        n_head=len(weights.layers[0].q),
        n_inner=max(weights.layers[0].mlp_in.shape[1], 1),
        activation_function=weights.activation,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=SPECIAL.index("<bos>"),
        eos_token_id=SPECIAL.index("<bos>"),
        pad_token_id=SPECIAL.index("<pad>"),
    )
    with torch.random.fork_rng(devices=[]):
        model = GPT2LMHeadModel(config)
    base: Any = model.transformer
    base.ln_f = nn.Identity()
    with torch.no_grad():
        base.wte.weight.copy_(_tensor(weights.embed))
        base.wpe.weight.copy_(_tensor(weights.position))
        model.lm_head.weight.copy_(_tensor(weights.unembed.T))
        for block, layer in zip(base.h, weights.layers, strict=True):
            block.ln_1, block.ln_2 = nn.Identity(), nn.Identity()
            _fill(block, layer)
    return model.eval()


def _tensor(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def _side_by_side(heads: np.ndarray) -> np.ndarray:
    """[head, d_model, d_head] -> [d_model, head * d_head], as GPT-2 stores it."""
    return heads.transpose(1, 0, 2).reshape(heads.shape[1], -1)


def _fill(block: Any, layer: LayerWeights) -> None:
    for parameter in (*block.attn.parameters(), *block.mlp.parameters()):
        parameter.zero_()
    d_model, scale = layer.o.shape[-1], float(np.sqrt(layer.q.shape[-1]))
    reads = [_side_by_side(part) for part in (layer.q * scale, layer.k, layer.v)]
    block.attn.c_attn.weight.copy_(_tensor(np.concatenate(reads, axis=1)))
    block.attn.c_attn.bias[:d_model] = _tensor(layer.q_bias.reshape(-1) * scale)
    block.attn.c_proj.weight.copy_(_tensor(layer.o.reshape(-1, d_model)))
    if layer.mlp_in.shape[1]:
        block.mlp.c_fc.weight.copy_(_tensor(layer.mlp_in))
        block.mlp.c_fc.bias.copy_(_tensor(layer.mlp_bias))
        block.mlp.c_proj.weight.copy_(_tensor(layer.mlp_out))


def word_tokenizer(vocabulary: tuple[str, ...], *, name: str) -> "PreTrainedTokenizerFast":
    """A tokenizer whose tokens are the words of `vocabulary`, split at spaces.

    >>> word_tokenizer(("<pad>", "<unk>", "<bos>", "a", "b"), name="toy")("b a").input_ids
    [2, 4, 3]
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(vocabulary)}
    words = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        name_or_path=name,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<bos>",
        # TransformerLens reloads a tokenizer from its path unless it prepends BOS by itself.
        add_bos_token=True,
    )
