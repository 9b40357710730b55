from importlib import import_module

import numpy as np
import pytest

from circuitvar.audit.intervals import group_jackknife
from circuitvar.audit.variance import against_exact as ap
from circuitvar.audit.variance.variance_components import within_between
from tests.shape_check import wrong_shapes

lg = import_module("circuitvar.audit.variance.ledger")


def _scores(rng, n=60, templates=6, edges=40):
    label = np.arange(n) % templates
    exact = rng.normal(size=edges) + rng.normal(size=(templates, edges))[label] * 0.6
    exact = exact + rng.normal(size=(n, edges))
    return exact + 0.2 + 0.4 * rng.normal(size=(n, edges)), exact, label


def test_error_split_by_hand():
    e = ap.approximation_error(np.array([[2.0], [4.0]]), np.array([[1.0], [2.0]]))
    values = [e.bias, e.bias_squared, e.noise_variance, e.covariance]
    assert [float(v[0]) for v in values] == [1.5, 2.0, 0.5, 0.5]


def test_split_adds_up():
    h, c, _ = _scores(np.random.default_rng(0))
    e = ap.approximation_error(h, c)
    method_variance = c.var(axis=0, ddof=1) + e.noise_variance + 2 * e.covariance
    np.testing.assert_allclose(method_variance, h.var(axis=0, ddof=1))
    mean_square = ((h - c) ** 2).mean(axis=0)
    np.testing.assert_allclose(mean_square, e.bias**2 + e.noise_variance * 59 / 60)
    same = ap.approximation_error(c, c)
    assert not same.bias.any()
    assert not same.noise_variance.any()


@pytest.mark.parametrize(
    ("h", "c", "match"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), "differ in shape"),
        (np.ones((1, 3)), np.ones((1, 3)), "one example"),
        (np.array([[1.0], [np.nan]]), np.ones((2, 1)), "scores are not finite at example 1"),
    ],
)
def test_approximation_errors(h, c, match):
    with wrong_shapes(), pytest.raises(ValueError, match=match):
        ap.approximation_error(h, c)


def test_agreement_with_exact_of_itself_is_perfect():
    _, c, label = _scores(np.random.default_rng(0))
    found = ap.agreement_with_exact(c, c, top=8, rng=np.random.default_rng(0), clusters=label)
    np.testing.assert_allclose([e.value for e in found], 1)
    np.testing.assert_allclose([e.low for e in found], 1)
    flipped = ap.agreement_with_exact(-c, c, top=8, rng=np.random.default_rng(0))
    np.testing.assert_allclose([e.value for e in flipped], [-1, 1, 0, 1])


def test_group_jackknife_of_a_mean_is_the_standard_error():
    y = np.random.default_rng(0).normal(size=15)
    (e,) = group_jackknife(
        lambda w: np.array([w @ y]), 15, names=("m",), rng=np.random.default_rng(1)
    )
    assert e.se == pytest.approx(y.std(ddof=1) / np.sqrt(15), rel=1e-5)
    (few,) = group_jackknife(
        lambda w: np.array([w @ y]), 15, names=("m",), clusters=np.arange(15) % 2,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert np.isnan(few.low)
    with pytest.raises(ValueError, match="1 values for 2 names"):
        group_jackknife(
            lambda w: np.array([w @ y]), 15, names=("a", "b"), rng=np.random.default_rng(1)
        )


def test_ledger_shares_sum_to_the_total():
    rng = np.random.default_rng(0)
    h, c, label = _scores(rng)
    parts = lg.sampling_parts(h, exact=c, clusters=label, rng=rng)
    parts += (
        lg.choice_part(rng.normal(size=(5, 40)), "method"),
        lg.choice_part(rng.normal(size=(4, 40)), "training seed", layer="L5"),
    )
    groups = {"all": np.ones(40, dtype=bool), "core": np.arange(40) < 5}
    frame = lg.ledger(parts, groups=groups)
    assert frame["layer"].unique().tolist() == ["L0", "L1", "L2", "L4", "L5"]
    np.testing.assert_allclose(frame.groupby("group")["share"].sum(), 1)
    summed = frame.groupby("group")["variance"].sum()
    np.testing.assert_allclose(summed, frame.groupby("group")["total"].first())
    assert (frame["negative"] == (frame["variance"] < 0)).all()
    known = frame[frame["share_low"].notna()]
    assert ((known["share_low"] < known["share"]) & (known["share"] < known["share_high"])).all()
    components = lg.components_of(frame, group="core")
    assert sum(component.share for component in components) == pytest.approx(1)
    with pytest.raises(ValueError, match="no edge group 'x'"):
        lg.components_of(frame, group="x")


def test_sampling_lines_are_the_sampling_variance_of_the_mean():
    rng = np.random.default_rng(0)
    h, c, label = _scores(rng)
    with_exact = lg.sampling_parts(h, exact=c, clusters=label, rng=rng)
    with_exact = [part for part in with_exact if part.source != "bias² of the method"]
    without = lg.sampling_parts(h, clusters=label, rng=rng)
    components, c_between, c_within = within_between(h, label)
    expected = components.values[0] * c_between + components.values[1] * c_within
    for parts in (with_exact, without):
        np.testing.assert_allclose(sum(p.variance for p in parts), expected)
    plain = lg.sampling_parts(h, rng=rng)
    np.testing.assert_allclose(plain[0].variance, h.var(axis=0, ddof=1) / 60)


def test_ledger_recovers_planted_components():
    rng = np.random.default_rng(1)
    edges, label = 4000, np.arange(200) % 10
    exact = rng.normal(size=(10, edges))[label] * 0.5 + rng.normal(size=(200, edges))
    h = exact + 0.3 + 0.5 * rng.normal(size=(200, edges))
    parts = lg.sampling_parts(h, exact=exact, clusters=label, rng=rng)
    means = [float(part.variance.mean()) for part in parts]
    np.testing.assert_allclose(means, [1 / 200, 0.25 / 200, 0, 0.09, 0.25 / 10], atol=1.5e-3)


def test_ledger_errors_and_one_run():
    with pytest.raises(ValueError, match="give at least 2"):
        lg.choice_part(np.ones((1, 3)), "method")
    with pytest.raises(ValueError, match="without lines"):
        lg.ledger([])
    with pytest.raises(ValueError, match="nothing within templates"):
        lg.sampling_parts(np.ones((3, 2)), clusters="abc", rng=np.random.default_rng(0))
    constant = lg.ledger([lg.Part("L0", "prompts", np.zeros(3))])
    assert np.isnan(constant["share"][0])


def test_only_levels_that_are_a_sample_have_an_interval():
    rng = np.random.default_rng(0)
    h, c, label = _scores(rng)
    parts = (
        *lg.sampling_parts(h, exact=c, clusters=label, rng=rng),
        lg.Part("L4", "choice of method", np.ones(40), why="fixed levels"),
        lg.choice_part(rng.normal(size=(2, 40)), "two seeds", layer="L5"),
        lg.choice_part(rng.normal(size=(5, 40)), "five seeds", layer="L5"),
    )
    rows = lg.ledger(parts).set_index("source")
    assert rows.loc["choice of method", "interval"] == "none (fixed levels)"
    assert rows.loc["two seeds", "interval"] == "none (fewer than 3 runs)"
    named = rows["interval"] == "delete-a-group jackknife"
    assert (named == rows["share_low"].notna()).all()
    assert named["five seeds"]
    assert named["approximation noise"]
    by_name = {c.name: c.variance.interval for c in lg.components_of(rows.reset_index())}
    assert by_name["choice of method"] == "none (fixed levels) (of the share)"


def test_choice_part_jackknife():
    runs = np.random.default_rng(0).normal(size=(5, 3))
    part = lg.choice_part(runs, "method")
    slow = [np.delete(runs, i, axis=0).var(axis=0, ddof=1) for i in range(5)]
    np.testing.assert_allclose(part.left_out, slow)
    np.testing.assert_allclose(part.variance, runs.var(axis=0, ddof=1))


def test_selection_ledger_counts_expected_differences():
    rng = np.random.default_rng(0)
    masks = rng.random((200, 30)) < rng.random(30)
    frame = lg.selection_ledger({"seed": (masks.mean(axis=0), 200)})
    pairs = (masks[:, None] ^ masks[None]).sum(axis=2)
    observed = pairs.sum() / (200 * 199)
    assert frame["expected_symmetric_difference"][0] == pytest.approx(observed)
