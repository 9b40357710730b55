"""Influence, medians, nulls, prompt clusters, cross-faithfulness; the two planted models."""

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import runs_axis
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.edges import influence as inf
from circuitvar.audit.edges import null_models as nm
from circuitvar.audit.edges import prompt_clusters as pc
from circuitvar.audit.function.matrix import Found, function_matrix
from circuitvar.audit.indices import medoid, to_medoid
from circuitvar.audit.indices.jaccard import pairwise_jaccard
from circuitvar.audit.indices.phi import row_projections
from circuitvar.audit.intervals.intervals import unit_influence
from circuitvar.audit.resampling.replicate_sets import replicate_sets
from circuitvar.audit.resampling.weights import bootstrap
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.structure_checks import null_table
from circuitvar.audit.variance.ledger import ledger, sampling_parts
from circuitvar.audit.verdicts import function_verdict, stability_verdicts, structure_and_function
from circuitvar.circuits.types import Faithfulness
from tests.audit.toy_scores import planted


def _replicated(scores, size, replicates, rng, *, signed=False):
    """The influence as the infinitesimal jackknife of many replicates sees it: the slow oracle."""
    r = bootstrap(len(scores), replicates, rng=rng)
    sets = replicate_sets(scores, r.weights, size=size, signed=signed)
    t = row_projections(sets.masks())
    return -unit_influence(r.counts, 2 * (t - t.mean()))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("kind", ["noise", "gap", "heavy", "common factor", "outlier"])
def test_influence_is_what_many_replicates_converge_to(kind, signed):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(60, 200))
    scores += {
        "noise": 0.0,
        "gap": np.where(np.arange(200) < 20, 0.6, 0.0),
        "heavy": 0.3 * rng.standard_t(2, size=200),
        "common factor": rng.normal(size=(60, 1)) * np.sign(rng.normal(size=200)),
        "outlier": 0.3 * rng.standard_t(2, size=200),
    }[kind]
    if kind == "outlier":
        scores[5] *= 6
    found = inf.phi_influence(scores, size=20, signed=signed)
    slow = _replicated(scores, 20, 12_000, rng, signed=signed)
    assert np.corrcoef(found, slow)[0, 1] > 0.93
    assert np.polyfit(found, slow, 1)[0] == pytest.approx(1, abs=0.25)


def test_influence_of_degenerate_scores():
    rng = np.random.default_rng(0)
    assert np.isnan(inf.phi_influence(np.zeros((60, 5)), size=2)).all()
    assert np.isnan(inf.phi_influence(rng.normal(size=(6, 5)), size=5)).all()
    constant = np.tile([3.0, 2.0, 1.0, 0.0], (6, 1))
    assert (inf.phi_influence(constant, size=2) == 0).all()
    scores = planted(rng, gap=0.6)
    order, prompts = rng.permutation(80), rng.permutation(60)
    found = inf.phi_influence(scores, size=10)
    np.testing.assert_allclose(inf.phi_influence(scores[:, order], size=10), found, rtol=1e-8)
    for factor in (-3, 1e-14, 1e14):
        np.testing.assert_allclose(inf.phi_influence(factor * scores, size=10), found, rtol=1e-7)
    np.testing.assert_allclose(
        inf.phi_influence(scores[prompts], size=10), found[prompts], rtol=1e-8
    )


def test_an_outlier_prompt_is_the_most_influential():
    rng = np.random.default_rng(0)
    scores = planted(rng, gap=0.8)
    scores[7] = 30 * rng.normal(size=80)
    terms = inf.phi_influence(scores, size=10)
    assert np.abs(terms).argmax() == 7


def test_medoid():
    masks = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]], dtype=bool)
    pairs = pairwise_jaccard(masks)
    assert medoid(pairs) == 1
    np.testing.assert_allclose(to_medoid(pairs), [2 / 3, 1, 0.5])
    assert medoid(np.full((2, 2), np.nan)) == 0
    with pytest.raises(ValueError, match="no runs"):
        medoid(np.empty((0, 0)))


def _phi(scores, rng):
    return halves_agreement(scores, size=10, rng=rng, pairs=5, interval_splits=0).phi.value


@pytest.mark.parametrize(
    "null", [nm.sign_flipped(), nm.centred_bootstrap, nm.shuffled_edges,
             nm.shuffled_within(np.arange(80) % 4)],
)  # fmt: skip
def test_signal_beats_every_null(null):
    rng = np.random.default_rng(0)
    found = nm.compare_with_null(planted(rng, gap=3.0), _phi, null, draws=19, rng=rng)
    assert found.p_value == 0.05
    assert found.margin > 0.5


def test_unequal_noise_is_stable_without_any_effect():
    """Top-k of |mean| follows the noisy edges: only the structure-preserving null sees it."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(60, 80)) * np.where(np.arange(80) < 10, 8.0, 1.0)
    kept = nm.compare_with_null(scores, _phi, nm.sign_flipped(), draws=19, rng=rng)
    gone = nm.compare_with_null(scores, _phi, nm.shuffled_edges, draws=19, rng=rng)
    assert kept.observed > 0.5
    assert kept.p_value > 0.05
    assert gone.p_value == 0.05


def test_nulls_keep_what_they_promise():
    rng = np.random.default_rng(0)
    scores, strata = rng.normal(2, 1, size=(30, 12)), np.arange(12) % 3
    np.testing.assert_allclose(np.abs(nm.sign_flipped()(scores, rng)), np.abs(scores))
    rows = nm.shuffled_edges(scores, rng)
    np.testing.assert_allclose(np.sort(rows, axis=1), np.sort(scores, axis=1))
    within = nm.shuffled_within(strata)(scores, rng)
    for s in range(3):
        part = strata == s
        np.testing.assert_allclose(np.sort(within[:, part]), np.sort(scores[:, part]))
    with pytest.raises(ValueError, match="undefined"):
        nm.compare_with_null(scores * 0, _phi, nm.sign_flipped(), draws=3, rng=rng)


def test_nulls_of_templates_keep_what_prompts_share():
    rng = np.random.default_rng(0)
    templates = np.array(list("aaabbbbcc"))
    scores = rng.normal(size=(9, 5))
    flipped = nm.sign_flipped(templates)(scores, rng) / scores
    for name in "abc":
        assert len(np.unique(flipped[templates == name])) == 1
    flipped = nm.centred_flips(templates)(scores, rng)
    grand = np.mean([scores[templates == name].mean(axis=0) for name in "abc"], axis=0)
    for name in "abc":
        ratio = flipped[templates == name] / (scores[templates == name] - grand)
        np.testing.assert_allclose(np.abs(ratio), np.sqrt(3 / 2))
        assert len(np.unique(np.sign(ratio))) == 1


def test_null_data_of_unequal_templates_have_no_effect():
    rng = np.random.default_rng(0)
    templates = np.repeat(np.arange(6), [30, 5, 5, 5, 5, 5])
    scores = np.where(templates == 0, 5.0, 0.0)[:, None] + np.zeros((55, 2))
    draws = [nm.centred_flips(templates)(scores, rng).mean(axis=0) for _ in range(2000)]
    assert np.abs(np.mean(draws, axis=0)).max() < 0.25


@pytest.mark.parametrize(("templates", "each"), [(12, 8), (6, 16)])
def test_templates_without_effects_beat_no_null(templates, each):
    """Flipping single prompts rejected in .33 to .93 where prompts of a template share noise."""
    rng, found = np.random.default_rng(0), []
    label = np.repeat(np.arange(templates), each)
    for seed in range(40):
        scores = 0.7 * rng.normal(size=(templates, 80))[label] + rng.normal(size=(len(label), 80))
        table = null_table(scores, Settings(seed=seed), 10, templates=tuple(map(str, label)))
        assert table["observed"].nunique() == 1
        found.append(table.set_index("null")["p"])
    rates = (np.array(found) <= 0.05).mean(axis=0)
    assert [name.split(",")[0] for name in found[0].index[:2]] == [
        "sign-flipped templates",
        "centred",
    ]
    assert (rates <= 0.15).all()


def test_clusters_of_prompts_with_different_circuits():
    rng = np.random.default_rng(0)
    label = np.arange(40) % 2
    mean = np.zeros((2, 60))
    mean[0, :10], mean[1, 10:20] = 2.0, 2.0
    found = pc.cluster_prompts(mean[label] + rng.normal(size=(40, 60)), rng=rng)
    assert found.number == 2
    assert pc.adjusted_rand(found.labels, label) == 1.0
    same = pc.cluster_prompts(mean[0] + rng.normal(size=(40, 60)), rng=rng)
    assert same.number == 1
    assert not same.labels.any()


def test_cluster_statistics_against_an_oracle():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(25, 3)), rng.integers(3, size=25)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert pc.silhouette(distances, labels) == pytest.approx(
        metrics.silhouette_score(points, labels)
    )
    other = rng.integers(4, size=25)
    expected = metrics.adjusted_rand_score(labels, other)
    assert pc.adjusted_rand(labels, other) == pytest.approx(expected)
    assert pc.adjusted_rand([0] * 5, [1] * 5) == 1.0


def test_prompt_cluster_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 4"):
        pc.cluster_prompts(np.ones((3, 2)), rng=rng)
    with pytest.raises(ValueError, match="not finite"):
        pc.cluster_prompts(np.full((5, 2), np.nan), rng=rng)


def _faithfulness(value, rng, n=80):
    circuit = value * 3.0 + 0.3 * rng.normal(size=n)
    flags = np.zeros(n, dtype=bool)
    return Faithfulness(
        circuit, np.full(n, 3.0), np.zeros(n), flags, ~flags, np.zeros(n), "logit_diff",
        "patching", ("",) * n,
    )  # fmt: skip


def _matrix(value, rng):
    """Two circuits, one edge each, under the conditions they were found under."""
    circuits = {name: Found(name, np.arange(2) == i) for i, name in enumerate("ab")}

    def run(condition, masks):
        return [_faithfulness(value("ab"[int(np.argmax(m))], condition), rng) for m in masks]

    return function_matrix(circuits, ["a", "b"], run, null=np.zeros((0, 2), dtype=bool))


def test_two_routes_are_unstable_structure_with_equal_function():
    """Each run finds one of two routes at random; either carries the behaviour."""
    rng = np.random.default_rng(0)
    route = rng.random((30, 1)) < 0.5
    masks = np.where(route, np.arange(100) < 10, (np.arange(100) >= 10) & (np.arange(100) < 20))
    axis = runs_axis(masks, key="fresh-data", title="Fresh data", unit="data set")
    structure = stability_verdicts(axis)[0]
    found = _matrix(lambda circuit, data: 0.95, rng)
    function = function_verdict(found.kept, claim="Circuits serve each other's data")
    assert structure_and_function(structure, function) == "unstable structure, equal function"
    assert found.frame().shape == (4, 3)


def test_circuits_that_fail_elsewhere_have_different_function():
    rng = np.random.default_rng(0)
    found = _matrix(lambda circuit, data: 0.95 if circuit == data else 0.2, rng)
    np.testing.assert_allclose(found.value, [[0.95, 0.2], [0.2, 0.95]], atol=0.05)
    assert function_verdict(found.kept, claim="x").outcome == "fail"


def test_template_gated_edges_are_named_between_template():
    """Every template opens another set of edges."""
    rng = np.random.default_rng(0)
    label = np.arange(160) % 8
    effect = np.zeros((8, 80))
    for t in range(8):
        effect[t, 10 * t : 10 * t + 10] = 2.0 * 1.6**t
    scores = effect[label] + rng.normal(size=(160, 80))
    parts = sampling_parts(scores, clusters=label, rng=rng)
    frame = ledger(parts)
    assert frame.loc[frame["share"].idxmax(), "source"] == "between templates"
    options = {"size": 10, "pairs": 20, "interval_splits": 0, "rng": rng}
    by_prompt = halves_agreement(scores, **options).phi.value
    by_template = halves_agreement(scores, clusters=label, **options).phi.value
    assert by_template < by_prompt - 0.2
