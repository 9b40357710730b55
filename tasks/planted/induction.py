"""A 2-layer attention-only induction circuit (Olsson et al. 2022, arXiv 2209.11895).

`a0.h0` copies the previous token into its own part of the stream; `a1.h0` looks for the position
whose previous token is the current one and copies the token there to the output. The other heads
are decoys: a larger output, in a part of the stream that no logit reads. Attention saturates: a
match outweighs the rest by exp(-40), below float32 resolution, and without a match `a1.h0` looks at
`<bos>`, which no answer is read from. Gradients at the clean prompt therefore miss q and k edges.
"""

from string import ascii_lowercase

import numpy as np

from circuitvar.tasks.language import Sampler, Template, filled, half, pick
from circuitvar.tasks.planted.types import (
    SPECIAL,
    Planted,
    Weights,
    blank_layer,
    blocks,
    planted_task,
)
from circuitvar.tasks.types import Corruption, PromptPair

LETTERS = tuple(ascii_lowercase)
FILLERS = tuple(f"x{i}" for i in range(8))
VOCABULARY = (*SPECIAL, *LETTERS, *FILLERS)
POSITIONS = 16
GAIN = 4.0
"""Logit of the copied token."""
MATCH, SINK = 80.0, 40.0
"""Attention scores of a match and of `<bos>`; everything else scores 0."""


def _template(before: int, between: int) -> Template:
    fill = [f"{{x{i}}}" for i in range(before + between)]
    words = (*fill[:before], "{A} {B}", *fill[before:], "{A2}")
    return Template(f"induction-{before}-{between}", " ".join(words))


TEMPLATES = tuple(
    _template(before, between)
    for before, between in ((0, 0), (0, 2), (1, 1), (1, 3), (2, 0), (2, 4), (3, 2), (4, 4))
)
"""Fillers before the pair and between its two uses."""
CORRUPTIONS = (
    Corruption("other-pair", "Both letters of the pair change everywhere: every edge matters."),
    Corruption("first-token", "The first letter changes at its first use: nothing matches."),
    Corruption("last-token", "The first letter changes at its second use: nothing matches."),
    Corruption("second-token", "The letter to copy changes: the match is kept."),
)
CHANGED = {
    "other-pair": ("A", "B", "A2"),
    "first-token": ("A",),
    "last-token": ("A2",),
    "second-token": ("B",),
}
EFFECTS = {
    "other-pair": {
        "input->a0.h0<v>": GAIN,
        "a0.h0->a1.h0<k>": GAIN,
        "input->a1.h0<q>": GAIN,
        "input->a1.h0<v>": 2 * GAIN,
        "a1.h0->logits": 2 * GAIN,
    },
    "first-token": {"input->a0.h0<v>": GAIN, "a0.h0->a1.h0<k>": GAIN, "a1.h0->logits": GAIN},
    "last-token": {"input->a1.h0<q>": GAIN, "a1.h0->logits": GAIN},
    "second-token": {"input->a1.h0<v>": 2 * GAIN, "a1.h0->logits": 2 * GAIN},
}
"""By corruption. Losing the match costs GAIN; copying the wrong answer instead costs 2 GAIN."""


def _weights() -> Weights:
    n = len(VOCABULARY)
    part, width = blocks(token=n, previous=n, output=n, junk=n, position=POSITIONS)
    d_model = 192
    assert width <= d_model
    one_hot, sink = np.eye(n), n
    embed, position = np.zeros((n, d_model)), np.zeros((POSITIONS, d_model))
    embed[:, part["token"]] = one_hot
    position[:, part["position"]] = np.eye(POSITIONS)
    first, second = blank_layer(3, d_model), blank_layer(3, d_model)
    for head in (0, 1):
        first.q[head, part["position"], :POSITIONS] = MATCH * np.eye(POSITIONS)
        first.k[head, part["position"], 1 : POSITIONS + 1] = np.eye(POSITIONS)
        second.q[head, part["token"], :n] = MATCH * one_hot
        second.k[head, part["previous"], :n] = one_hot
        second.q_bias[head, sink] = SINK
        second.k[head, VOCABULARY.index("<bos>"), sink] = 1.0
    for layer in (first, second):
        layer.v[:, part["token"], :n] = one_hot
        layer.o[1:, :n, part["junk"]] = 10 * one_hot
    second.v[1:, part["junk"], :n] = one_hot
    second.v[2, part["previous"], :n] = one_hot
    first.o[0, :n, part["previous"]] = one_hot
    second.o[0, :n, part["output"]] = GAIN * one_hot
    unembed = np.zeros((d_model, n))
    unembed[part["output"]] = one_hot
    return Weights(embed, position, (first, second), unembed)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    a, b, other_a, other_b = pick(rng, half(LETTERS, pool), 4)
    fill = {f"x{i}": word for i, word in enumerate(pick(rng, FILLERS, len(FILLERS)))}
    clean = {"A": a, "B": b, "A2": a, **fill}
    twin = {"A": other_a, "B": other_b, "A2": other_a}
    changed = {slot: twin[slot] for slot in CHANGED[corruption]}
    return filled(template, clean, changed, (f" {b}",), (f" {other_b}",), corruption=corruption)


def effects(pair: PromptPair) -> dict[str, float]:
    """Depends on the corruption alone."""
    return EFFECTS[dict(pair.attributes)["corruption"]]


SAMPLER = Sampler("planted-induction", _pair, TEMPLATES, CORRUPTIONS)
"""Draw prompts in which a pair of letters starts again: `... a b ... a`, answer `b`."""
TASK = planted_task(SAMPLER, "induction", EFFECTS["other-pair"])
INDUCTION = Planted(
    "induction", "Attention-only induction circuit", TASK, VOCABULARY, _weights, effects
)
