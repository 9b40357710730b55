"""Redundancy: two disjoint routes, each of which suffices, joined by a saturating read-out.

Route 1 (route 2 alike with head 1 and the right word):

    input -> a0.h0<v> -> a1.h0<v> -> m1,   shared: m1 -> logits

A left word has a strength r1 and a right word a strength r2, both between 0.90 and 1.00. Each
route carries its strength to `m1`, which writes min(r1 + r2, 1). So one route alone keeps at least
90 % of the logit difference (all of it at strength 1.00) and every prediction, and losing route 1
costs 1 - r2. Both routes have the same distribution of effects: which of the two a sample ranks
first is a coin toss at every sample size. Choosing the 4 strongest edges keeps each route half of
the time, so the true stability is below 1: see `phi_of_top_four`. Gradients at the clean prompt
are 0 on both routes, because the read-out is saturated.
"""

import numpy as np

from circuitvar.tasks.language import Sampler, Template, families, filled
from circuitvar.tasks.planted.types import (
    SPECIAL,
    Planted,
    Weights,
    blank_layer,
    blocks,
    planted_task,
)
from circuitvar.tasks.types import Corruption, PromptPair

LEVELS = tuple(range(90, 101))
"""Strengths in percent."""
LEFT, RIGHT = (tuple(f"{side}{level}" for level in LEVELS) for side in ("left", "right"))
FILLERS = ("w", "x", "y", "z")
VOCABULARY = (*SPECIAL, *LEFT, "left0", *RIGHT, "right0", *FILLERS, "=", "yes", "no")
GAIN = 10.0
"""Logit difference of the full model."""
SHARP = 40.0
"""Attention score of the word a head looks for; everything else scores 0."""
ROUTES = tuple((f"input->a0.h{i}<v>", f"a0.h{i}->a1.h{i}<v>", f"a1.h{i}->m1") for i in range(2))
SHARED = "m1->logits"

TEMPLATES = families(
    "two-route",
    "{LEFT} {RIGHT} =",
    "{RIGHT} {LEFT} =",
    "w {LEFT} {RIGHT} =",
    "x {RIGHT} {LEFT} =",
    "{LEFT} y {RIGHT} =",
    "{RIGHT} z {LEFT} =",
    "w {LEFT} x {RIGHT} y =",
    "z {RIGHT} y {LEFT} x =",
)
CORRUPTIONS = (Corruption("no-strength", "Both words get strength 0: both routes carry nothing."),)


def _weights() -> Weights:
    part, width = blocks(strength=2, side=2, end=1, moved=2, joined=2, out=1, junk=4)
    d_model = 16
    assert width <= d_model
    embed = np.zeros((len(VOCABULARY), d_model))
    for i, (side, words) in enumerate((("left", LEFT), ("right", RIGHT))):
        for word, level in zip((*words, f"{side}0"), (*LEVELS, 0), strict=True):
            embed[VOCABULARY.index(word), part["strength"].start + i] = level / 100
            embed[VOCABULARY.index(word), part["side"].start + i] = 1.0
    embed[VOCABULARY.index("="), part["end"]] = 1.0
    first, second = blank_layer(4, d_model, hidden=2), blank_layer(4, d_model, hidden=2)
    for i in range(2):
        for head in (i, i + 2):  # heads 2 and 3 are decoys that write what nothing reads
            first.q_bias[head, 0] = second.q_bias[head, 0] = SHARP
            first.k[head, part["side"].start + i, 0] = 1.0
            second.k[head, part["end"], 0] = 1.0
            first.v[head, part["strength"].start + i, 0] = 1.0
            second.v[head, part["moved"].start + i, 0] = 1.0
            first.o[head, 0, part["junk"].start + i] = second.o[head, 0, part["junk"].stop - 1] = 5
        first.o[i], second.o[i] = 0.0, 0.0
        first.o[i, 0, part["moved"].start + i] = 1.0
        second.o[i, 0, part["joined"].start + i] = 1.0
    # relu(x) - relu(x - 1) = min(x, 1) for x >= 0
    second.mlp_in[part["joined"]] = 1.0
    second.mlp_bias[:] = (0.0, -1.0)
    second.mlp_out[:, part["out"]] = [[1.0], [-1.0]]
    first.mlp_in[part["junk"]] = 1.0
    first.mlp_out[0, part["junk"]] = 1.0
    unembed = np.zeros((d_model, len(VOCABULARY)))
    unembed[part["out"], VOCABULARY.index("yes")] = GAIN / 2
    unembed[part["out"], VOCABULARY.index("no")] = -GAIN / 2
    return Weights(embed, np.zeros((16, d_model)), (first, second), unembed, activation="relu")


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    r1, r2 = rng.integers(LEVELS[0], LEVELS[-1] + 1, size=2)
    slots, none = {"LEFT": f"left{r1}", "RIGHT": f"right{r2}"}, {"LEFT": "left0", "RIGHT": "right0"}
    labels = {"r1": f"{r1 / 100:.2f}", "r2": f"{r2 / 100:.2f}"}
    return filled(template, slots, none, (" yes",), (" no",), **labels)


def effects(pair: PromptPair) -> dict[str, float]:
    """GAIN (1 - r2) on route 1, GAIN (1 - r1) on route 2, GAIN on the shared edge."""
    labels = dict(pair.attributes)
    r1, r2 = float(labels["r1"]), float(labels["r2"])
    lost = {ROUTES[0]: GAIN * (1 - r2), ROUTES[1]: GAIN * (1 - r1)}
    found = {edge: value for route, value in lost.items() for edge in route if value}
    return {**found, SHARED: GAIN}


def phi_of_top_four(n_edges: int) -> float:
    """True Nogueira phi of the 4 strongest edges over independent samples, at any sample size.

    phi = 1 - mean_e p(1 - p) / (k/d (1 - k/d)) with k = 4; the 6 route edges have p = 1/2, the
    shared edge p = 1 and all others 0. Ties between the routes are left out.

    >>> round(phi_of_top_four(110), 3)
    0.611
    """
    share = 4 / n_edges
    return 1 - (6 * 0.25 / n_edges) / (share * (1 - share))


SAMPLER = Sampler("planted-two-route", _pair, TEMPLATES, CORRUPTIONS, pools=("all",))
"""Draw prompts with a left and a right word of independent strengths."""
TASK = planted_task(SAMPLER, "two redundant routes", (*ROUTES[0], *ROUTES[1], SHARED))
TWO_ROUTE = Planted("two-route", "Two redundant routes", TASK, VOCABULARY, _weights, effects)
