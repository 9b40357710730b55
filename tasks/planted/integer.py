"""A linear model with small integer weights: every edge effect can be computed by hand.

Two layers, one head each, linear MLPs, a residual stream of two numbers. Queries and keys are 0, so
heads average over positions; `<bos>` is the zero vector and the prompt is one word, so an average
is half the word. With the word vector x (a row), the nodes write

    a0 = x A0,  m0 = (x + a0) M0,  a1 = (x + a0 + m0) A1,  m1 = (x + a0 + m0 + a1) M1

and logit_diff is the second number minus the first of x + a0 + m0 + a1 + m1.
"""

import numpy as np

from circuitvar.tasks.language import Sampler, Template, half, pick, render
from circuitvar.tasks.planted.types import SPECIAL, Planted, Weights, blank_layer, planted_task
from circuitvar.tasks.types import Corruption, PromptPair

WORDS = {"one": (4, 1), "two": (3, -2), "three": (5, 3), "four": (2, 0), "five": (6, 5)}
WORDS |= {"six": (1, -3), "none": (0, 0)}
"""Vector of each word."""
VOCABULARY = (*SPECIAL, *WORDS, "yes", "no")
A0 = np.array([[1, 2], [0, 1]])
M0 = np.array([[2, 0], [1, -1]])
A1 = np.array([[0, 1], [1, 1]])
M1 = np.array([[1, 1], [-1, 2]])
READ = np.array([-1, 1])
"""Logit of `yes` minus logit of `no` = stream times READ."""

TEMPLATES = (Template("integer", "{WORD}"),)
CORRUPTIONS = (
    Corruption("none", "The word becomes the zero vector: every source is removed."),
    Corruption("other-word", "Another word, so that sources change but do not vanish."),
)


def _weights() -> Weights:
    embed = np.zeros((len(VOCABULARY), 2))
    for word, vector in WORDS.items():
        embed[VOCABULARY.index(word)] = vector
    layers = []
    for attention, mlp in ((A0, M0), (A1, M1)):
        layer = blank_layer(1, 2, hidden=2)
        layer.v[0] = attention
        layer.o[0] = 2 * np.eye(2)
        layer.mlp_in[:] = mlp
        layer.mlp_out[:] = np.eye(2)
        layers.append(layer)
    unembed = np.zeros((2, len(VOCABULARY)))
    unembed[:, VOCABULARY.index("yes")] = (0, 1)
    unembed[:, VOCABULARY.index("no")] = (1, 0)
    return Weights(embed, np.zeros((16, 2)), tuple(layers), unembed)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    word, other = pick(rng, half(tuple(WORDS)[:-1], pool), 2)
    clean, roles = render(template.text, {"WORD": word})
    corrupt = "none" if corruption == "none" else other
    labels = (("word", word), ("corrupted word", corrupt), ("corruption", corruption))
    return PromptPair(clean, corrupt, (" yes",), (" no",), template.id, roles, labels)


def effects(pair: PromptPair) -> dict[str, float]:
    """Change of each source times what its destination adds to the logit difference.

    An edge that reads into `a1` reaches the logits directly and through `m1`; and so on upstream.
    """
    x = np.subtract(WORDS[pair.clean], WORDS[pair.corrupt])
    a0 = x @ A0
    m0 = (x + a0) @ M0
    a1 = (x + a0 + m0) @ A1
    m1 = (x + a0 + m0 + a1) @ M1
    written = {"input": x, "a0.h0": a0, "m0": m0, "a1.h0": a1, "m1": m1}
    worth = {"logits": READ, "m1": M1 @ READ}
    worth["a1.h0<v>"] = A1 @ (READ + worth["m1"])
    worth["m0"] = M0 @ (READ + worth["m1"] + worth["a1.h0<v>"])
    worth["a0.h0<v>"] = A0 @ (READ + worth["m1"] + worth["a1.h0<v>"] + worth["m0"])
    reads = {"a0.h0<v>": 1, "m0": 2, "a1.h0<v>": 3, "m1": 4, "logits": 5}
    values = {
        f"{src}->{dst}": float(written[src] @ worth[dst])
        for dst, n_sources in reads.items()
        for src in tuple(written)[:n_sources]
    }
    return {edge: value for edge, value in values.items() if value}


SAMPLER = Sampler("planted-integer", _pair, TEMPLATES, CORRUPTIONS)
"""Draw one-word prompts."""
TASK = planted_task(
    SAMPLER, "hand-computable linear model", effects(PromptPair("one", "none", (" yes",), (" no",)))
)
INTEGER = Planted(
    "integer",
    "Hand-computable linear model with integer weights",
    TASK,
    VOCABULARY,
    _weights,
    effects,
    linear=True,
)
