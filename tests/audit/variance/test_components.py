import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.edges.edge_summary import decision_table, mean_se
from circuitvar.audit.intervals.effective_df import jackknife_df
from circuitvar.audit.variance import component_intervals as ci
from circuitvar.audit.variance import variance_components as vc
from circuitvar.audit.variance.designs import cross, functional_anova, moment_components
from tests.shape_check import wrong_shapes

TABLE = np.array([[3.0, 5, 4], [6, 9, 9]])


def test_two_way_known_answer():
    c = vc.two_way(TABLE[:, :, None])
    np.testing.assert_allclose(c.mean_squares.ravel(), [24, 3.5, 0.5])
    np.testing.assert_allclose(c.values.ravel(), [7.833333333, 1.5, 0.5])
    total = ((TABLE - TABLE.mean()) ** 2).sum()
    assert 24 / total == pytest.approx(0.75)
    assert (24 - 0.5) / (total + 0.5) == pytest.approx(0.723077, abs=1e-6)
    np.testing.assert_allclose(c.shares.sum(axis=0), 1)


def test_mixed_model_gives_the_same_components():
    """REML of statsmodels, crossed through one group, on a balanced design: same numbers."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(3)
    y = 2 * rng.normal(size=(8, 1)) + rng.normal(size=(1, 10)) + 0.5 * rng.normal(size=(8, 10))
    row, column = (index.ravel() for index in np.indices(y.shape))
    frame = pd.DataFrame({"y": y.ravel(), "row": row, "column": column})
    factors = {"row": "0 + C(row)", "column": "0 + C(column)"}
    model = MixedLM.from_formula("y ~ 1", frame, groups=np.ones(len(frame)), vc_formula=factors)
    fitted = model.fit()
    found = dict(zip(model.exog_vc.names, fitted.vcomp, strict=True))
    ours = vc.two_way(y[:, :, None]).values.ravel()
    np.testing.assert_allclose(ours, [found["row"], found["column"], fitted.scale], rtol=2e-3)


def _nested(rng, t=9, p=6, r=3, edges=4):
    return (
        rng.normal(size=(t, 1, 1, edges))
        + rng.normal(size=(t, p, 1, edges)) * 0.7
        + rng.normal(size=(t, p, r, edges)) * 1.5
    )


def test_moment_estimator_equals_anova_on_balanced_designs():
    rng = np.random.default_rng(0)
    y = _nested(rng)
    t, p, _ = (index.ravel() for index in np.indices((9, 6, 3)))
    m = moment_components(y.reshape(-1, 4), {"template": t, "prompt": cross(t, p)})
    np.testing.assert_allclose(m.values, vc.nested(y).values, atol=1e-10)
    m = moment_components(y.reshape(-1, 4), {"template": t})
    np.testing.assert_allclose(m.values, vc.within_between(y.reshape(-1, 4), t)[0].values)


def test_moment_estimator_is_unbiased_with_missing_cells():
    rng = np.random.default_rng(0)
    a, b = (index.ravel() for index in np.indices((8, 10)))
    keep = rng.random(80) > 0.4
    edges = 20000
    y = 1.0 * rng.normal(size=(8, edges))[a] + 0.5 * rng.normal(size=(10, edges))[b]
    y += rng.normal(size=(80, edges)) * 0.8
    m = moment_components(y[keep], {"a": a[keep], "b": b[keep]})
    np.testing.assert_allclose(m.values.mean(axis=1), [1.0, 0.25, 0.64], atol=0.02)


def test_negative_components_are_kept_and_unbiased():
    rng = np.random.default_rng(0)
    c, between, within = vc.within_between(rng.normal(size=(60, 4000)), np.arange(60) % 6)
    assert (c.values[0] < 0).mean() > 0.4
    assert abs(c.of("between template").mean()) < 0.005
    assert (between, within) == (pytest.approx(1 / 6), pytest.approx(1 / 60))
    assert vc.design_effect(c, between, within).mean() == pytest.approx(1, abs=0.05)


def test_mixed_model_oracle():
    statsmodels = pytest.importorskip("statsmodels.formula.api")
    y = _nested(np.random.default_rng(4), edges=1)[:, :, 0]
    frame = pd.DataFrame({"y": y.ravel(), "t": np.repeat(np.arange(9), 6)})
    fit = statsmodels.mixedlm("y ~ 1", frame, groups="t").fit(reml=True)
    c = vc.nested(y[:, :, None])
    assert c.names == ("template", "prompt")
    np.testing.assert_allclose(
        [float(fit.cov_re.iloc[0, 0]), fit.scale], c.values.ravel(), rtol=1e-3
    )


def test_constant_edges_have_exactly_zero_variance():
    y = np.full((3, 4, 2), 1e6)
    np.testing.assert_array_equal(vc.two_way(y).values, np.zeros((3, 2)))
    assert np.isnan(vc.two_way(y).shares).all()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: vc.two_way(TABLE), "needs 3, edges last"),
        (lambda: vc.two_way(np.ones((1, 3, 2))), r"at least \(2, 2\) levels"),
        (lambda: vc.within_between(np.ones((4, 1)), ["a"] * 4), "share one template"),
        (lambda: vc.within_between(np.ones((3, 1)), "abc"), "one prompt"),
        (lambda: vc.two_way(TABLE[:, :, None]).of("x"), "no component 'x'"),
        (lambda: moment_components(np.ones((3, 1)), {"a": [0, 0, 0]}), "single level"),
        (lambda: moment_components(np.ones((3, 1)), {"a": [0, 1]}), "2 labels for 3 rows"),
        (
            lambda: moment_components(np.ones((4, 1)), {"a": [0, 0, 1, 1], "b": [0, 0, 1, 1]}),
            "confounded",
        ),
        (lambda: moment_components(np.ones((3, 1)), {"a": [0, 1, 2]}), "confounded"),
    ],
)
def test_component_errors(call, match):
    with wrong_shapes(), pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize("method", ["mls", "satterthwaite"])
def test_component_interval_coverage(method):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12, 1, 3000)) + 1.5 * rng.normal(size=(12, 10, 3000))
    c = vc.nested(y[:, :, None])
    low, high = ci.component_interval(c, "template", method=method)
    assert 0.93 < ((low < 1) & (high > 1)).mean() < 0.975
    low, high = ci.component_interval(c, "prompt", method=method)
    assert 0.94 < ((low < 2.25) & (high > 2.25)).mean() < 0.96


@pytest.mark.parametrize("templates", [12, 30])
@pytest.mark.parametrize("law", ["normal", "t3"])
def test_component_intervals_hold_under_heavy_tails(templates, law):
    rng = np.random.default_rng(templates)

    def effects(*size):
        return rng.normal(size=size) if law == "normal" else rng.standard_t(3, size) / 3**0.5

    y = effects(templates, 1, 1500) + 1.5 * effects(templates, 10, 1500)
    c = vc.nested(y[:, :, None])
    for name, truth in (("template", 1.0), ("prompt", 2.25)):
        for normal in (False, True):
            low, high = ci.component_interval(c, name, normal=normal)
            share = float(((low <= truth) & (high >= truth)).mean())
            assert share < 0.85 if law == "t3" and normal else 0.93 <= share < 0.975


def test_effective_degrees_of_freedom_never_exceed_the_nominal_ones():
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, size=(9, 6, 2, 40))
    for c in (vc.nested(y), vc.nested(y[:, :, :1]), vc.two_way(y[:, :, 0])):
        assert len(c.effective_df) == len(c.names) == len(c.df)
        assert all(
            0 < worth <= nominal + 1e-9 for worth, nominal in zip(c.effective_df, c.df, strict=True)
        )
    constant = vc.nested(np.ones((9, 6, 1, 3)))
    assert constant.effective_df == constant.df == (8, 45)
    few = vc.nested(rng.standard_t(3, (4, 5, 1, 50)))
    assert few.effective_df == (3, 16)


def test_unequal_templates_get_effective_degrees_of_freedom():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(12), rng.integers(2, 9, 12))
    heavy = rng.standard_t(3, (12, 800))[label] + rng.standard_t(3, (len(label), 800))
    c = vc.within_between(heavy, label)[0]
    for worth, nominal in zip(c.effective_df, c.df, strict=True):
        assert 1 <= worth < 0.75 * nominal
    assert vc.within_between(heavy[:, ::-1], label)[0].effective_df == pytest.approx(c.effective_df)
    order = rng.permutation(len(label))
    shuffled = vc.within_between(heavy[order], label[order])[0]
    assert shuffled.effective_df == pytest.approx(c.effective_df)


def test_heavy_tails_are_flagged():
    heavy = np.random.default_rng(0).standard_t(3, size=(12, 1, 1, 500)) + np.zeros((12, 4, 1, 1))
    heavy = heavy + np.random.default_rng(1).normal(size=(12, 4, 1, 500))
    text = ci.component_estimate(vc.nested(heavy), "template").interval
    assert "heavy tails: 11 degrees of freedom count as" in text


def test_component_estimate_and_errors():
    c = vc.nested(_nested(np.random.default_rng(0)))
    estimate = ci.component_estimate(c, "template")
    assert estimate.low < estimate.value < estimate.high
    assert estimate.interval.startswith("modified large sample")
    assert "leans on normal" not in estimate.interval
    few = ci.component_estimate(vc.nested(_nested(np.random.default_rng(0))[:5]), "template")
    assert "5 levels: leans on normal effects" in few.interval
    with pytest.raises(ValueError, match="no component 'x'"):
        ci.component_interval(c, "x")
    with pytest.raises(ValueError, match="choose 'mls'"):
        ci.component_interval(c, "template", method="bootstrap")
    m = moment_components(TABLE.reshape(6, 1), {"a": [0, 0, 0, 1, 1, 1]})
    with pytest.raises(ValueError, match="no mean squares"):
        ci.component_interval(m, "a")


def test_decision_study_known_answers():
    assert float(mean_se(0.5, 1, 2, sizes=(12, 100, 2))) == pytest.approx(0.208, abs=5e-4)
    assert float(mean_se(0.5, 1, 2, sizes=(48, 10, 2))) == pytest.approx(0.121, abs=5e-4)
    table = decision_table(0.5, 1.0, 2.0, designs=[(12, 100), (48, 10)], draws=2)
    assert table["prompts"].tolist() == [1200, 480]
    assert table["se"][1] < table["se"][0]
    assert float(mean_se(-0.5, 1.0, sizes=(4, 1, 1))) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="1 or more"):
        mean_se(1, 1, sizes=(0, 1, 1))


def test_functional_anova_known_answer():
    a, b = np.array([-1.0, 0, 1])[:, None], np.array([-1.0, 1])[None, :]
    f = functional_anova(a + 2 * b + 0.5 * a * b, ("a", "b"))
    shares = [float(f.share(*effect)[0]) for effect in (("a",), ("b",), ("a", "b"))]
    np.testing.assert_allclose(shares, [0.137931, 0.827586, 0.034483], atol=1e-6)
    assert float(f.total_share("a")[0]) == pytest.approx(0.137931 + 0.034483, abs=1e-6)


def test_functional_anova_shares_sum_to_the_total_variance():
    grid = np.random.default_rng(0).normal(size=(3, 4, 2, 5))
    f = functional_anova(grid, ("method", "ablation", "steps"))
    assert len(f.variance) == 7
    np.testing.assert_allclose(f.total, grid.reshape(-1, 5).var(axis=0), atol=1e-12)
    assert np.isnan(functional_anova(np.ones((2, 2)), ("a", "b")).share("a")).all()
    with pytest.raises(ValueError, match="missing cells"):
        functional_anova(np.full((2, 2), np.nan), ("a", "b"))
    with pytest.raises(ValueError, match="one axis per factor"):
        functional_anova(np.ones(3), ("a", "b"))
    with pytest.raises(ValueError, match="no effect 'x'"):
        f.share("x")
    with pytest.raises(ValueError, match="no factor 'x'"):
        f.total_share("x")


def test_worth_of_a_jackknife_by_its_own_jackknife():
    """An SE that one group decides is worth little; equal and few groups count as normal."""
    rng = np.random.default_rng(0)
    normal = np.mean([jackknife_df(rng.normal(size=20)) for _ in range(200)])
    heavy = np.mean([jackknife_df(rng.standard_t(2, size=20)) for _ in range(200)])
    assert heavy < normal / 1.5
    assert jackknife_df(np.ones(10)) == 9.0
    assert jackknife_df(np.array([0.0, 0.0, 0.0, 1.0])) == 3.0
    assert jackknife_df(np.r_[np.zeros(9), 1.0]) == 2.0
    values = rng.normal(size=12)
    assert jackknife_df(3 * values + 1) == pytest.approx(jackknife_df(values[::-1]))
