"""The behaviour gate and the self-check of models."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from scipy import stats

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.intervals import mean_interval
from circuitvar.circuits.loading.load import load_model, wrap
from circuitvar.circuits.loading.self_check import count_edges, require_self_check, self_check
from circuitvar.circuits.scores.behaviour import measure_behaviour, require_behaviour
from circuitvar.tasks.tokens.metrics import get_metric
from tests.circuits.toy_scoring import FAMILIES, LOGIT_DIFF, build, toy_batch, toy_model

module = import_module("circuitvar.circuits.loading.self_check")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_passes_every_check(family):
    for check in self_check(toy_model(family)):
        assert check.passed, check
        assert check.residual <= 1e-4


def test_count_of_edges():
    assert count_edges(Graph(12, 12)) == 32_491
    assert count_edges(Graph(12, 12, parallel=True)) == 32_347
    assert count_edges(Graph(24, 14, n_kv_heads=2)) == 79_813
    assert count_edges(Graph(32, 32, n_kv_heads=8)) == 805_681


def test_an_unlisted_architecture_that_is_computed_rightly_loads():
    from transformers import Starcoder2Config, Starcoder2ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Starcoder2Config(
        **shape, num_key_value_heads=2, intermediate_size=24, vocab_size=40, pad_token_id=0
    )
    assert wrap(Starcoder2ForCausalLM(config), name="starcoder2").graph.n_layers == 2


def test_an_unlisted_architecture_that_is_not_is_refused():
    from transformers import GraniteConfig, GraniteForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = GraniteConfig(
        **shape, intermediate_size=24, vocab_size=40, residual_multiplier=0.5, pad_token_id=0
    )
    with pytest.raises(ValueError, match=r"GraniteForCausalLM is not supported.*error of \d"):
        wrap(GraniteForCausalLM(config), name="granite")


def test_a_failed_check_is_named_with_its_residual(monkeypatch):
    monkeypatch.setattr(module, "reconstruction_error", lambda model, batch: 0.25)
    with pytest.raises(ValueError, match=r"'source sums'.*gives 0\.25, at most 1e-04"):
        require_self_check(toy_model("gpt2"))


def test_gap_and_interval_by_hand():
    model, batch = toy_model("gpt2"), toy_batch(6)
    found = measure_behaviour(model, batch, metric=LOGIT_DIFF, batch_size=4)
    with torch.no_grad():
        clean, corrupt = (
            LOGIT_DIFF.fn(model.hf(t).logits[:, -1], batch) for t in (batch.clean, batch.corrupt)
        )
    drop = (clean - corrupt).numpy().astype(float)
    half = stats.t.ppf(0.975, 5) * drop.std(ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(
        [found.gap, found.low, found.high],
        [drop.mean(), drop.mean() - half, drop.mean() + half],
        atol=1e-5,
    )
    assert found.accuracy == pytest.approx(float((clean > 0).float().mean()))
    assert (found.over, found.n_units, found.n) == ("prompt", 6, 6)


def test_with_templates_the_interval_rests_on_them():
    batch = replace(toy_batch(8), templates=tuple("aabbccdd"))
    found = measure_behaviour(toy_model("gpt2"), batch, metric=LOGIT_DIFF)
    drop = found.metric_clean - found.metric_corrupt
    means = drop.reshape(4, 2).mean(1)
    assert found.gap == pytest.approx(means.mean(), abs=1e-5)
    assert (found.over, found.n_units) == ("template", 4)
    assert found.low == pytest.approx(mean_interval(means, 0.95)[1], abs=1e-4)


def test_every_prompt_weighs_the_same_in_the_gap():
    """Five prompts of one template, one of each other: the gap that faithfulness divides by."""
    batch = replace(toy_batch(8), templates=tuple("aaaaabcd"))
    found = measure_behaviour(toy_model("gpt2"), batch, metric=LOGIT_DIFF)
    drop = found.metric_clean - found.metric_corrupt
    assert found.gap == pytest.approx(drop.mean(), abs=1e-5)
    assert (found.over, found.n_units) == ("template", 4)
    # The ratio jackknife of sums over sizes, to first order.
    sums, sizes = np.array([drop[:5].sum(), *drop[5:]]), np.array([5, 1, 1, 1])
    se = np.std((sums - drop.mean() * sizes) * 4 / 8, ddof=1) / 2
    half = stats.t.ppf(0.975, 3) * se
    np.testing.assert_allclose(
        [found.low, found.high], [drop.mean() - half, drop.mean() + half], atol=1e-4
    )


def test_losses_have_a_positive_gap():
    found = measure_behaviour(toy_model("gpt2"), toy_batch(4), metric=get_metric("kl"))
    assert found.gap > 0
    np.testing.assert_allclose(found.metric_clean, 0.0, atol=1e-6)


def test_weak_behaviour_is_refused_with_the_numbers_unless_allowed():
    found = measure_behaviour(toy_model("gpt2"), toy_batch(6), metric=LOGIT_DIFF)
    weak = replace(found, right=np.arange(6) < 3, gap=0.1, low=-0.2, high=0.4)
    with pytest.raises(ValueError, match=r"does not do 'ioi': accuracy 50% on 6 prompts.*\[-0\.2"):
        require_behaviour(weak, task="ioi")
    require_behaviour(weak, task="ioi", allow_weak=True)
    require_behaviour(replace(found, right=np.ones(6, dtype=bool), low=0.1), task="ioi")


def test_one_template_or_one_example_decides_nothing():
    mean, low, high = mean_interval(np.array([2.0]), 0.95)
    assert (mean, low, high) == (2.0, -np.inf, np.inf)
    one = measure_behaviour(toy_model("gpt2"), toy_batch(1), metric=LOGIT_DIFF)
    assert one.weak


def test_low_precision_scores_stay_close_to_float32():
    from circuitvar.circuits.methods.gradient.eap import eap
    from circuitvar.circuits.types import ScoreOptions

    batch = toy_batch(3)
    full = eap(toy_model("llama"), batch, metric=LOGIT_DIFF, options=ScoreOptions()).values
    half_model = wrap(build("llama").to(torch.bfloat16), name="half")
    half = eap(half_model, batch, metric=LOGIT_DIFF, options=ScoreOptions()).values
    assert half.dtype == torch.float32
    assert float((half - full).norm() / full.norm()) < 0.2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("poket", "pocket"),
        ("pockett:3", "pocket"),
        ("gpt-2", "gpt2"),
        ("attn-only-5l", "attn-only"),
    ],
)
def test_a_slip_is_answered_before_any_network_is_asked(name, meant, monkeypatch):
    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", None)
    with pytest.raises(ValueError, match=f"unknown model '{name}'; did you mean '{meant}"):
        load_model(name)
