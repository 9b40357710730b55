"""The nouns of a task: prompt pairs, token batches, metrics, corruptions, tasks.

Everything here is a frozen record of plain values and functions. Nothing loads a model,
reads a file or draws a random number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitvar.tasks.shown import Shown


@dataclass(frozen=True)
class PromptPair:
    """One example: a clean prompt, its corrupted twin, and what counts as right and wrong."""

    clean: str
    corrupt: str
    """Same number of tokens as `clean`; what the patched value of an edge comes from."""
    answers: tuple[str, ...]
    """Continuations that are right on the clean prompt, with their leading space if any."""
    wrong_answers: tuple[str, ...]
    template: str = ""
    """Cluster id: prompts that share it are not independent draws."""
    roles: tuple[tuple[str, int, int], ...] = ()
    """(role, start, end): character spans of `clean` that play a named role."""
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, value): slot values and design labels, e.g. ("order", "ABBA")."""


@dataclass(frozen=True)
class GaussianNoise:
    """Noise on the embeddings of marked tokens (Meng et al. 2022, arXiv 2202.05262, sec. 2.1)."""

    amplitude: float = 3.0
    """In units of the standard deviation of the model's token-embedding entries; 3 is published."""
    roles: tuple[str, ...] = ()
    """Positions that get noise: the union of these roles of the batch."""
    seed: int = 0

    @property
    def key(self) -> str:
        """Amplitude, roles and seed in one word."""
        return f"gaussian-noise:{self.amplitude:g}:{'+'.join(self.roles)}:{self.seed}"

    @property
    def rationale(self) -> str:
        """What the noise removes."""
        return "Blurs the marked tokens' embeddings: removes their identity by degrees."


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Shown):
    """Tokenized examples. `tasks.tokens` builds, slices and pads them."""

    clean: Int[Tensor, "batch pos"]
    corrupt: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True on real tokens. Clean and corrupted twins share it: they have equal length."""
    answers: Int[Tensor, "batch answer"]
    """Token ids, padded with -1 where an example has fewer answers than the widest."""
    wrong_answers: Int[Tensor, "batch wrong"]
    last: Int[Tensor, " batch"]
    """Position whose next-token logits are read."""
    index: Int[Tensor, " batch"]
    """Example ids: position in the data set the batch was cut from."""
    templates: tuple[str, ...]
    """Cluster id per example."""
    roles: Mapping[str, Bool[Tensor, "batch pos"]] = field(default_factory=dict)
    """Role name -> the token positions that play it."""
    noise: GaussianNoise | None = None
    """Added to the embeddings of `corrupt` by whoever runs it; see `corruptions.with_noise`."""

    def __len__(self) -> int:
        return self.clean.shape[0]

    def _facts(self) -> Mapping[str, object]:
        templates, positions = len(set(self.templates)), self.clean.shape[1]
        return {"examples": len(self), "positions": positions, "templates": templates}


class MetricFn(Protocol):
    """Logits at the read-out position -> one number per example."""

    def __call__(
        self,
        logits: Float[Tensor, "batch vocab"],
        batch: Batch,
        reference: Float[Tensor, "batch vocab"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """One number per example."""
        ...


@dataclass(frozen=True)
class Metric:
    """What is measured on the output, one number per example."""

    key: str
    title: str
    fn: MetricFn
    unit: str
    """`logits`, `probability`, `nats` or `share`."""
    higher_is_better: bool = True
    """False for losses: the effect of an edge is then metric(patched) - metric(clean)."""
    answers_only: bool = False
    """True when only the logits of answer and wrong-answer tokens are read, so that `fn`
    may be called on those columns alone with ids remapped to columns."""
    needs_reference: bool = False
    """True when `fn` compares with the full model's clean logits."""
    differentiable: bool = True


class Sample(Protocol):
    """Draw prompt pairs. Same `rng` state, same pairs."""

    def __call__(
        self,
        n: int,
        *,
        rng: np.random.Generator,
        templates: tuple[str, ...] | None = None,
        corruption: str | None = None,
        pool: str = "all",
    ) -> tuple[PromptPair, ...]:
        """Exactly `n` pairs."""
        ...


@dataclass(frozen=True)
class Corruption:
    """A named recipe that turns a clean prompt into its corrupted twin."""

    key: str
    rationale: str
    """One line: which information it removes and which it keeps."""


@dataclass(frozen=True)
class Task:
    """A behaviour to audit: how to draw examples and how to score the answer."""

    key: str
    title: str
    sample: Sample
    templates: tuple[str, ...]
    """Template ids, in the order of the file."""
    corruptions: tuple[Corruption, ...]
    """The first one is the default."""
    metric: str = "logit_diff"
    """Key of the metric this task is usually judged by."""
    pools: tuple[str, ...] = ("all", "a", "b")
    """Slot pools; "a" and "b" are disjoint halves (the meta-dataset), "all" their union."""
    pocket: bool = False
    """True when the pocket tokenizer and models cover the task."""
    source: str = ""
    licence: str = ""
    version: int = 1
    distinct: bool = False
    """True when `sample` never repeats a row, as with files: a later draw may, so what a second
    draw repeats is left out."""
    rows: int = 0
    """Different rows of a file."""
    strict: bool = False
    """True where a prompt that cannot be used is an error and not left out."""
    known_edges: frozenset[str] = frozenset()
    """True circuit as edge names, for planted tasks."""
