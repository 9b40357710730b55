"""Corruptions that need no knowledge of the task: random words, and noise on embeddings.

`random-token` rewrites text. `gaussian-noise` does not: the corrupted tokens equal the clean ones
and the model side adds `noise * amplitude * embedding SD` to the embeddings of marked positions.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from circuitvar.tasks.language.words import NOUNS
from circuitvar.tasks.types import Batch, Corruption, GaussianNoise

RANDOM_TOKEN = Corruption(
    "random-token",
    "Replaces the task's key words by unrelated words: removes their identity, keeps the wording.",
)


def random_token(text: str, spans: Sequence[tuple[int, int]], *, rng: np.random.Generator) -> str:
    """`text` with each span replaced by a random noun, a number by another of as many digits."""
    for start, end in sorted(spans, reverse=True):
        old, new = text[start:end], text[start:end]
        while new == old:
            if old.isdigit():
                first = 0 if old.startswith("0") else 1
                digits = (rng.integers(first, 10), *rng.integers(10, size=len(old) - 1))
                new = "".join(map(str, digits))
            else:
                new = NOUNS[rng.integers(len(NOUNS))]
        text = text[:start] + new + text[end:]
    return text


def noise_positions(batch: Batch, noise: GaussianNoise) -> Bool[Tensor, "batch pos"]:
    """Where the noise goes.

    Raises
    ------
    ValueError
        No role named, or the batch does not have one of them.
    """
    known = ", ".join(batch.roles) or "none"
    if not noise.roles:
        raise ValueError(f"gaussian-noise needs at least one role; the batch has: {known}")
    for role in noise.roles:
        if role not in batch.roles:
            raise ValueError(f"gaussian-noise names role {role!r}, but the batch has: {known}")
    return torch.stack([batch.roles[role] for role in noise.roles]).any(dim=0)


def embedding_noise(
    batch: Batch, noise: GaussianNoise, *, width: int, embedding_sd: float
) -> Float[Tensor, "batch pos d_model"]:
    """What to add to the clean embeddings: amplitude * embedding_sd * N(0, 1) at marked positions.

    Drawn per example from (seed, example id) and counted from the example's first real token, so
    batch size, order and padding cannot change it.
    """
    where = noise_positions(batch, noise).cpu().numpy()
    first = batch.mask.int().argmax(dim=1).tolist()
    values = np.zeros((*where.shape, width), dtype=np.float32)
    for row, example in enumerate(batch.index.tolist()):
        digest = hashlib.sha256(f"{noise.seed}:{example}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        length = where.shape[1] - first[row]
        values[row, first[row] :] = rng.standard_normal((length, width), dtype=np.float32)
    values *= where[:, :, None] * np.float32(noise.amplitude * embedding_sd)
    return torch.from_numpy(values).to(batch.clean.device)


def with_noise(
    batch: Batch, amplitude: float, *, roles: Sequence[str] | None = None, seed: int = 0
) -> Batch:
    """The batch with another corruption: the clean tokens, noise on the embeddings of `roles`.

    `roles=None` stands for every role but END. What reads the corrupted run of the batch (scoring,
    mean ablation, circuit evaluation) adds the noise; its size is known once there is a model.

    Raises
    ------
    ValueError
        The amplitude is negative, a role is not in the batch, or an example has no marked token.
    """
    if not amplitude >= 0 or not np.isfinite(amplitude):
        raise ValueError(
            f"noise amplitude is {amplitude}; it is a size in embedding SDs, 0 or more"
        )
    if roles is None:
        roles = [name for name in batch.roles if name != "END"]
        if not roles:
            raise ValueError(
                "gaussian-noise blurs tokens that play a role, but no role is marked in these "
                "examples; mark roles in the task or choose another corruption"
            )
    noise = GaussianNoise(float(amplitude), tuple(roles), seed)
    bare = ~noise_positions(batch, noise).any(dim=1)
    if bool(bare.any()):
        raise ValueError(
            f"example {int(batch.index[bare][0])} has no token with the role "
            f"{' or '.join(noise.roles)}, so noise would not corrupt it; choose roles that every "
            "example has"
        )
    return replace(batch, corrupt=batch.clean, noise=noise)
