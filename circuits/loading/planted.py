"""Planted models ready to be scored: known circuits for testing methods and the audit itself."""

from typing import Any

from circuitvar.circuits.loading.wrap import wrap
from circuitvar.circuits.model import DTYPES, Model, NoMLP
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.planted import build_gpt2, get_planted, word_tokenizer


def load_planted(key: str, *, device: str = "cpu", dtype: str = "float32") -> Model:
    """The planted model `key` (`induction`, `two-route`, `gated`, `noise` or `integer`).

    Its true circuit is `get_planted(key).task.known_edges`, its exact effects on any prompt are
    `get_planted(key).effects(pair)`. Attention-only models have no MLP nodes.

    >>> load_planted("induction").graph.has_mlp
    False

    Raises
    ------
    ValueError
        Unknown key or dtype.
    """
    planted = get_planted(key)
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    weights = planted.weights()
    hf: Any = build_gpt2(weights)
    for block, layer in zip(hf.transformer.h, weights.layers, strict=True):
        if not layer.mlp_in.shape[1]:
            block.mlp = NoMLP()
    name = f"planted:{planted.key}"
    tokenizer = word_tokenizer(planted.vocabulary, name=name)
    return wrap(hf.to(device, DTYPES[dtype]), name=name, tokenizer=tokenizer)
