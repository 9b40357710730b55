from importlib import import_module

import numpy as np
import pytest
from scipy import stats

from circuitvar.audit.edges import certificates as ct
from circuitvar.audit.edges.edge_summary import edge_summary
from circuitvar.audit.indices.phi import phi
from circuitvar.audit.intervals import bca_means, betting_sequence
from circuitvar.audit.intervals import confidence_sequence as cs
from circuitvar.audit.resampling.weights import bootstrap
from circuitvar.circuits.find import top_n_masks
from tests.audit.toy_scores import planted

fc = import_module("circuitvar.audit.edges.forecast")


def _truth(effect, n, size, rng, runs=20):
    means = effect + rng.normal(size=(runs, len(effect))) / np.sqrt(n)
    return phi(top_n_masks(means, size))


@pytest.mark.parametrize(
    ("effect", "tolerance"),
    [
        (np.zeros(4000), 0.06),
        (np.where(np.arange(4000) < 200, 0.5, 0.0), 0.05),
        (0.15 * stats.t(2).ppf((np.arange(4000) + 0.5) / 4000), 0.06),
    ],
    ids=["noise", "gap", "heavy"],
)
def test_forecast_finds_the_truth(effect, tolerance):
    rng = np.random.default_rng(0)
    found = [
        fc.forecast(
            edge_summary(effect + rng.normal(size=(200, 4000))),
            size=200, units=[100, 400, 800], rng=rng, draws=5,
        )["phi"]
        for _ in range(3)
    ]  # fmt: skip
    truth = [_truth(effect, n, 200, rng, runs=8) for n in (100, 400, 800)]
    np.testing.assert_allclose(np.mean(found, axis=0), truth, atol=tolerance)


@pytest.mark.parametrize(("kind", "units"), [("noise", 40), ("noise", 12), ("gap", 40)])
def test_forecasts_are_within_their_stated_error(kind, units):
    """Few units make t statistics heavy-tailed, which must not pass for effects."""
    rng = np.random.default_rng(units)
    effect = np.where(np.arange(300) < 20, 0.8 if kind == "gap" else 0.0, 0.0)
    inside = []
    for _ in range(8):
        summary = edge_summary(effect + rng.normal(size=(units, 300)))
        found = fc.forecast(summary, size=20, units=[units, 4 * units], rng=rng, draws=4)
        truth = [_truth(effect, n, 20, rng) for n in (units, 4 * units)]
        inside += (np.abs(found["phi"] - truth) <= found["error"]).tolist()
    assert np.mean(inside) >= 0.8


def test_the_band_of_a_forecast_is_its_stated_error():
    rng = np.random.default_rng(0)
    summary = edge_summary(planted(rng))
    found = fc.forecast(summary, size=8, units=[20, 200], rng=rng, draws=3)
    assert list(found.columns) == ["units", "phi", "error", "low", "high", "kind"]
    np.testing.assert_allclose(found["low"], np.maximum(found["phi"] - found["error"], -1))
    np.testing.assert_allclose(found["high"], np.minimum(found["phi"] + found["error"], 1))
    share = 8 / len(summary.mean)
    assert (found["error"] >= 1 / (8 * (1 - share))).all()
    none = fc.forecast(summary, size=8, units=[20], rng=rng, draws=3, error_repeats=0)
    assert np.isfinite(none["phi"]).all() and np.isnan(none["error"]).all()


@pytest.mark.parametrize("df", [1, 7, 23, 400])
def test_normal_scores_of_t_are_close_to_exact_and_turn_back(df):
    t = np.array([-6.0, -1.0, 0.0, 0.5, 3.0])
    z = fc.normal_score(t, df)
    exact = stats.norm.ppf(stats.t(df).cdf(t))
    np.testing.assert_allclose(z, exact, atol=0.12 if df == 1 else 0.02)
    np.testing.assert_allclose(fc.from_normal_score(z[None], df)[0], t, atol=1e-9)


def test_observed_points_are_unbiased():
    rng = np.random.default_rng(0)
    effect = np.where(np.arange(300) < 20, 0.5, 0.0)
    frames = [
        fc.observed_points(effect + rng.normal(size=(96, 300)), size=20, rng=rng, repeats=4)
        for _ in range(6)
    ]
    assert frames[0]["units"].tolist() == [6, 12, 24, 48]
    means = np.mean([frame["phi"] for frame in frames], axis=0)
    truth = [_truth(effect, n, 20, rng) for n in (6, 12, 24, 48)]
    np.testing.assert_allclose(means, truth, atol=0.05)


def test_template_blocks_and_templates_as_units():
    rng = np.random.default_rng(0)
    scores, label = planted(rng, n=120, templates=8)
    frame = fc.observed_points(scores, size=10, rng=rng, clusters=label, repeats=2)
    assert frame["units"].tolist() == [1, 2, 4]
    summary = edge_summary(scores, clusters=label)
    value = fc.forecast(summary, size=10, units=[8, 80], rng=rng, draws=4)["phi"]
    assert value[1] > value[0]


def test_prior_is_a_law_and_finds_a_point_mass():
    rng = np.random.default_rng(0)
    prior = fc.fit_prior(np.concatenate([rng.normal(size=2000), 50 + rng.normal(size=100)]))
    assert prior.mass.sum() == pytest.approx(1)
    assert prior.mass[np.abs(prior.grid) < 0.8].sum() > 0.9
    assert prior.mass[np.abs(prior.grid - 50) < 4].sum() == pytest.approx(100 / 2100, rel=0.1)
    draws = fc.posterior_draws(np.array([0.5, 50.0]), prior, 200, rng=rng)
    assert abs(draws[:, 1].mean() - 50) < 2
    assert np.abs(draws[:, 0]).mean() < 1.5


def test_constant_edges_stay_where_they_are():
    rng = np.random.default_rng(0)
    scores = np.concatenate([np.full((20, 3), 9.0), rng.normal(size=(20, 10))], axis=1)
    frame = fc.forecast(edge_summary(scores), size=3, units=[20], rng=rng, draws=3)
    assert frame["phi"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("options", "match"),
    [({"size": 0, "units": [5]}, "between 1 and 80"), ({"size": 5, "units": [0]}, "1 or more")],
)
def test_forecast_errors(options, match):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=match):
        fc.forecast(edge_summary(planted(rng)), rng=rng, **options)
    with pytest.raises(ValueError, match="at least 2 examples"):
        fc.forecast(edge_summary(planted(rng, n=1)), size=3, units=[5], rng=rng)


@pytest.mark.parametrize(
    ("p_delete", "single", "simultaneous"),
    [(0.5, 0, 0), (0.8, 3, 2), (0.9, 6, 6), (0.95, 13, 13), (0.99, 68, 66)],
)
def test_certificate_radii(p_delete, single, simultaneous):
    counts = np.zeros(32491, dtype=int)
    counts[0] = 1000
    for together, expected in ((False, single), (True, simultaneous)):
        found = ct.certify(counts, 1000, p_delete=p_delete, simultaneous=together)
        assert found.radius[[0, 1]].tolist() == [expected, expected]
        assert found.inside.sum() == 1
        assert found.abstention == 0


def test_certificates_abstain_and_refuse():
    found = ct.certify(np.array([500, 520]), 1000, p_delete=0.9)
    assert found.radius.tolist() == [-1, -1]
    assert found.abstention == 1
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ct.certify(np.array([1]), 10, p_delete=1.0)
    with pytest.raises(ValueError, match=r"leaves 0\.6 prompts"):
        ct.certified_circuit(planted(rng), rng=rng, size=5, p_delete=0.99)


def test_certified_circuit_of_a_clear_signal():
    rng = np.random.default_rng(0)
    scores = planted(rng, gap=20.0)
    found = ct.certified_circuit(scores, rng=rng, size=10, p_delete=0.8, replicates=300)
    assert found.inside.tolist() == [True] * 10 + [False] * 70
    assert found.radius.min() >= 1


def test_confidence_sequence_fixture():
    assert cs.asymptotic_rho(100) == pytest.approx(0.281712, abs=1e-6)
    assert cs.asymptotic_half_width(100, 1.0, t_star=100) == pytest.approx(0.303521, abs=1e-6)


def test_confidence_sequence_is_tightest_at_its_target():
    width = cs.asymptotic_half_width(1000, 1.0, t_star=np.array(1000))
    for other in (100, 8000):
        assert cs.asymptotic_half_width(1000, 1.0, t_star=other) > width


def test_peeking_is_safe():
    rng = np.random.default_rng(0)
    missed = fixed = 0
    for _ in range(200):
        x = rng.normal(size=800)
        low, high = cs.asymptotic_sequence(x, t_star=800)
        assert np.isinf(low[28])
        missed += bool(((low > 0) | (high < 0)).any())
        mean, t = np.cumsum(x) / np.arange(1, 801), np.arange(1, 801)
        fixed += bool((np.abs(mean[29:]) > 1.96 / np.sqrt(t[29:])).any())
    assert missed <= 14
    assert fixed > 50


@pytest.mark.parametrize(("bar", "low"), [(0.9, 0.3), (0.95, 0.0), (0.98, 0.0)])
def test_a_watched_verdict_on_coarse_values_is_right(bar, low):
    """The truth is at the bar; the sequence that leans on the normal law passed .10 to .55."""
    rng = np.random.default_rng(0)
    share = (bar - low) / (1 - low)
    decided = []
    for _ in range(150):
        values = np.where(rng.random(200) < share, 1.0, low)
        found = cs.stop_when_decided(values, bar=bar, budget=200, bounds=(-0.1, 1.0))
        decided.append(found.low > bar or found.high < bar)
    assert np.mean(decided) <= 0.05


def test_betting_sequence():
    rng = np.random.default_rng(0)
    missed = []
    for _ in range(100):
        values = rng.beta(4, 1, size=150)
        limits = np.array(list(betting_sequence(values, bounds=(0.0, 1.0), budget=150)))
        assert (np.diff(limits[:, 0]) >= 0).all() and (np.diff(limits[:, 1]) <= 0).all()
        assert limits[-1, 1] - limits[-1, 0] < 0.2
        missed.append(((limits[:, 0] > 0.8) | (limits[:, 1] < 0.8)).any())
    assert np.mean(missed) <= 0.05
    shifted = list(betting_sequence(2 * values - 1, bounds=(-1.0, 1.0), budget=150))
    np.testing.assert_allclose(shifted, 2 * limits - 1, atol=1e-12)
    mirrored = np.array(list(betting_sequence(1 - values, bounds=(0.0, 1.0), budget=150)))
    np.testing.assert_allclose(1 - mirrored[:, ::-1], limits, atol=1e-9)


@pytest.mark.parametrize("value", [1.2, float("nan")])
def test_betting_needs_values_inside_the_bounds(value):
    with pytest.raises(ValueError, match=r"value 1 is .*values lie between 0 and 1"):
        list(betting_sequence([0.5, value], bounds=(0.0, 1.0), budget=50))


def test_bernoulli_sequence_covers_under_peeking():
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(100):
        s = np.cumsum(rng.random(60) < 0.3)
        bounds = [cs.bernoulli_sequence(int(k), t + 1) for t, k in enumerate(s)]
        missed += any(not low <= 0.3 <= high for low, high in bounds)
    assert missed <= 8
    low, high = cs.bernoulli_sequence(7, 20)
    assert 0 < low < 0.35 < high < 1
    assert cs.bernoulli_sequence(0, 10)[0] == 0.0
    assert cs.bernoulli_sequence(10, 10)[1] == 1.0
    with pytest.raises(ValueError, match="counts must fit"):
        cs.bernoulli_sequence(3, 2)


def test_stopping_when_decided():
    rng = np.random.default_rng(0)
    clear = cs.stop_when_decided(iter(rng.normal(3, 1, size=500)), bar=0.0, budget=500)
    assert (clear.n, clear.low > 0) == (30, True)
    spent = cs.stop_when_decided(iter(rng.normal(0, 1, size=500)), bar=0.0, budget=100)
    assert spent.n == 100
    assert spent.low < 0 < spent.high
    close = cs.stop_when_decided(rng.normal(0, 1, size=500), bar=0.0, budget=500, precision=0.5)
    assert close.n < 100
    with pytest.raises(ValueError, match="decides nothing"):
        cs.stop_when_decided([1.0], bar=0.0, budget=5)
    with pytest.raises(ValueError, match="value 1 is nan"):
        cs.stop_when_decided([1.0, float("nan")], bar=0.0, budget=50)
    assert np.isinf(cs.stop_when_decided([1.0, 2.0], bar=0.0, budget=50).low * -1)


def test_bca_against_scipy():
    rng = np.random.default_rng(0)
    scores = rng.gamma(2, size=(60, 3))
    scores[:, 2] = 1.5
    low, high = bca_means(scores, bootstrap(60, 8000, rng=rng))
    for e in range(2):
        reference = stats.bootstrap(
            (scores[:, e],), np.mean, n_resamples=8000, method="BCa", random_state=1
        ).confidence_interval
        np.testing.assert_allclose([low[e], high[e]], reference, rtol=0.01)
    assert (low[2], high[2]) == (1.5, 1.5)
    with pytest.raises(ValueError, match="needs prompts as units"):
        bca_means(scores, bootstrap(60, 10, rng=rng, clusters=np.arange(60) % 6))
