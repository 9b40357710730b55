"""The nouns of a planted model: its weights as plain arrays, its task, its true effects.

Weights are per head and unscaled (attention scores are q.k), so that they can be read beside the
circuit they implement; `gpt2` turns them into a Hugging Face model. There are no norms.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Float

from circuitvar.tasks.language import Sampler
from circuitvar.tasks.types import PromptPair, Task

SPECIAL = ("<pad>", "<unk>", "<bos>")
"""First words of every planted vocabulary."""


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """One decoder layer, in the order x -> x + attention(x) -> that + MLP(that)."""

    q: Float[np.ndarray, "head d_model d_head"]
    k: Float[np.ndarray, "head d_model d_head"]
    v: Float[np.ndarray, "head d_model d_head"]
    o: Float[np.ndarray, "head d_head d_model"]
    q_bias: Float[np.ndarray, "head d_head"]
    """What a head looks for whatever the token; the only bias of the attention."""
    mlp_in: Float[np.ndarray, "d_model hidden"]
    """`hidden` is 0 in attention-only models."""
    mlp_bias: Float[np.ndarray, " hidden"]
    mlp_out: Float[np.ndarray, "hidden d_model"]


@dataclass(frozen=True, eq=False)
class Weights:
    """A decoder without norms."""

    embed: Float[np.ndarray, "vocab d_model"]
    position: Float[np.ndarray, "pos d_model"]
    layers: tuple[LayerWeights, ...]
    unembed: Float[np.ndarray, "d_model vocab"]
    activation: str = "linear"
    """Of the MLPs: `linear` or `relu`."""


@dataclass(frozen=True)
class Planted:
    """A model with hand-set weights, the task it does, and what is true about it."""

    key: str
    title: str
    task: Task
    """`task.known_edges` is the union of `effects` over the prompts of the default corruption."""
    vocabulary: tuple[str, ...]
    """Word of each token id; prompts are words separated by spaces."""
    weights: Callable[[], Weights]
    effects: Callable[[PromptPair], Mapping[str, float]]
    """Exact effect of every edge that has one on a prompt: metric(clean) - metric(patched) of
    `logit_diff`, in logits, from the closed form. All other edges have effect 0."""
    linear: bool = False
    """True when logits are linear in the embeddings, so that gradient methods are exact."""


def planted_task(sampler: Sampler, title: str, known_edges: Collection[str]) -> Task:
    """The task of a planted model, drawn with `sampler`."""
    return sampler.as_task(
        f"Planted: {title}", source="made for this suite", known_edges=frozenset(known_edges)
    )


def blank_layer(n_heads: int, d_model: int, hidden: int = 0) -> LayerWeights:
    """A layer that does nothing, for a builder to write into; d_head = d_model / n_heads."""
    d_head = d_model // n_heads
    q, k, v = (np.zeros((n_heads, d_model, d_head)) for _ in range(3))
    o, q_bias = np.zeros((n_heads, d_head, d_model)), np.zeros((n_heads, d_head))
    mlp_in, mlp_out = np.zeros((d_model, hidden)), np.zeros((hidden, d_model))
    return LayerWeights(q, k, v, o, q_bias, mlp_in, np.zeros(hidden), mlp_out)


def blocks(**widths: int) -> tuple[dict[str, slice], int]:
    """Consecutive named parts of the residual stream, and their total width.

    >>> blocks(token=3, output=2)
    ({'token': slice(0, 3, None), 'output': slice(3, 5, None)}, 5)
    """
    ends = list(accumulate(widths.values(), initial=0))
    return dict(zip(widths, map(slice, ends, ends[1:]), strict=True)), ends[-1]
