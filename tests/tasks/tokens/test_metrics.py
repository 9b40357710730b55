"""Metrics: numbers worked out by hand, invariances, and the sign of damage."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.tasks.tokens.batching import TokenRow, pack
from circuitvar.tasks.tokens.metrics import METRICS, damage, get_metric
from circuitvar.tasks.types import Batch


def batch(answers: list[tuple[int, ...]], wrong: list[tuple[int, ...]]) -> Batch:
    return pack(
        [TokenRow((0,), (1,), a, w, i) for i, (a, w) in enumerate(zip(answers, wrong, strict=True))]
    )


LOGITS = torch.tensor([[1.0, 4.0, 2.0, 0.0], [3.0, 1.0, 1.0, 5.0]])
HAND = [
    ("logit_diff", [(1,), (0, 3)], [(2,), (1,)], [2.0, 3.0]),
    ("accuracy", [(1,), (0,)], [(2,), (3,)], [1.0, 0.0]),
    ("accuracy", [(1,), (1,)], [(2,), (2,)], [1.0, 0.0]),
    ("flip", [(0,), (0,)], [(1,), (1,)], [0.0, 1.0]),
]


@pytest.mark.parametrize(("key", "right", "wrong", "expected"), HAND)
def test_values_worked_out_by_hand(key, right, wrong, expected):
    reference = torch.tensor([[0.0, 9.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]])
    values = get_metric(key).fn(LOGITS, batch(right, wrong), reference)
    np.testing.assert_allclose(values.numpy(), expected)


def test_probabilities_are_summed_over_the_sets():
    logits = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    one = batch([(0, 3)], [(1,)])
    np.testing.assert_allclose(get_metric("prob_diff").fn(logits, one).item(), 0.3, rtol=1e-6)
    np.testing.assert_allclose(
        get_metric("log_prob").fn(logits, one).item(), math.log(0.5), rtol=1e-6
    )


def test_kl_in_nats_summed_over_tokens():
    full = torch.log(torch.tensor([[0.5, 0.5]]))
    run = torch.log(torch.tensor([[0.25, 0.75]]))
    value = get_metric("kl").fn(run, batch([(0,)], [(1,)]), full).item()
    np.testing.assert_allclose(value, 0.5 * math.log(2) + 0.5 * math.log(2 / 3), rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 1000))
def test_no_metric_sees_a_constant_added_to_all_logits(shift, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    reference = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    examples = batch([(0,), (1, 2), (3,)], [(4,), (5,), (6, 0)])
    for metric in METRICS:
        np.testing.assert_allclose(
            metric.fn(logits + shift, examples, reference).numpy(),
            metric.fn(logits, examples, reference).numpy(),
            atol=1e-9,
        )


def test_answers_only_metrics_agree_on_the_answer_columns_alone():
    examples = batch([(5, 2), (1,)], [(3,), (4,)])
    columns = batch([(0, 1), (0,)], [(2,), (1,)])
    logits = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    narrow = torch.stack([logits[0, [5, 2, 3]], logits[1, [1, 4, 0]]])
    for metric in METRICS:
        if metric.answers_only:
            torch.testing.assert_close(metric.fn(logits, examples), metric.fn(narrow, columns))


def test_the_full_model_compared_with_itself_has_no_loss():
    for key in ("kl", "flip"):
        values = get_metric(key).fn(LOGITS, batch([(0,), (0,)], [(1,), (1,)]), LOGITS)
        np.testing.assert_allclose(values.numpy(), 0.0, atol=1e-6)


def test_damage_is_positive_when_patching_hurts():
    better, worse = batch([(1,)], [(2,)]), torch.tensor([[0.0, 1.0, 1.5]])
    clean = torch.tensor([[0.0, 4.0, 1.0]])
    for metric in METRICS:
        hurt = damage(metric, metric.fn(clean, better, clean), metric.fn(worse, better, clean))
        assert hurt.item() > 0, metric.key


def test_unknown_metric_names_the_allowed_ones():
    with pytest.raises(ValueError, match=r"unknown metric 'logit_dif'.*did you mean 'logit_diff'"):
        get_metric("logit_dif")


def test_missing_wrong_answers_and_reference_are_errors():
    with pytest.raises(ValueError, match="1 of 2 examples have no wrong answer"):
        get_metric("logit_diff").fn(LOGITS, batch([(0,), (1,)], [(2,), ()]))
    with pytest.raises(ValueError, match="2 of 2 examples have no wrong answer"):
        get_metric("prob_diff").fn(LOGITS, batch([(0,), (1,)], [(), ()]))
    with pytest.raises(ValueError, match="metric 'kl' compares with the full model"):
        get_metric("kl").fn(LOGITS, batch([(0,), (1,)], [(2,), (2,)]))
