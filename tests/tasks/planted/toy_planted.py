"""A numpy forward pass of planted weights with any edge patched: independent of torch and circuits.

Follows the definition and nothing else: the residual stream is the list of what every source wrote,
a destination reads the sum of the sources before it, and a patched edge swaps one term of that sum
for the same source's output in the corrupted run.
"""

from collections.abc import Collection

import numpy as np
from scipy.special import softmax

from circuitvar.tasks.planted.types import Planted, Weights
from circuitvar.tasks.types import PromptPair

Run = dict[str, np.ndarray]
"""What each source wrote, [pos, d_model], in the order of writing; and `logits`, [vocab]."""


def forward(
    weights: Weights, ids: list[int], patched: Collection[str] = (), corrupt: Run | None = None
) -> Run:
    """Logits at the last position and every source's output, in float64."""
    n = len(ids)
    written: Run = {"input": weights.embed[ids] + weights.position[:n]}

    def read(dst: str) -> np.ndarray:
        terms = (
            corrupt[src] if corrupt is not None and f"{src}->{dst}" in patched else value
            for src, value in written.items()
        )
        return np.sum(list(terms), axis=0)

    act = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0)}[weights.activation]
    for l, layer in enumerate(weights.layers):  # noqa: E741 - the field's letter
        heads = {}
        for h in range(len(layer.q)):
            name = f"a{l}.h{h}"
            q = read(f"{name}<q>") @ layer.q[h] + layer.q_bias[h]
            k, v = read(f"{name}<k>") @ layer.k[h], read(f"{name}<v>") @ layer.v[h]
            scores = np.where(np.tri(n, dtype=bool), q @ k.T, -np.inf)
            heads[name] = softmax(scores, axis=1) @ v @ layer.o[h]
        written |= heads
        if layer.mlp_in.shape[1]:
            hidden = act(read(f"m{l}") @ layer.mlp_in + layer.mlp_bias)
            written[f"m{l}"] = hidden @ layer.mlp_out
    logits = read("logits")[-1] @ weights.unembed
    return {**written, "logits": logits}


def ids_of(planted: Planted, text: str) -> list[int]:
    return [planted.vocabulary.index(word) for word in ("<bos>", *text.split())]


def logit_diff(planted: Planted, pair: PromptPair, logits: np.ndarray) -> float:
    right, wrong = (
        planted.vocabulary.index(w[0].strip()) for w in (pair.answers, pair.wrong_answers)
    )
    return float(logits[right] - logits[wrong])


def patched_logit_diff(
    planted: Planted, weights: Weights, pair: PromptPair, patched: Collection[str] = ()
) -> float:
    """Logit difference of the clean prompt with these edges patched from the corrupted one."""
    corrupt = forward(weights, ids_of(planted, pair.corrupt))
    run = forward(weights, ids_of(planted, pair.clean), patched, corrupt)
    return logit_diff(planted, pair, run["logits"])


def oracle_effects(
    planted: Planted, weights: Weights, pair: PromptPair, edges: Collection[str]
) -> np.ndarray:
    """Exact effect of every edge by brute force, [edge]."""
    clean = patched_logit_diff(planted, weights, pair)
    return np.array([clean - patched_logit_diff(planted, weights, pair, {edge}) for edge in edges])
