"""The worst case: clean prompts crossed with corrupted prompts of other examples.

A circuit that is faithful on matched pairs can still fail when the ablated values come from some
other prompt. The tail over crossed pairs says how badly (uit de Bos and Garriga-Alonso 2024).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from circuitvar.circuits.evaluate.evaluate import evaluate
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch


@dataclass(frozen=True, eq=False)
class Tail:
    """KL(full || circuit) over crossed pairs, in nats."""

    kl: Float[np.ndarray, " pair"]
    pairs: Int[np.ndarray, "pair 2"]
    """(clean, corrupted) rows of the batch."""
    share: float

    @property
    def mean(self) -> float:
        """Mean over all pairs."""
        return float(self.kl.mean())

    @property
    def worst(self) -> float:
        """The largest of all pairs."""
        return float(self.kl.max())

    @property
    def tail_mean(self) -> float:
        """Mean of the worst `share` of pairs (at least one)."""
        n = max(1, round(self.share * len(self.kl)))
        return float(np.sort(self.kl)[-n:].mean())


def crossed_batch(
    batch: Batch, n_pairs: int, *, rng: np.random.Generator
) -> tuple[Batch, Int[np.ndarray, "pair 2"]]:
    """Clean prompts paired with the corrupted prompt of another example of the same length.

    Pairs are drawn without replacement, uniformly over all ordered pairs that fit.
    """
    if batch.noise is not None:
        raise ValueError(
            "noise belongs to one example's own tokens, so noisy prompts cannot be crossed; use a "
            "corruption that changes tokens"
        )
    mask = batch.mask.cpu().numpy()
    fits = (mask[:, None] == mask[None, :]).all(axis=2) & ~np.eye(len(mask), dtype=bool)
    pairs = np.argwhere(fits)
    if not len(pairs):
        raise ValueError("no two examples have the same number of tokens: nothing to cross")
    if len(pairs) > n_pairs:
        pairs = pairs[np.sort(rng.choice(len(pairs), n_pairs, replace=False))]
    crossed = take(batch, pairs[:, 0])
    corrupt = batch.corrupt[torch.as_tensor(pairs[:, 1], device=batch.corrupt.device)]
    return replace(crossed, corrupt=corrupt), pairs


def crossed_tail(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    rng: np.random.Generator,
    n_pairs: int = 2000,
    share: float = 0.01,
) -> Tail:
    """KL to the full model over crossed pairs; `tail_mean` is the mean of the worst `share`."""
    crossed, pairs = crossed_batch(batch, n_pairs, rng=rng)
    result = evaluate(model, circuit, crossed, metric="kl")
    return Tail(kl=result.kl, pairs=pairs, share=share)
