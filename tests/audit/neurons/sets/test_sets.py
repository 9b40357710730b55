"""T4 to T7, T10, T12, T13: votes, sets, aliases, clusters, verdicts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.data.types import Votes
from circuitvar.audit.neurons.resampling.bootstrap_votes import (
    bootstrap_votes,
    effective_concepts,
    vote_share_error,
)
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.sets.aliases import alias_classes
from circuitvar.audit.neurons.sets.concept_sets import (
    conformal_set,
    interval_set,
    margin,
    maxt_set,
    vote_set,
)
from circuitvar.audit.neurons.similarity.bounds import similarity_interval
from circuitvar.audit.neurons.similarity.cluster_resampling import (
    SCHEMES,
    ConceptOptions,
    cluster_weights,
    concept_prompts,
)
from circuitvar.audit.neurons.similarity.similarity import similarity
from circuitvar.audit.neurons.views.perturbations import winning_classes
from tests.audit.neurons.toy_neurons import LEAN, flipped_concepts, planted_units

NINE = ["pearson", "iou", "f1", "auprc", "phi", "cosine", "accuracy", "balanced_accuracy", "mad"]


def test_replicates_equal_recomputation_on_resampled_rows():
    data, _ = planted_units(40, 5, 6, 4, beta=0.5, seed=0)
    w = cluster_weights(data.strata, 3, rng=np.random.default_rng(1))
    votes = bootstrap_votes(data, w, NINE)
    acts = np.asarray(data.acts)
    on = acts > np.quantile(acts, 0.95, axis=0, method="inverted_cdf")
    for k in range(3):
        rows = np.repeat(np.arange(200), w[k].astype(int)[data.groups])
        for key in NINE:
            resampled = probing_set(acts[rows], data.concepts[rows])
            if key in ("pearson", "cosine", "mad"):
                found = similarity(resampled, [key])[key]
            else:
                flags = probing_set(on[rows].astype(float), data.concepts[rows])
                found = similarity(flags, [key], quantile=None, threshold=0.5)[key]
            best = np.nan_to_num(found, nan=-np.inf)
            for u, winner in enumerate(votes[key].winners[k]):
                assert best[u, winner] == pytest.approx(best[u].max(), abs=1e-5), key


def test_auroc_and_spearman_resample_by_their_linear_forms():
    data, truth = planted_units(200, 4, 8, 4, beta=1.5, seed=2)
    w = cluster_weights(data.strata, 40, rng=np.random.default_rng(1))
    votes = bootstrap_votes(data, w, ["auroc", "spearman", "pearson"])
    for key in ("auroc", "spearman"):
        np.testing.assert_array_equal(votes[key].shares.argmax(axis=0), truth)
    assert votes["auroc"].shares[truth, np.arange(8)].min() > 0.9
    with pytest.raises(ValueError, match="no fast resampling form"):
        bootstrap_votes(data, w, ["inverse_auprc"])


def test_planted_units_win_their_votes():
    data, truth = planted_units(1000, 16, 128, 18, beta=0.3, seed=3)
    w = cluster_weights(data.strata, 100, rng=np.random.default_rng(1))
    shares = bootstrap_votes(data, w, ["pearson"])["pearson"].shares
    np.testing.assert_array_equal(shares.argmax(axis=0), truth)
    assert shares[truth, np.arange(128)].mean() >= 0.995


def slow_maxt_set(estimate, draws, alpha=0.05):
    """Definition of `maxt_set`, class by class, without screening: its oracle."""
    keep = []
    for c in range(len(estimate)):
        rivals = [j for j in range(len(estimate)) if j != c]
        gaps = draws[:, rivals] - draws[:, [c]]
        lead = estimate[rivals] - estimate[c]
        se = gaps.std(axis=0, ddof=1)
        maxima = np.maximum(((gaps - lead) / se).max(axis=1), 0)
        limit = np.sort(maxima)[int(np.ceil((1 - alpha) * (len(draws) - 1)))]
        keep.append(max((lead / se).max(), 0) <= limit)
    return keep


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.0, 0.5, 2.0, 10.0]))
def test_screened_maxt_equals_its_definition(seed, spread):
    rng = np.random.default_rng(seed)
    estimate = spread * rng.random(6)
    mixing = rng.normal(size=(6, 6))
    draws = estimate + rng.standard_t(4, size=(120, 6)) @ mixing
    assert maxt_set(estimate, draws).tolist() == slow_maxt_set(estimate, draws)


def test_ties_are_split_evenly():
    c = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1.0]])
    votes = bootstrap_votes(probing_set(c[:, :1], c), np.ones((4, 4)), ["pearson"])["pearson"]
    assert votes.shares[:, 0].tolist() == [0.5, 0.5, 0.0]
    assert len(votes.tied) == 8
    assert conformal_set(votes, 0, alpha=0.5).tolist() == [True, True, False]


def test_aliases_split_votes_until_merged():
    rng = np.random.default_rng(5)
    data, _ = planted_units(300, 4, 1, 4, beta=0.6, seed=5)
    copy = data.concepts[:, :1]
    doubled = np.concatenate([data.concepts, copy, 1 - copy], axis=1)
    data = probing_set(np.asarray(data.acts), doubled, groups=data.groups)
    w = cluster_weights(data.strata, 200, rng=rng)
    assert bootstrap_votes(data, w, ["pearson"])["pearson"].shares[0, 0] == pytest.approx(0.5)
    classes = alias_classes(doubled, data.names)
    assert classes.names[0] == "concept0 = concept8 = not concept9"
    merged = bootstrap_votes(data, w, ["pearson"], members=classes.members)["pearson"]
    assert merged.shares[0, 0] >= 0.99


def test_prompt_bootstrap_has_the_right_standard_error_and_token_bootstrap_has_not():
    rng = np.random.default_rng(9)
    prompts, tokens, icc = 150, 16, 0.5

    def draw():
        c = np.repeat(rng.random(prompts) < 0.5, tokens).astype(float)
        shared = np.repeat(rng.normal(size=prompts), tokens) * np.sqrt(icc)
        f = shared + np.sqrt(1 - icc) * rng.normal(size=prompts * tokens) + 0.3 * c
        return probing_set(f[:, None], c[:, None], groups=np.repeat(np.arange(prompts), tokens))

    true = np.std([similarity(draw(), ["pearson"])["pearson"][0, 0] for _ in range(400)])
    by_prompt, by_token = [], []
    for _ in range(12):
        data = draw()
        for groups, found in ((data.groups, by_prompt), (None, by_token)):
            clusters = probing_set(data.acts, data.concepts, groups=groups)
            found.append(bootstrap_sd(clusters, rng))
    assert np.mean(by_prompt) == pytest.approx(true, rel=0.12)
    assert np.mean(by_token) < 0.5 * true


def bootstrap_sd(data, rng):
    from circuitvar.audit.neurons.similarity.cluster_sums import (
        cluster_sums,
        concept_columns,
        weighted_moments,
    )
    from circuitvar.audit.neurons.similarity.similarity_metrics import pearson

    w = cluster_weights(data.strata, 200, rng=rng)
    sums = cluster_sums(concept_columns(data), np.asarray(data.acts, np.float32), None)
    return np.concatenate([pearson(m) for _, m in weighted_moments(sums, w)]).std()


def set_coverage(n, concepts, tied, gap, datasets, seed, replicates=200):
    """Coverage of the best concept by S_vote, S_maxt and S_ci under IoU."""
    rng = np.random.default_rng(seed)
    hits = {"vote": 0, "maxt": 0, "ci": 0}
    for _ in range(datasets):
        unit, columns = flipped_concepts(n, concepts, tied, gap, rng)
        data = probing_set(unit[:, None].astype(float), columns)
        w = rng.multinomial(n, np.full(n, 1 / n), size=replicates).astype(float)
        both, size, on = w @ (columns & unit[:, None]), w @ columns, w @ unit
        draws = both / (size + on[:, None] - both)
        point = similarity(data, ["iou"], quantile=None, threshold=0.5)["iou"][0]
        shares = np.bincount(draws.argmax(axis=1), minlength=concepts) / replicates
        counts = (np.array(n), unit.sum(), columns.sum(0), (columns & unit[:, None]).sum(0))
        low, high = similarity_interval("iou", *counts, delta=0.05 / concepts)
        hits["vote"] += vote_set(shares)[0]
        hits["maxt"] += maxt_set(point, draws)[0]
        hits["ci"] += interval_set(low, high)[0]
    return {key: count / datasets for key, count in hits.items()}


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.02, 0.1])
def test_sets_cover_the_population_best_concept(gap):
    found = set_coverage(200, 20, 3, gap, datasets=150, seed=int(100 * gap))
    assert found["maxt"] >= 0.93
    assert found["ci"] >= 0.93
    if gap == 0:
        # Known: votes speak about resamples of the same data, not about the best concept.
        assert found["vote"] < 0.95


def test_conformal_set_covers_the_next_replicate():
    rng = np.random.default_rng(11)
    hits, trials = 0, 800
    for _ in range(trials):
        p = rng.dirichlet(np.full(12, 0.7))
        drawn = rng.choice(12, size=101, p=p).astype(np.int16)
        winners = drawn[:100, None]
        shares = np.bincount(drawn[:100], minlength=12)[:, None] / 100
        votes = Votes("iou", shares, winners, np.zeros((0, 3), dtype=np.int64))
        hits += conformal_set(votes, 0)[drawn[100]]
    assert hits / trials >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / trials)


def test_margin_and_maxt_on_clear_and_equal_scores():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(500, 3))
    clear = np.array([0.5, 0.3, 0.1])
    assert maxt_set(clear, clear + noise).tolist() == [True, False, False]
    assert margin(clear, clear + noise) == pytest.approx(0.2 / (0.01 * np.sqrt(2)), rel=0.1)
    equal = np.full(3, 0.2)
    assert maxt_set(equal, equal + noise).all()
    assert not maxt_set(np.full(2, np.nan), noise[:, :2]).any()
    one = maxt_set(np.array([0.1, np.nan]), np.column_stack([noise[:, 0], np.full(500, np.nan)]))
    assert one.tolist() == [True, False]


def test_share_error_and_effective_number():
    assert [round(vote_share_error(k, 34), 3) for k in (200, 1000, 1443)] == [0.134, 0.06, 0.05]
    assert effective_concepts(np.array([[1.0], [0.0]]))[0] == pytest.approx(1)


def test_weights_keep_strata_and_schemes_differ():
    strata = np.array([0, 0, 0, 1, 1])
    rng = np.random.default_rng(0)
    for scheme in SCHEMES:
        w = cluster_weights(strata, 50, rng=rng, scheme=scheme)
        np.testing.assert_allclose(w[:, :3].sum(axis=1), 3, rtol=1e-6)
    assert cluster_weights(strata, 9, rng=rng, scheme="bayesian").min() > 0
    half = cluster_weights(np.zeros(10, int), 5, rng=rng, fraction=0.5)
    assert (half.sum(axis=1) == 5).all()
    with pytest.raises(ValueError, match="fraction in"):
        cluster_weights(strata, 1, rng=rng, fraction=2.0)
    with pytest.raises(ValueError, match="unknown scheme"):
        cluster_weights(strata, 1, rng=rng, scheme="jackknife")  # pyright: ignore


def test_noise_units_are_not_called_stable_and_planted_ones_are():
    noise, _ = planted_units(250, 8, 512, 26, beta=0.0, seed=12)
    found = audit_neurons(noise, LEAN).units
    assert (found.verdict == "stable").mean() <= 0.05
    planted, truth = planted_units(250, 8, 34, 26, beta=1.0, seed=13)
    found = audit_neurons(planted, LEAN).units
    assert (found.verdict == "stable").all()
    assert found.label.tolist() == [planted.names[i] for i in truth]


def test_rare_and_constant_concepts_cannot_win():
    rng = np.random.default_rng(3)
    c = np.zeros((200, 4))
    c[:5, 0] = 1
    c[:, 1] = 1
    c[:, 2] = rng.random(200) < 0.4
    acts = np.column_stack([c[:, 0], c[:, 2] + 0.1 * rng.normal(size=200), np.ones(200)])
    audit = audit_neurons(probing_set(acts, c, names=["rare", "all", "ok", "empty"]), LEAN)
    status = audit.aliases.set_index("concept").status.to_dict()
    assert status == {"rare": "under-powered", "all": "constant", "ok": "ok", "empty": "constant"}
    assert audit.units.label.tolist() == ["ok", "ok", ""]
    assert audit.units.verdict.tolist()[1:] == ["stable", "unidentified"]
    with pytest.raises(ValueError, match="no concept occurs in"):
        audit_neurons(probing_set(acts, c[:, :2]), LEAN)


def test_one_prompt_and_more_concepts_than_samples():
    rng = np.random.default_rng(0)
    one = probing_set(rng.normal(size=(9, 2)), rng.random((9, 3)) < 0.5, groups=np.zeros(9))
    assert concept_prompts(one.concepts, one.groups).max() == 1
    lean = NeuronOptions(
        concepts=ConceptOptions(replicates=20, new_replicates=20, min_prompts=1, null_draws=3),
        linear=None, perturbations=None, self_check=False, range_units=0,
    )  # fmt: skip
    assert (audit_neurons(one, lean).units.verdict == "unidentified").all()
    wide = probing_set(rng.normal(size=(12, 2)), rng.random((12, 40)) < 0.5)
    assert len(audit_neurons(wide, lean).units) == 2


def test_winning_classes_are_minus_one_without_a_score():
    data = probing_set(np.ones((4, 1)), np.array([[0.0], [1], [0], [1]]))
    assert winning_classes(data, np.ones((2, 4)), "pearson").tolist() == [[-1], [-1]]
