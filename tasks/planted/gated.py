"""A circuit that depends on the template: a marker word decides which of two heads answers.

`a0.h0` carries the marker to the last position; there the query of `a1.h0` opens on `copy` and the
query of `a1.h1` on `opposite`. An open head attends to the signal word: `a1.h0` writes that word,
`a1.h1` its opposite. A closed head looks at `<bos>` and writes nothing. Attention saturates (ratio
exp(-40), below float32 resolution). `a0.h1`, `a0.h2` and `a1.h2` are decoys that copy the signal
into a part of the stream that no logit reads.
"""

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

PAIRS = ("big small", "hot cold", "wet dry", "old young")
PAIRS += ("fast slow", "loud quiet", "rich poor", "hard soft")
WORDS = tuple(word for pair in PAIRS for word in pair.split())
OPPOSITE = {word: WORDS[i ^ 1] for i, word in enumerate(WORDS)}
GATES = ("copy", "opposite")
FILLERS = tuple(f"x{i}" for i in range(8))
VOCABULARY = (*SPECIAL, *WORDS, *GATES, *FILLERS, "=")
GAIN = 4.0
"""Logit of the word a head writes."""
OPEN, SINK = 80.0, 40.0
"""Attention scores of the signal under an open gate and of `<bos>`; everything else scores 0."""

FRAMES = (
    "{x0} {MARKER} {x1} {SIGNAL} =",
    "{x0} {SIGNAL} {MARKER} {x1} =",
    "{MARKER} {x0} {x1} {SIGNAL} {x2} =",
    "{SIGNAL} {x0} {x1} {x2} {MARKER} =",
)
TEMPLATES = tuple(
    Template(f"gated-{gate}-{i}", frame) for gate in GATES for i, frame in enumerate(FRAMES, 1)
)
CORRUPTIONS = (
    Corruption("signal", "Another signal word, same marker: shows the head that answers."),
    Corruption("marker", "The other marker, same signal: shows the gate."),
)


def _weights() -> Weights:
    n, bos = len(WORDS), VOCABULARY.index("<bos>")
    part, d_model = blocks(
        signal=n, is_signal=1, marker=2, is_marker=1, bos=1, gate=2, out=n, junk=9
    )
    embed = np.zeros((len(VOCABULARY), d_model))
    embed[len(SPECIAL) : len(SPECIAL) + n, part["signal"]] = np.eye(n)
    embed[len(SPECIAL) : len(SPECIAL) + n, part["is_signal"]] = 1.0
    for i, gate in enumerate(GATES):
        embed[VOCABULARY.index(gate), part["marker"].start + i] = 1.0
        embed[VOCABULARY.index(gate), part["is_marker"]] = 1.0
    embed[bos, part["bos"]] = 1.0
    first, second = blank_layer(3, d_model), blank_layer(3, d_model)
    first.q_bias[0, 0] = SINK
    first.k[0, part["is_marker"], 0] = 1.0
    first.v[0, part["marker"], :2] = np.eye(2)
    first.o[0, :2, part["gate"]] = np.eye(2)
    written = np.eye(n), np.eye(n)[[WORDS.index(OPPOSITE[word]) for word in WORDS]]
    for head in range(2):
        second.q[head, part["gate"].start + head, 0] = OPEN
        second.k[head, part["is_signal"], 0] = 1.0
        second.q_bias[head, 1] = SINK
        second.k[head, part["bos"], 1] = 1.0
        second.v[head, part["signal"]] = np.eye(n)
        second.o[head, :, part["out"]] = GAIN * written[head]
    for layer, head in ((first, 1), (first, 2), (second, 2)):
        layer.q_bias[head, 0] = SINK
        layer.k[head, part["is_signal"], 0] = 1.0
        layer.v[head, part["signal"]] = np.eye(n)
        layer.o[head, :9, part["junk"]] = 10 * np.eye(9)
    unembed = np.zeros((d_model, len(VOCABULARY)))
    unembed[part["out"], len(SPECIAL) : len(SPECIAL) + n] = np.eye(n)
    return Weights(embed, np.zeros((16, d_model)), (first, second), unembed)


def _asked_for(gate: str, signal: str) -> str:
    return signal if gate == "copy" else OPPOSITE[signal]


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    gate = template.id.split("-")[1]
    signal, other = (pair.split()[rng.integers(2)] for pair in pick(rng, half(PAIRS, pool), 2))
    fill = {f"x{i}": word for i, word in enumerate(pick(rng, FILLERS, 3))}
    clean = {"MARKER": gate, "SIGNAL": signal, **fill}
    other_gate = GATES[1 - GATES.index(gate)]
    if corruption == "signal":
        twin, wrong = {"SIGNAL": other}, _asked_for(gate, other)
    else:
        twin, wrong = {"MARKER": other_gate}, _asked_for(other_gate, signal)
    right = (f" {_asked_for(gate, signal)}",)
    return filled(template, clean, twin, right, (f" {wrong}",), gate=gate, corruption=corruption)


def true_effects(gate: str, corruption: str) -> dict[str, float]:
    """Effects under one marker. Losing the answer costs GAIN; the wrong answer instead, 2 GAIN.

    Under `signal` the gate is the same in both runs, so that only the answering head is seen.
    Under `marker` either query alone costs GAIN: it closes the right head or opens the wrong one.
    """
    open_head = GATES.index(gate)
    if corruption == "signal":
        return {f"input->a1.h{open_head}<v>": 2 * GAIN, f"a1.h{open_head}->logits": 2 * GAIN}
    queries = {f"a0.h0->a1.h{head}<q>": GAIN for head in range(2)}
    return {"input->a0.h0<v>": 2 * GAIN, **queries, "a1.h0->logits": GAIN, "a1.h1->logits": GAIN}


def effects(pair: PromptPair) -> dict[str, float]:
    """Depends on the marker and the corruption."""
    labels = dict(pair.attributes)
    return true_effects(labels["gate"], labels["corruption"])


SAMPLER = Sampler("planted-gated", _pair, TEMPLATES, CORRUPTIONS)
"""Draw prompts that ask for a word or for its opposite."""
TASK = planted_task(
    SAMPLER,
    "gated by the template",
    [edge for gate in GATES for edge in true_effects(gate, "signal")],
)
GATED = Planted("gated", "Circuit gated by the template", TASK, VOCABULARY, _weights, effects)
