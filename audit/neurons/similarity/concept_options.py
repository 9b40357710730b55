"""Choices that can change a label, a set or a verdict, and which concepts they make eligible."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from circuitvar.audit.neurons.similarity.cluster_resampling import Scheme
from circuitvar.audit.neurons.similarity.similarity_metrics import DEFAULT_RANKING


@dataclass(frozen=True)
class ConceptOptions:
    """Everything that can change a label, a set or a verdict besides the data."""

    metrics: tuple[str, ...] = DEFAULT_RANKING
    """The first one ranks; the others are asked whether they agree."""
    replicates: int = 1000
    """Resamples of the clusters that vote."""
    new_replicates: int = 200
    """Half-size resamples for S_new."""
    held_replicates: int = 200
    """Resamples of the second half, for the interval of the held-out score."""
    set_replicates: int = 400
    """Of the `replicates`, how many the pairwise comparisons of S_maxt use."""
    alpha: float = 0.05
    """Error rate of sets, intervals and certificates."""
    quantile: float | None = 0.05
    """Share of samples on which a unit counts as active; None uses `threshold`."""
    threshold: float = 0.0
    """Activation above which a unit is active where `quantile` is None."""
    scheme: Scheme = "multinomial"
    """How clusters are resampled; see `cluster_weights`."""
    alias_threshold: float = 0.95
    """|phi| from which two concepts are one class."""
    min_prompts: int = 10
    """A concept needs this many prompts with it, and as many without, to be eligible."""
    null_draws: int = 40
    """Sets of null concepts that the best of all concepts is compared with."""
    vote_bar: float = 0.95
    """Share of the votes that a stable label wins."""
    interval_metric: str = "iou"
    """Metric of S_ci and of the certificate; must have a finite-sample interval."""


def powered_concepts(
    prompts: Int[np.ndarray, "2 concept"], options: ConceptOptions
) -> Bool[np.ndarray, " concept"]:
    """Concepts present in, and absent somewhere in, at least `min_prompts` prompts."""
    return prompts.min(axis=0) >= options.min_prompts
