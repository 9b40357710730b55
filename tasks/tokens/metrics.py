"""What is measured on the output, one number per example.

Every metric reads the next-token logits at the read-out position. Padding ids (-1) in
`Batch.answers` and `Batch.wrong_answers` are ignored. Losses (`kl`, `flip`) are marked
`higher_is_better=False`; `damage` turns any metric into "positive = patching hurt".
"""

from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuitvar.tasks.lookup import by_key
from circuitvar.tasks.types import Batch, Metric

Values = TypeVar("Values", Tensor, np.ndarray, float)
Logits = Float[Tensor, "batch vocab"]
PerExample = Float[Tensor, " batch"]
_Answers = Float[Tensor, "batch answer"]
_Real = Bool[Tensor, "batch answer"]


def _columns(logits: Logits, ids: Int[Tensor, "batch answer"], side: str) -> tuple[_Answers, _Real]:
    """Values of `logits` in the columns `ids`, and which of them are not padding."""
    real = ids >= 0
    empty = ~real.any(dim=1)
    if ids.shape[1] == 0 or bool(empty.any()):
        count = int(empty.sum()) if ids.shape[1] else len(ids)
        raise ValueError(
            f"{count} of {len(ids)} examples have no {side}, which this metric compares; "
            "give every example at least one, or use `log_prob` or `kl`"
        )
    return logits.gather(1, ids.clamp(min=0)), real


def _mean(values: _Answers, real: _Real) -> Tensor:
    return torch.where(real, values, 0.0).sum(dim=1) / real.sum(dim=1)


def _best(values: _Answers, real: _Real) -> Tensor:
    return values.masked_fill(~real, -torch.inf).amax(dim=1)


def _need(reference: Tensor | None, name: str) -> Tensor:
    if reference is None:
        raise ValueError(
            f"metric {name!r} compares with the full model: pass its clean logits as `reference`"
        )
    return reference


def logit_diff(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """Mean logit of the answers minus mean logit of the wrong answers, in logits.

    With one answer each this is the logit difference of Wang et al. 2022 (arXiv 2211.00593).
    """
    right = _mean(*_columns(logits, batch.answers, "answer"))
    return right - _mean(*_columns(logits, batch.wrong_answers, "wrong answer"))


def prob_diff(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """Total probability of the answers minus that of the wrong answers, in [-1, 1].

    The probability difference of Hanna et al. 2023 (arXiv 2305.00586), section 2.
    """
    probs = logits.softmax(dim=-1)
    right, is_right = _columns(probs, batch.answers, "answer")
    wrong, is_wrong = _columns(probs, batch.wrong_answers, "wrong answer")
    return torch.where(is_right, right, 0.0).sum(1) - torch.where(is_wrong, wrong, 0.0).sum(1)


def log_prob(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """Log of the total probability of the answers, in nats; wrong answers are not read."""
    values, real = _columns(logits.log_softmax(dim=-1), batch.answers, "answer")
    return values.masked_fill(~real, -torch.inf).logsumexp(dim=1)


def kl(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """KL(full model || this run) of the next-token distribution, in nats (summed over tokens).

    Zero for the full model itself. MIB divides by the vocabulary size; this does not.
    """
    full = _need(reference, "kl").log_softmax(dim=-1)
    return (full.exp() * (full - logits.log_softmax(dim=-1))).sum(dim=-1)


def accuracy(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """1 where the best answer beats the best wrong answer, else 0; a tie counts as wrong."""
    right = _best(*_columns(logits, batch.answers, "answer"))
    wrong = _best(*_columns(logits, batch.wrong_answers, "wrong answer"))
    return (right > wrong).to(logits.dtype)


def flip(logits: Logits, batch: Batch, reference: Logits | None = None) -> PerExample:
    """1 where the most likely token differs from the full model's, else 0 (circuit error)."""
    full = _need(reference, "flip").argmax(dim=-1)
    return (logits.argmax(dim=-1) != full).to(logits.dtype)


_LOSS = {"higher_is_better": False, "needs_reference": True}
_FLIPS = "Circuit error (share of changed predictions)"
METRICS: tuple[Metric, ...] = (
    Metric("logit_diff", "Logit difference", logit_diff, "logits", answers_only=True),
    Metric("prob_diff", "Probability difference", prob_diff, "probability"),
    Metric("log_prob", "Log probability of the answer", log_prob, "nats"),
    Metric("kl", "KL divergence from the full model", kl, "nats", **_LOSS),
    Metric("accuracy", "Accuracy", accuracy, "share", answers_only=True, differentiable=False),
    Metric("flip", _FLIPS, flip, "share", **_LOSS, differentiable=False),
)


def get_metric(key: str) -> Metric:
    """The metric called `key`.

    >>> get_metric("kl").unit
    'nats'

    Raises
    ------
    ValueError
        No metric has this key.
    """
    return by_key("metric", key, METRICS)


def damage(metric: Metric, clean: Values, patched: Values) -> Values:
    """How much patching hurt, in units of the metric; positive = the behaviour got worse.

    metric(clean) - metric(patched) where more is better, the reverse for losses.

    >>> damage(get_metric("logit_diff"), 3.0, 1.0), damage(get_metric("kl"), 0.0, 0.5)
    (2.0, 0.5)
    """
    return clean - patched if metric.higher_is_better else patched - clean
