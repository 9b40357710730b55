"""Paired differences of stability: the axes' own numbers, steadier than independent ones."""

import math

import numpy as np
import pytest

from circuitvar.audit.agreement.axis import bootstrap_axis, halves_axis, runs_axis
from circuitvar.audit.agreement.paired_stability import (
    Selected,
    bootstrap_change,
    halves_change,
    template_change,
)
from circuitvar.audit.indices.jaccard import off_diagonal, pairwise_jaccard
from circuitvar.audit.indices.phi import pair_phi
from circuitvar.audit.intervals.runs_interval import tied_runs_se
from circuitvar.audit.resampling.weights import bootstrap, template_means
from circuitvar.circuits.find.select import top_n_masks

SIZE, TEMPLATES = 10, tuple(f"t{i % 10}" for i in range(60))


def two_methods(seed=0, n=60, worse=0.4):
    """Scores of one method and of a noisier one on the same prompts."""
    rng = np.random.default_rng(seed)
    truth = np.r_[np.linspace(2.0, 0.2, 15), np.zeros(35)]
    first = truth + rng.normal(0, 1.5, (n, 50)) + rng.normal(0, 0.5, (10, 50))[np.arange(n) % 10]
    second = first + rng.normal(0, worse, (n, 50)) if worse else first
    return [Selected(values.astype(np.float32), SIZE) for values in (first, second)]


def changes(first, second, seed=1):
    rng = np.random.default_rng(seed)
    resamples = bootstrap(60, 60, rng=np.random.default_rng(seed))
    return (
        *halves_change(first, second, rng=rng, clusters=TEMPLATES, pairs=10),
        *bootstrap_change(first, second, resamples),
        *template_change(first, second, TEMPLATES),
    )


def test_each_side_is_what_its_axis_says():
    both = two_methods()
    masks = [top_n_masks(template_means(s.scores, TEMPLATES)[0], SIZE) for s in both]
    resamples = bootstrap(60, 60, rng=np.random.default_rng(1))
    axes = [
        (
            halves_axis(
                s.scores, rng=np.random.default_rng(1), size=SIZE, clusters=TEMPLATES, pairs=10
            ),
            bootstrap_axis(s.scores, resamples, size=SIZE)[0],
            runs_axis(m, key="", title="", unit=""),
        )
        for s, m in zip(both, masks, strict=True)
    ]
    expected = [
        (getattr(a, name).value, getattr(b, name).value)
        for a, b in zip(*axes, strict=True)
        for name in ("phi", "jaccard")
    ]
    found = [(change.first, change.second) for change in changes(*both)]
    assert np.allclose(found, expected, atol=1e-12)


def test_the_same_scores_differ_by_nothing_for_certain():
    for change in changes(*two_methods(worse=0)):
        gap = change.difference
        assert (gap.value, gap.se, gap.low, gap.high) == (0.0, 0.0, 0.0, 0.0)
        assert gap.interval.startswith("paired: the same")


def test_exchanging_the_two_turns_the_sign():
    first, second = two_methods()
    for one, other in zip(changes(first, second), changes(second, first), strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.difference.se == pytest.approx(other.difference.se)


def test_jackknife_over_templates_is_the_slow_one():
    first, second = two_methods()
    means = [template_means(s.scores, TEMPLATES)[0] for s in (first, second)]
    masks = [top_n_masks(m, SIZE) for m in means]
    for change, name in zip(
        template_change(first, second, TEMPLATES), ("phi", "jaccard"), strict=True
    ):
        left_out = []
        for i in range(10):
            a, b = (
                getattr(runs_axis(np.delete(m, i, 0), key="", title="", unit=""), name).value
                for m in masks
            )
            left_out.append(b - a)
        se = math.sqrt(9 / 10 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
        each = [pair_phi(m) if name == "phi" else off_diagonal(pairwise_jaccard(m)) for m in masks]
        assert change.difference.se == pytest.approx(max(se, tied_runs_se(each[1] - each[0], 10)))


@pytest.mark.parametrize("templates", [3, 4, 12])
def test_one_close_call_between_templates_is_not_certain(templates):
    """The jackknife alone held the truth in .50 / .68 / .92 of these; half of its intervals for
    three templates were points."""
    rng = np.random.default_rng(0)
    names = tuple(str(i) for i in range(templates))

    def one():
        base = np.where(np.arange(30) < 4, 9.0, 0.0) + rng.normal(size=(templates, 30)) * 0.1
        sides = []
        for gap in (0.3, 0.5):
            scores = base.copy()
            scores[:, 4] += 5 + gap + rng.normal(size=templates)
            scores[:, 5] += 5
            sides.append(Selected(scores, 5))
        return template_change(*sides, names)

    found = [one() for _ in range(200)]
    for i in range(2):
        truth = np.mean([change[i].difference.value for change in found])
        gaps = [change[i].difference for change in found]
        assert np.mean([g.low <= truth <= g.high for g in gaps]) >= 0.93
        assert min(g.high - g.low for g in gaps) > 0.05


def test_standard_errors_are_of_the_size_of_the_spread_over_data_sets():
    """The truth by simulation: 40 data sets. A close pair of methods, so pairing matters."""
    found = [
        (change.difference.value, change.difference.se)
        for seed in range(40)
        for change in halves_change(
            *two_methods(seed), rng=np.random.default_rng(seed), clusters=TEMPLATES, pairs=10
        )[:1]
    ]
    values, errors = np.array(found).T
    # The spread over 40 data sets is known to about 11%.
    assert 0.7 < errors.mean() / values.std(ddof=1) < 2.0


def test_few_prompts_give_no_interval():
    first, second = (Selected(s.scores[:6], SIZE) for s in two_methods())
    phi, _ = halves_change(first, second, rng=np.random.default_rng(0), pairs=3)
    assert math.isnan(phi.difference.se) and not math.isnan(phi.difference.value)
