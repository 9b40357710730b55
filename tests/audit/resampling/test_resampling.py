from importlib import import_module

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import bootstrap_axis, halves_axis, runs_axis
from circuitvar.audit.agreement.halves import halves_agreement, pair_agreement
from circuitvar.audit.indices.jaccard import pairwise_jaccard
from circuitvar.audit.indices.phi import phi
from circuitvar.audit.resampling import weights as wt
from circuitvar.audit.resampling.replicate_sets import pack, replicate_sets
from circuitvar.circuits.find import top_n_masks
from tests.audit.toy_scores import loop_sets, planted
from tests.shape_check import wrong_shapes

replicate_sets_module = import_module("circuitvar.audit.resampling.replicate_sets")

LABELS = ["a", "a", "a", "b", "b", "c", "d", "d"]
SCHEMES = [
    lambda rng, c: wt.bootstrap(8, 30, rng=rng, clusters=c),
    lambda rng, c: wt.poisson(8, 30, rng=rng, clusters=c),
    lambda rng, c: wt.bayesian(8, 30, rng=rng, clusters=c),
    lambda rng, c: wt.half_samples(8, 30, rng=rng, clusters=c),
    lambda rng, c: wt.complementary_halves(8, 15, rng=rng, clusters=c),
    lambda rng, c: wt.disjoint_blocks(8, 2, rng=rng, clusters=c),
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("clusters", [None, LABELS])
def test_rows_sum_to_one_and_clusters_stay_together(scheme, clusters):
    resamples = scheme(np.random.default_rng(0), clusters)
    np.testing.assert_allclose(resamples.weights.sum(axis=1), 1, rtol=1e-5)
    assert (resamples.weights >= 0).all()
    assert resamples.unit == ("prompt" if clusters is None else "template")
    assert resamples.counts.shape[1] == (8 if clusters is None else 4)
    if clusters is not None:
        for label in "abcd":
            members = [i for i, name in enumerate(LABELS) if name == label]
            assert (np.ptp(resamples.weights[:, members], axis=1) == 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_same_seed_same_weights(scheme):
    first, second = (scheme(np.random.default_rng(5), None) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize("scheme", SCHEMES[:4])
def test_counts_suit_the_infinitesimal_jackknife(scheme):
    draws = [scheme(np.random.default_rng(i), None).counts for i in range(60)]
    counts = np.concatenate(draws)
    assert counts.mean() == pytest.approx(1, abs=0.03)
    assert 0.7 < counts.var(axis=0).mean() < 1.3


def test_halves_are_complementary():
    counts = wt.complementary_halves(7, 20, rng=np.random.default_rng(0)).counts
    assert ((counts[0::2] > 0) ^ (counts[1::2] > 0)).all()
    assert ((counts[0::2] > 0).sum(axis=1) == 3).all()


def test_blocks_are_disjoint():
    counts = wt.disjoint_blocks(11, 3, rng=np.random.default_rng(0)).counts
    assert counts.shape == (3, 11)
    assert (counts.sum(axis=0) <= 1).all()
    assert (counts.sum(axis=1) == 3).all()


def test_stratified_bootstrap_keeps_template_sizes():
    r = wt.stratified_bootstrap(8, 20, strata=LABELS, rng=np.random.default_rng(0))
    for label in "abcd":
        inside = [i for i, name in enumerate(LABELS) if name == label]
        assert (r.counts[:, inside].sum(axis=1) == len(inside)).all()


def test_deletion_keeps_rows_that_lost_everything_at_zero():
    r = wt.deletions(3, 200, 0.9, rng=np.random.default_rng(0))
    empty = r.counts.sum(axis=1) == 0
    assert empty.any()
    assert (r.weights[empty] == 0).all()
    sets = replicate_sets(np.ones((3, 5)), r.weights, size=2)
    assert (sets.sizes[empty] == 0).all()
    assert (sets.sizes[~empty] == 2).all()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda g: wt.bootstrap(0, 3, rng=g), "0 examples cannot be resampled"),
        (lambda g: wt.bootstrap(3, 0, rng=g), "replicates is 0"),
        (lambda g: wt.bootstrap(3, 1, rng=g, clusters=["a"]), "one per example"),
        (lambda g: wt.bootstrap(1, 3, rng=g), "bootstrap needs at least 2 prompts and got 1"),
        (lambda g: wt.poisson(1, 3, rng=g), "poisson bootstrap needs at least 2 prompts and got 1"),
        (
            lambda g: wt.bayesian(4, 3, rng=g, clusters=["a"] * 4),
            "at least 2 templates and got 1; resample prompts",
        ),
        (
            lambda g: wt.complementary_halves(3, 1, rng=g, clusters=["a"] * 3),
            "at least 2 templates",
        ),
        (lambda g: wt.complementary_halves(1, 1, rng=g), "add prompts"),
        (lambda g: wt.disjoint_blocks(5, 3, rng=g), "at least 6 prompts and got 5"),
        (lambda g: wt.deletions(5, 3, 1.0, rng=g), "between 0 and 1"),
        (lambda g: wt.subset_counts(3, 1, 0, rng=g), "cannot take 0 of 3"),
    ],
)
def test_weight_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call(np.random.default_rng(0))


@pytest.mark.parametrize("chunk", [1, 7, 1000, None])
def test_streamed_sets_equal_the_loop(chunk):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(12, 37))
    weights = wt.bootstrap(12, 25, rng=rng).weights
    slow = loop_sets(scores, weights, 6)
    sets = replicate_sets(scores, weights, size=6, chunk=chunk)
    np.testing.assert_array_equal(sets.masks(), slow)
    np.testing.assert_array_equal(sets.counts, slow.sum(axis=0))
    np.testing.assert_array_equal(sets.sizes, slow.sum(axis=1))
    masks, whole = sets.compact
    np.testing.assert_array_equal(masks, slow[:, sets.contested])
    assert whole == (37, slow.all(axis=0).sum())


def test_select_rule_replaces_top_k():
    rng = np.random.default_rng(0)
    scores, weights = rng.normal(size=(12, 9)), np.eye(12)
    sets = replicate_sets(scores, weights, size=lambda means: means > 0.5)
    np.testing.assert_array_equal(sets.masks(), scores > 0.5)


def test_memory_mapped_scores_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(replicate_sets_module, "_READ_BYTES", 3600)
    monkeypatch.setattr(replicate_sets_module, "_COLUMNS", 128)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(10, 300)).astype(np.float32)
    np.save(tmp_path / "scores.npy", scores)
    mapped = np.load(tmp_path / "scores.npy", mmap_mode="r")
    weights = wt.bootstrap(10, 20, rng=rng).weights
    np.testing.assert_array_equal(
        replicate_sets(mapped, weights, size=5).packed,
        replicate_sets(scores, weights, size=5, memory_mb=0.001).packed,
    )


@pytest.mark.parametrize(
    ("row", "size", "signed", "kept"),
    [
        ([1.0, 1, 1, 1], 2, False, [0, 1]),
        ([3.0, -4, 1, 3], 2, False, [0, 1]),
        ([3.0, -4, 1, 3], 2, True, [0, 3]),
        ([0.0, 0, 5, 0], 3, False, [2]),
        ([0.0, 0, 0, 0], 2, False, []),
        ([0.0, 2, 5, 1], 4, False, [1, 2, 3]),
        ([2.0, 2, 5, 1], 4, False, [0, 1, 2, 3]),
        ([-1.0, 0, -3, 0], 3, True, [0]),
    ],
    ids=["all tied", "absolute", "signed", "zeros", "all zero", "k = all with a zero", "k = all",
         "signed zeros"],
)  # fmt: skip
def test_ties_zeros_and_full_circuits(row, size, signed, kept):
    scores = np.array([row])
    streamed = replicate_sets(scores, np.eye(1), size=size, signed=signed).masks()
    for mask in (top_n_masks(scores, size, signed=signed)[0], streamed[0]):
        assert np.flatnonzero(mask).tolist() == kept


def test_constant_scores_give_undefined_or_trivial_stability():
    weights = wt.bootstrap(6, 20, rng=np.random.default_rng(0)).weights
    assert np.isnan(phi(replicate_sets(np.zeros((6, 9)), weights, size=3).masks()))
    assert np.isnan(phi(replicate_sets(np.ones((6, 9)), weights, size=9).masks()))


@pytest.mark.parametrize(
    ("scores", "weights", "options", "match"),
    [
        (np.ones((3, 4)), np.ones((2, 5)), {"size": 2}, "do not fit scores"),
        (np.ones((3, 4)), np.ones((2, 3)), {"size": 5}, "between 1 and 4"),
        (np.ones((3, 4)), np.ones((2, 3)), {"size": 0}, "between 1 and 4"),
        (np.array([[1.0, 2], [3, np.nan]]), np.eye(2), {"size": 1}, "example 1, edge 1"),
        (np.array([[1.0, np.inf], [3, 1]]), np.eye(2), {"size": 1}, "example 0, edge 1"),
    ],
)
def test_replicate_errors(scores, weights, options, match):
    with wrong_shapes(), pytest.raises(ValueError, match=match):
        replicate_sets(scores, weights, **options)


def test_pair_agreement_is_phi_of_two_runs():
    rng = np.random.default_rng(0)
    masks = rng.random((6, 30)) < 0.4
    values, jaccard = pair_agreement(pack(masks))
    for r in range(3):
        pair = masks[2 * r : 2 * r + 2]
        assert values[r] == pytest.approx(phi(pair))
        assert jaccard[r] == pytest.approx(pairwise_jaccard(pair)[0, 1])


def test_halves_are_unbiased_on_noise_and_bootstrap_is_not():
    rng = np.random.default_rng(0)
    halves, boot = [], []
    for _ in range(8):
        scores = rng.normal(size=(60, 400))
        options = {"size": 30, "rng": rng, "pairs": 20, "interval_splits": 0}
        halves.append(halves_agreement(scores, **options).phi.value)
        axis, _ = bootstrap_axis(scores, wt.bootstrap(60, 60, rng=rng), size=30)
        boot.append(axis.phi.value)
    assert abs(np.mean(halves)) < 0.03
    assert np.mean(boot) > 0.1


def test_template_halves_see_the_template_variance():
    rng = np.random.default_rng(0)
    scores, label = planted(rng, n=120, templates=12, icc=0.6, gap=1.0)
    options = {"size": 10, "pairs": 30, "interval_splits": 8}
    prompt = halves_agreement(scores, rng=np.random.default_rng(1), **options)
    template = halves_agreement(scores, rng=np.random.default_rng(1), clusters=label, **options)
    assert template.phi.value < prompt.phi.value - 0.1
    assert (template.unit, template.phi.n) == ("template", 12)
    assert template.phi.low < template.phi.value < template.phi.high


def test_interval_of_halves_has_the_right_width():
    """SE against the spread over fresh data sets, where the jackknife is 2.6 times too wide."""
    rng = np.random.default_rng(0)
    found = [
        halves_agreement(rng.normal(size=(48, 200)), size=20, rng=rng, pairs=30).phi
        for _ in range(24)
    ]
    spread = np.std([e.value for e in found])
    assert 0.6 < np.mean([e.se for e in found]) / spread < 1.6
    assert np.mean([e.low <= 0 <= e.high for e in found]) > 0.8


def test_too_few_templates_give_no_interval():
    rng = np.random.default_rng(0)
    found = halves_agreement(planted(rng), size=10, clusters=np.arange(60) % 3, rng=rng, pairs=4)
    assert np.isnan(found.phi.low)
    assert found.phi.interval == "none (3 units)"
    many = halves_agreement(planted(rng), size=10, clusters=np.arange(60) % 8, rng=rng, pairs=4)
    assert np.isfinite(many.phi.low)
    with pytest.raises(ValueError, match="at least 2 templates"):
        halves_agreement(planted(rng), size=10, clusters=["only"] * 60, rng=rng)


def test_edge_order_does_not_matter():
    rng = np.random.default_rng(0)
    scores = planted(rng, gap=0.5)
    order = rng.permutation(80)
    first, second = (
        halves_axis(s, size=10, rng=np.random.default_rng(3), pairs=10)
        for s in (scores, scores[:, order])
    )
    assert first.phi.value == pytest.approx(second.phi.value, abs=1e-12)
    assert first.phi.se == pytest.approx(second.phi.se, abs=1e-12)
    np.testing.assert_allclose(first.inclusion[order], second.inclusion, atol=1e-12)


def test_axis_of_runs_holds_everything_a_report_needs():
    rng = np.random.default_rng(0)
    masks = rng.random((12, 40)) < 0.3
    axis = runs_axis(masks, key="seed", title="Training seeds", unit="training seed")
    np.testing.assert_allclose(axis.inclusion, masks.mean(axis=0))
    np.testing.assert_array_equal(axis.sizes, masks.sum(axis=1))
    assert axis.phi.value == pytest.approx(phi(masks))
    assert 0 < axis.chance < 1
    single = runs_axis(masks[:1], key="seed", title="One", unit="training seed")
    assert np.isnan(single.phi.value)
