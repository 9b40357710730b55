"""A linear model with a known noise level: every variance component has a true value.

Sixteen channels, each one head that averages its channel of the stream and writes the sum to the
logits. The clean prompt is a topic word and two content words, the corrupted one three blanks, so
the effect of both edges of channel c (`input -> head<v>` and `head -> logits`) on a prompt is

    e_c = mean_c + topic_c + first word_c + second word_c    (logits).

There is one topic per template. Topic and word values come from normal draws that are then centred,
made orthogonal over channels and scaled, so that mean and variance hold exactly and not just in
expectation: see `Channel`. Channels are uncorrelated.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from circuitvar.tasks.language import Sampler, Template, half, render
from circuitvar.tasks.planted.types import SPECIAL, Planted, Weights, blank_layer, planted_task
from circuitvar.tasks.types import Corruption, PromptPair

SEED = 20_260_301
"""Of the normal draws behind topics and words; the values are part of the model."""
N_TEMPLATES, N_WORDS = 20, 64
TOPICS = tuple(f"t{i:02d}" for i in range(1, N_TEMPLATES + 1))
WORDS = tuple(f"u{i:02d}" for i in range(N_WORDS))
VOCABULARY = (*SPECIAL, *TOPICS, *WORDS, "_", "yes", "no")


@dataclass(frozen=True)
class Channel:
    """What is true about the effects of one channel's edges, in logits.

    Prompts are drawn with replacement from the words of any pool ("all", "a" or "b" alike).
    """

    edges: tuple[str, str]
    mean: float
    """Mean over templates and prompts."""
    between: float
    """Standard deviation over templates (ddof = 1 over the 20 template means): the square root of
    the random-effects component that an analysis of variance estimates."""
    within: float
    """Standard deviation over prompts of one template, the same for every template."""


MEANS = (4.0, 3.5, 3.0, 2.6, 2.2, 1.9, 1.6, 1.3, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.5, -1.0)
CHANNELS = tuple(
    Channel(
        (f"input->a{c % 2}.h{c // 2}<v>", f"a{c % 2}.h{c // 2}->logits"),
        mean,
        between=(0.0, 0.5, 1.0)[c % 3],
        within=(0.5, 1.0, 2.0, 1.0)[c % 4],
    )
    for c, mean in enumerate(MEANS)
)
"""Channel c is head c // 2 of layer c % 2."""

TEMPLATES = tuple(
    Template(f"noise-{i:02d}", "{TOPIC} {FIRST} {SECOND}") for i in range(1, N_TEMPLATES + 1)
)
CORRUPTIONS = (Corruption("blank", "All three words become blanks: every channel carries 0."),)


def _standardised(
    rng: np.random.Generator, n: int, ddof: int
) -> Float[np.ndarray, "value channel"]:
    """Normal draws made exactly mean 0, variance 1 (with `ddof`) and uncorrelated."""
    draws = rng.standard_normal((n, len(CHANNELS)))
    basis, triangle = np.linalg.qr(draws - draws.mean(axis=0))
    return basis * np.sign(np.diag(triangle)) * np.sqrt(n - ddof)


@cache
def values() -> dict[str, Float[np.ndarray, " channel"]]:
    """What each word adds to the sixteen effects; a topic includes the mean."""
    rng = np.random.default_rng(SEED)
    between, within = (np.array([getattr(c, sd) for c in CHANNELS]) for sd in ("between", "within"))
    topics = np.array(MEANS) + between * _standardised(rng, N_TEMPLATES, ddof=1)
    found = {word: value for word, value in zip(TOPICS, topics, strict=True)}
    for pool in ("a", "b"):  # each half has the stated mean and variance, and so has the whole
        words = half(WORDS, pool)
        rows = within / np.sqrt(2) * _standardised(rng, len(words), ddof=0)
        found |= dict(zip(words, rows, strict=True))
    return found


def _weights() -> Weights:
    n, n_heads, d_model = len(CHANNELS), 8, 32
    embed = np.zeros((len(VOCABULARY), d_model))
    for word, value in values().items():
        embed[VOCABULARY.index(word), :n] = value
    layers = (blank_layer(n_heads, d_model), blank_layer(n_heads, d_model))
    for c in range(n):
        layer, head = layers[c % 2], c // 2
        layer.v[head, c, 0] = 1.0
        layer.o[head, 0, n] = 4.0  # heads average over <bos> and three words
    unembed = np.zeros((d_model, len(VOCABULARY)))
    unembed[n, VOCABULARY.index("yes")], unembed[n, VOCABULARY.index("no")] = 0.5, -0.5
    return Weights(embed, np.zeros((16, d_model)), layers, unembed)


def _pair(template: Template, corruption: str, pool: str, rng: np.random.Generator) -> PromptPair:
    words = half(WORDS, pool)
    first, second = (words[i] for i in rng.integers(len(words), size=2))
    topic = TOPICS[TEMPLATES.index(template)]
    text, roles = render(template.text, {"TOPIC": topic, "FIRST": first, "SECOND": second})
    return PromptPair(text, "_ _ _", (" yes",), (" no",), template.id, roles)


def draw_effects(n: int, *, rng: np.random.Generator) -> Float[np.ndarray, "example channel"]:
    """Effects of the sixteen channels on n prompts of a random topic and two random words.

    As `effects` has them but without making the prompts: for simulations.
    """
    value = values()
    topics, words = (np.array([value[name] for name in names]) for names in (TOPICS, WORDS))
    found = topics[rng.integers(len(topics), size=n)]
    return found + words[rng.integers(len(words), size=(2, n))].sum(axis=0)


def effects(pair: PromptPair) -> dict[str, float]:
    """The sum of the words' values, on both edges of each channel."""
    total = sum(values()[word] for word in pair.clean.split())
    return {
        edge: float(value)
        for channel, value in zip(CHANNELS, np.atleast_1d(total), strict=True)
        for edge in channel.edges
    }


SAMPLER = Sampler("planted-noise", _pair, TEMPLATES, CORRUPTIONS)
"""Draw prompts: templates balanced, words independent and with replacement."""
TASK = planted_task(
    SAMPLER,
    "linear with known variance components",
    [edge for channel in CHANNELS for edge in channel.edges],
)
NOISE = Planted(
    "noise",
    "Linear model with known variance components",
    TASK,
    VOCABULARY,
    _weights,
    effects,
    linear=True,
)
