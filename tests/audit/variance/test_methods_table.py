"""The table of methods against exact patching: known answers and degenerate inputs."""

from dataclasses import replace

import numpy as np
import pytest

from circuitvar.audit.variance.against_exact import OnExact, methods_table
from circuitvar.circuits.methods.catalog import get_method
from tests.shape_check import wrong_shapes

EAP = get_method("eap")
TEMPLATES = tuple("aabbccdd")


def effects() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([4.0, -3.0, 2.0, -1.0, 0.0]) + 0.1 * rng.normal(size=(8, 5))


def test_a_method_that_is_exact_has_no_error_and_full_agreement():
    exact = effects()
    row = methods_table([OnExact(EAP, exact)], exact, TEMPLATES, size=2).iloc[0]
    assert row["method"] == "eap"
    assert row["bias"] == row["bias_rms"] == row["noise_sd"] == 0
    assert row["rank"] == row["sign"] == row["overlap"] == row["sign_strongest"] == 1
    assert row["n"] == 8


def test_a_constant_shift_is_bias_and_alternating_error_is_noise():
    exact = effects()
    shifted = methods_table([OnExact(EAP, exact + 0.5)], exact, TEMPLATES, size=2).iloc[0]
    assert shifted["bias"] == pytest.approx(0.5)
    assert shifted["bias_rms"] == pytest.approx(0.5)
    assert shifted["noise_sd"] == pytest.approx(0, abs=1e-12)
    wobble = np.resize([1.0, -1.0], 8)[:, None]
    noisy = methods_table([OnExact(EAP, exact + wobble)], exact, TEMPLATES, size=2).iloc[0]
    assert noisy["bias"] == pytest.approx(0, abs=1e-12)
    assert noisy["noise_sd"] == pytest.approx(np.sqrt(8 / 7))


def test_noise_that_follows_the_effect_has_a_covariance():
    """h = (1 + a) c has Var(h) = (1 + a)^2 Var(c), so 2 Cov(c, d) = 2 a Var(c)."""
    exact = effects()
    spread = exact.var(axis=0, ddof=1).mean()
    for a in (0.5, -0.25):
        row = methods_table([OnExact(EAP, (1 + a) * exact)], exact, TEMPLATES, size=2).iloc[0]
        assert row["covariance"] == pytest.approx(2 * a * spread)
        whole = spread + row["noise_sd"] ** 2 + row["covariance"]
        assert whole == pytest.approx((1 + a) ** 2 * spread)


def test_flipped_signs_keep_the_ranking_by_size():
    exact = effects()
    row = methods_table([OnExact(EAP, -exact)], exact, TEMPLATES, size=2).iloc[0]
    assert row["rank"] == row["overlap"] == 1
    assert row["sign"] == row["sign_strongest"] == 0


def test_a_native_scale_has_no_bias_and_edges_without_effect_have_no_sign():
    exact = effects()
    exact[:, 4] = 0
    native = OnExact(replace(EAP, unit="native"), 7 * exact)
    row = methods_table([native], exact, TEMPLATES, size=2).iloc[0]
    assert np.isnan([row["bias"], row["bias_rms"], row["noise_sd"], row["covariance"]]).all()
    assert row["sign"] == 1
    none = methods_table([OnExact(EAP, exact)], 0 * exact, TEMPLATES, size=2).iloc[0]
    assert np.isnan(none["sign"])


def test_scores_of_other_prompts_are_refused():
    with wrong_shapes(), pytest.raises(ValueError, match="pass the same"):
        methods_table([OnExact(EAP, effects()[:4])], effects(), TEMPLATES, size=2)
