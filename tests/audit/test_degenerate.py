"""Degenerate inputs to every statistic of the audit: an undefined number is NaN or a clear error,
a trivial one is exact, and an interval is never made up. Warnings are errors here."""

from importlib import import_module

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import bootstrap_axis, halves_axis, runs_axis
from circuitvar.audit.agreement.block_variance import halves_variance
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.edges import edge_tests as et
from circuitvar.audit.edges.edge_summary import edge_summary, sign_test
from circuitvar.audit.edges.edge_tests import inner_outer
from circuitvar.audit.edges.forecast import forecast, observed_points
from circuitvar.audit.edges.prompt_clusters import cluster_prompts
from circuitvar.audit.edges.stability_selection import r_concave
from circuitvar.audit.indices import rank
from circuitvar.audit.indices.phi import phi_test
from circuitvar.audit.intervals import group_jackknife, ratio_of_means, share_estimate
from circuitvar.audit.intervals.runs_interval import few_runs_se
from circuitvar.audit.resampling.replicate_sets import replicate_sets
from circuitvar.audit.resampling.weights import bootstrap, complementary_halves
from circuitvar.audit.variance import component_intervals as ci
from circuitvar.audit.variance import variance_components as vc
from circuitvar.audit.variance.ledger import ledger, sampling_parts
from circuitvar.circuits.find import top_n_masks

jc = import_module("circuitvar.audit.indices.jaccard")
ng = import_module("circuitvar.audit.indices.phi")

N, E, K = 24, 12, 4
NOISE = np.random.default_rng(0).normal(size=(N, E))


def rng():
    return np.random.default_rng(1)


def masks_of(case: str) -> np.ndarray:
    kept = np.random.default_rng(2).random((5, E)) < 0.3
    return {
        "one run": kept[:1],
        "two runs": kept[:2],
        "all runs equal": np.tile(np.arange(E) < K, (5, 1)),
        "empty circuits": np.zeros((5, E), dtype=bool),
        "all edges": np.ones((5, E), dtype=bool),
    }[case]


@pytest.mark.parametrize(
    ("case", "phi", "jaccard", "interval"),
    [
        ("one run", np.nan, np.nan, False),
        ("two runs", None, None, False),
        ("all runs equal", 1.0, 1.0, True),
        ("empty circuits", np.nan, np.nan, False),
        ("all edges", np.nan, 1.0, False),
    ],
)
def test_selection_matrices(case, phi, jaccard, interval):
    masks = masks_of(case)
    found = ng.phi_of_runs(masks)
    pairs = jc.pairwise_jaccard(masks)
    other = jc.jaccard_of_runs(pairs, size=float(masks.sum(axis=1).mean()))
    for value, expected in ((found.value, phi), (other.value, jaccard)):
        if expected is not None:
            assert value == pytest.approx(expected, nan_ok=True)
    assert np.isfinite(found.low) == interval
    assert found.low < found.value if interval else np.isnan(found.high)
    assert np.isnan(phi_test(found, 0.5))
    assert jc.pairwise_cv(pairs) == pytest.approx(0.0) or not jaccard == 1.0
    axis = runs_axis(masks, key="seed", title="Seeds", unit="seed")
    assert axis.runs == len(masks)
    assert axis.phi.value == pytest.approx(found.value, nan_ok=True)
    counts = bootstrap(6, len(masks), rng=rng()).counts
    if len(masks) > 2:
        resampled = ng.phi_of_resamples(masks, counts)
        assert resampled.value == pytest.approx(found.value, nan_ok=True)
        jaccard_again = jc.jaccard_of_resamples(pairs, counts)
        assert jaccard_again.value == pytest.approx(other.value, nan_ok=True)


@pytest.mark.parametrize("clusters", [None, np.arange(N) % 8])
def test_constant_scores(clusters):
    """Every prompt the same: agreement is perfect, spread is zero, nothing can be tested."""
    scores = np.tile(np.arange(E, dtype=float), (N, 1))
    found = halves_agreement(scores, size=K, rng=rng(), pairs=4, clusters=clusters)
    assert (found.phi.value, found.jaccard.value) == (1.0, 1.0)
    assert found.phi.low < 1 and found.phi.high == 1
    summary = edge_summary(scores, clusters=clusters)
    assert (summary.se == 0).all()
    assert np.isnan(et.t_test(summary)).all()
    assert np.isnan(
        et.max_t(scores, summary, rng=rng(), replicates=9, clusters=clusters).step_down
    ).all()
    assert forecast(summary, size=K, units=[10], rng=rng(), draws=2)["phi"].tolist() == [1.0]
    points = observed_points(scores, size=K, rng=rng(), clusters=clusters, repeats=2)
    assert (points["phi"] == 1).all()
    assert cluster_prompts(scores, rng=rng(), null_draws=9).number == 1


def test_all_scores_zero_keep_no_edge():
    zero = np.zeros((N, E))
    assert not top_n_masks(zero, K).any()
    found = halves_agreement(zero, size=K, rng=rng(), pairs=3)
    assert np.isnan(found.phi.value) and np.isnan(found.phi.low)
    assert np.isnan(sign_test(edge_summary(zero))).all()
    axis, _ = bootstrap_axis(zero, bootstrap(N, 10, rng=rng()), size=K)
    assert np.isnan(axis.phi.value) and np.isnan(axis.phi.low)


def test_circuits_of_all_edges():
    found = halves_agreement(NOISE, size=E, rng=rng(), pairs=3)
    assert np.isnan(found.phi.value) and found.jaccard.value == 1.0
    assert halves_axis(NOISE, rng=rng(), size=E, pairs=3).chance == pytest.approx(1.0)
    assert inner_outer(np.arange(float(E)), np.ones(E), size=E, critical=3.0).inner.all()
    assert rank.rbo(NOISE[0], NOISE[0], depth=E) == pytest.approx(1.0)
    table = forecast(edge_summary(NOISE), size=E, units=[10], rng=rng(), draws=2)
    assert np.isnan(table["phi"]).all()


def test_ties_at_the_cut_go_to_the_lower_edge():
    tied = np.ones((N, E))
    tied[:, 0] = 2.0
    sets = replicate_sets(tied, bootstrap(N, 8, rng=rng()).weights, size=K)
    assert (sets.masks() == (np.arange(E) < K)).all()
    assert halves_agreement(tied, size=K, rng=rng(), pairs=3).phi.value == 1.0
    half = complementary_halves(N, 2, rng=rng())
    assert (replicate_sets(tied, half.weights, size=K).sizes == K).all()


def test_one_template():
    same = ["a"] * N
    with pytest.raises(ValueError, match="share one template"):
        vc.within_between(NOISE, same)
    summary = edge_summary(NOISE, clusters=same)
    assert summary.units == 1 and np.isnan(summary.se).all()
    assert (sign_test(summary) == 1).all()
    with pytest.raises(ValueError, match="at least 2 templates and got 1"):
        halves_agreement(NOISE, size=K, rng=rng(), clusters=same)
    (estimate,) = group_jackknife(
        lambda w: np.array([w @ NOISE[:, 0]]), N, names=("mean",), rng=rng(), clusters=same
    )
    assert np.isnan(estimate.low)
    one = sampling_parts(NOISE, clusters=same, rng=rng())
    for found, plain in zip(one, sampling_parts(NOISE, rng=rng()), strict=True):
        np.testing.assert_array_equal(found.variance, plain.variance)
        np.testing.assert_array_equal(found.left_out, plain.left_out)
    assert ratio_of_means("", NOISE[:, 0], templates=tuple(same)).n == N


def test_one_prompt():
    one = NOISE[:1]
    assert np.isnan(edge_summary(one).se).all()
    assert np.isnan(ratio_of_means("", one[0, :1]).low)
    assert share_estimate("", np.array([True])).low < 1
    with pytest.raises(ValueError, match="at least 2 examples"):
        forecast(edge_summary(one), size=K, units=[5], rng=rng())
    with pytest.raises(ValueError):
        halves_agreement(one, size=K, rng=rng())
    with pytest.raises(ValueError, match="at least 4"):
        cluster_prompts(one, rng=rng())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_named(bad):
    scores = NOISE.copy()
    scores[3, 5] = bad
    for run in (
        lambda: halves_agreement(scores, size=K, rng=rng(), pairs=2),
        lambda: bootstrap_axis(scores, bootstrap(N, 5, rng=rng()), size=K),
        lambda: observed_points(scores, size=K, rng=rng(), repeats=1),
    ):
        with pytest.raises(ValueError, match="not finite at example 3, edge 5"):
            run()
    with pytest.raises(ValueError, match="not finite"):
        cluster_prompts(scores, rng=rng())


def test_components_without_variance_or_with_few_levels():
    constant = vc.nested(np.ones((6, 3, 1, 2)))
    assert (constant.values == 0).all() and np.isnan(constant.shares).all()
    low, high = ci.component_interval(constant, "template")
    assert (low == 0).all() and (high == 0).all()
    parts = sampling_parts(np.ones((12, 3)), clusters=np.arange(12) % 4, rng=rng())
    assert np.isnan(ledger(parts)["share"]).all()
    few = vc.nested(np.random.default_rng(0).normal(size=(2, 2, 1, 3)))
    assert few.effective_df == few.df == (1, 2)


def test_rank_agreement_of_one_run_and_of_constants():
    assert np.isnan(rank.mean_spearman_of_runs(NOISE[:1]).value)
    assert np.isnan(rank.mean_spearman(np.ones((3, E))))
    assert np.isnan(rank.spearman(np.ones(E), NOISE[0]))
    with pytest.raises(ValueError, match="tau"):
        r_concave(0.5, K, E)


def test_variance_of_halves_that_never_differ():
    values = np.ones((2, 3))

    def agree(weights):
        return None, np.ones((2, len(weights) // 2))

    found = halves_variance(agree, np.arange(N), 2, values=values, size=3.0, share=0.2, rng=rng())
    assert [part.tolist() for part in found] == [[0.0, 0.0], [False, False]]
    assert few_runs_se(np.nan, 0.0, 3) == few_runs_se(1.0, 5.0, 3) == few_runs_se(0.5, 5.0, 9) == 0
