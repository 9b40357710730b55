"""T3: intervals cover, closed forms of the reference, certificate is rarely wrong."""

import numpy as np
import pytest
from scipy import stats

from circuitvar.audit.indices import weighted_auroc as auroc
from circuitvar.audit.neurons.sets.concept_limits import identification_certificate
from circuitvar.audit.neurons.similarity.bounds import (
    EXACT_METRICS,
    auroc_half_width,
    clustered_ratio_half_width,
    denominators,
    dkw_term,
    hoeffding_half_width,
    similarity_interval,
)
from circuitvar.circuits.intervals import clopper_pearson


def test_clopper_pearson_matches_scipy():
    for hits, trials in ((0, 7), (3, 7), (7, 7)):
        exact = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
        low, high = clopper_pearson(np.array(hits), np.array(trials))
        assert (float(low), float(high)) == pytest.approx((exact.low, exact.high))
    assert [float(x) for x in clopper_pearson(np.array(0), np.array(0))] == [0, 1]
    with pytest.raises(ValueError, match="hits must lie"):
        clopper_pearson(np.array(3), np.array(2))


def draw_counts(rng, n, rho, datasets=1500):
    """Gaussian unit, +1.5 on the concept, active above 1: counts and population values."""
    p1, p0 = stats.norm.sf(1 - 1.5), stats.norm.sf(1)
    c = rng.binomial(n, rho, datasets)
    both = rng.binomial(c, p1)
    active = both + rng.binomial(n - c, p0)
    tp, on = rho * p1, rho * p1 + (1 - rho) * p0
    truth = {
        "accuracy": 1 - on - rho + 2 * tp,
        "p_concept_given_active": tp / on,
        "p_active_given_concept": p1,
        "iou": tp / (on + rho - tp),
        "f1": 2 * tp / (on + rho),
        "balanced_accuracy": (tp / on + 1 - (rho - tp) / (1 - on)) / 2,
        "inverse_balanced_accuracy": (p1 + 1 - p0) / 2,
    }
    return active, c, both, truth


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("rho", [0.01, 0.05, 0.2, 0.5])
def test_exact_intervals_cover(n, rho):
    rng = np.random.default_rng(n + int(100 * rho))
    active, concept, both, truth = draw_counts(rng, n, rho)
    slack = 3 * np.sqrt(0.05 * 0.95 / 1500)
    for metric in EXACT_METRICS:
        low, high = similarity_interval(metric, np.array(n), active, concept, both)
        covered = ((low <= truth[metric]) & (truth[metric] <= high)).mean()
        assert covered >= 0.95 - slack, metric
    for metric in ("accuracy", "iou"):
        low, high = similarity_interval(metric, np.array(n), active, concept, both)
        given = denominators(metric, np.array(n), active, concept, both)
        some = given > 0
        width = 2 * hoeffding_half_width(given[some])
        assert (width >= (high - low)[some]).mean() > 0.95


def test_simultaneous_intervals_cover_all_concepts():
    rng = np.random.default_rng(2)
    concepts, misses = 34, 0
    for _ in range(300):
        active, c, both, truth = draw_counts(rng, 200, 0.2, datasets=concepts)
        low, high = similarity_interval("iou", np.array(200), active, c, both, delta=0.05 / 34)
        misses += bool(((truth["iou"] < low) | (truth["iou"] > high)).any())
    assert misses / 300 <= 0.05


def test_auroc_bounds_cover_and_the_u_statistic_is_tighter():
    rng = np.random.default_rng(4)
    truth = stats.norm.cdf(1.5 / np.sqrt(2))
    errors = []
    for _ in range(200):
        c = np.arange(200) < 40
        f = rng.normal(size=200) + 1.5 * c
        errors.append(abs(auroc(f, c[:, None].astype(float), np.ones(200))[0] - truth))
    assert np.quantile(errors, 0.95) <= auroc_half_width(40, 160)
    assert float(auroc_half_width(40, 160)) == pytest.approx(0.216, abs=0.0015)


def test_clustered_bound_covers_where_the_binomial_interval_fails():
    rng = np.random.default_rng(6)
    clusters, rows, clustered, naive = 200, 10, 0, 0
    for _ in range(300):
        hit = rng.random(clusters) < 0.5
        both, union = rows * hit.sum(), rows * clusters
        width = clustered_ratio_half_width(np.array(union), clusters, rows)
        clustered += abs(both / union - 0.5) <= width
        low, high = clopper_pearson(np.array(both), np.array(union))
        naive += low <= 0.5 <= high
    assert clustered / 300 >= 0.95
    assert naive / 300 < 0.7


def test_dkw_and_unknown_metric():
    assert dkw_term(200) == pytest.approx(np.sqrt(np.log(40) / 400))
    with pytest.raises(ValueError, match="no finite-sample interval"):
        similarity_interval("pearson", *(np.array(1),) * 4)
    with pytest.raises(ValueError, match="not a single share"):
        denominators("f1", *(np.array(1),) * 4)


def test_certificate_is_wrong_at_most_delta_of_the_time():
    rng = np.random.default_rng(8)
    truth = np.array([0.62, 0.60, 0.3])
    wrong = identified = 0
    for _ in range(2000):
        hits = rng.binomial(400, truth)
        low, high = clopper_pearson(hits, np.full(3, 400), alpha=0.05 / 3)
        found = identification_certificate(hits / 400, low, high)
        wrong += found.identified and found.best != 0
        wrong += truth[found.best] < found.faithful_at_least
        wrong += truth.max() - truth[found.best] > found.regret_at_most + 1e-12
        clear = identification_certificate(hits[1:] / 400, low[1:], high[1:])
        identified += clear.identified
    assert wrong / 2000 <= 0.05
    assert identified / 2000 > 0.95
    assert identification_certificate(np.full(2, np.nan), *np.zeros((2, 2))).best == -1
