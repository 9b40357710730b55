"""The corrupted run of a batch: its tokens, and Gaussian noise on their embeddings if asked.

Every part that runs the corrupted prompt starts here, so that no method can forget the noise.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.model.architecture import Architecture, Context
from circuitvar.circuits.model.sources import Writes, first_difference, mean_writes
from circuitvar.circuits.model.trunk import Trace, run_embeddings
from circuitvar.tasks.language import embedding_noise, noise_positions
from circuitvar.tasks.tokens import take
from circuitvar.tasks.types import Batch

SD_TOKENS = 4096
"""Tokens, evenly spaced over the vocabulary, that the embedding SD is taken from."""


@torch.no_grad()
def embedding_sd(architecture: Architecture) -> float:
    """Standard deviation of the entries of the model's token embeddings, as `input` writes them."""
    weight: Tensor = architecture.embed.weight  # pyright: ignore[reportAssignmentType]
    number = min(SD_TOKENS, len(weight))
    tokens = torch.arange(number, device=weight.device) * len(weight) // number
    return float(architecture.embed(tokens[None]).double().std(correction=0))


def corrupt_embeddings(
    architecture: Architecture, batch: Batch
) -> Float[Tensor, "batch pos d_model"]:
    """Token embeddings of the corrupted prompts, plus the batch's noise where it has one.

    e + amplitude * SD * N(0, 1) at the positions of the noise's roles (Meng et al. 2022, arXiv
    2202.05262, sec. 2.1). Drawn per example id, so cutting and ordering do not change it.
    """
    embeddings = architecture.embed(batch.corrupt)
    if batch.noise is None:
        return embeddings
    noise = embedding_noise(
        batch, batch.noise, width=architecture.d_model, embedding_sd=embedding_sd(architecture)
    )
    return embeddings + noise.to(embeddings)


def corrupt_trace(architecture: Architecture, batch: Batch) -> tuple[Trace, Context]:
    """The corrupted run."""
    return run_embeddings(architecture, corrupt_embeddings(architecture, batch), batch.mask)


def first_change(batch: Batch) -> int:
    """First position where clean and corrupted run of any example differ."""
    changed = batch.clean != batch.corrupt
    if batch.noise is not None:
        changed = changed | noise_positions(batch, batch.noise)
    return first_difference(changed, batch.last)


def corrupt_means(
    architecture: Architecture, batch: Batch, *, positional: bool, batch_size: int = 32
) -> Writes:
    """Mean output of every source over the corrupted runs; see `mean_writes`."""
    return mean_writes(
        architecture,
        batch.corrupt,
        batch.mask,
        positional=positional,
        batch_size=batch_size,
        embed=lambda rows: corrupt_embeddings(architecture, take(batch, rows)),
    )
