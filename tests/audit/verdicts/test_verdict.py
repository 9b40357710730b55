from dataclasses import replace

import numpy as np
import pytest

from circuitvar.audit import verdicts as vd
from circuitvar.audit.agreement.axis import halves_axis, runs_axis
from circuitvar.audit.types import Axis, Estimate
from circuitvar.audit.verdicts.judge import needed_units


def _estimate(value, low, high, n=20):
    return Estimate("phi", value, low=low, high=high, n=n)


@pytest.mark.parametrize(
    ("low", "value", "high", "outcome"),
    [
        (0.80, 0.90, 0.95, "pass"),
        (0.50, 0.60, 0.70, "fail"),
        (0.70, 0.80, 0.90, "undecided"),
        (0.75, 0.80, 0.90, "undecided"),
        (np.nan, 0.80, np.nan, "undecided"),
    ],
)
def test_outcome_follows_the_interval(low, value, high, outcome):
    found = vd.judge("stable", _estimate(value, low, high), 0.75, bar_text="phi > 0.75")
    assert found.outcome == outcome
    assert (found.needed == "") == (outcome != "undecided")
    assert "phi = " in found.reason


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("no interval from fewer than 8 templates", "no interval from fewer than 8 templates."),
        ("", "no interval."),
    ],
)
def test_a_missing_interval_says_what_is_missing(missing, reason):
    estimate = Estimate("phi", 0.884, n=4, unit="template", missing=missing)
    found = vd.judge("stable", estimate, 0.75, bar_text="phi > 0.75")
    assert (found.outcome, found.reason) == ("undecided", f"phi = 0.884; {reason}")
    assert found.needed == "more templates"


def test_few_units_and_few_runs_say_so():
    rng = np.random.default_rng(0)
    scores, names = rng.normal(size=(40, 30)), [str(i % 4) for i in range(40)]
    few = halves_axis(scores, rng=rng, size=6, clusters=names, pairs=4)
    found = vd.stability_verdicts(few)[0]
    assert found.reason.endswith("; no interval from fewer than 8 templates.")
    assert found.needed == "more templates"
    two = runs_axis(rng.random((2, 40)) < 0.2, key="seed", title="Seeds", unit="training seed")
    found = vd.stability_verdicts(two)[0]
    assert found.reason.endswith("; no interval from fewer than 3 runs.")
    assert found.needed == "more training seeds"


def test_verdicts_do_not_read_the_names_of_intervals():
    masks = np.random.default_rng(0).random((6, 40)) < 0.3
    names = {"key": "fresh-data", "title": "Fresh data sets", "unit": "data set"}
    axis = runs_axis(masks, **names)
    renamed = replace(
        axis, phi=replace(axis.phi, interval="x"), jaccard=replace(axis.jaccard, interval="x")
    )
    assert vd.stability_verdicts(axis) == vd.stability_verdicts(renamed)


def test_an_undefined_number_names_no_interval():
    estimate = Estimate("function kept", np.nan, interval="delete-one-template jackknife t")
    found = vd.judge("same job", estimate, 0.9, bar_text="> 0.9")
    assert (found.outcome, found.needed) == ("undecided", "")
    assert found.reason == (
        "function kept is undefined: there is no edge, no effect or no difference."
    )


def test_bars_may_point_down():
    found = vd.judge("small error", _estimate(0.1, 0.05, 0.15), 0.2, bar_text="< 0.2", above=False)
    assert found.outcome == "pass"


def test_needed_units_scale_with_the_square():
    assert needed_units(_estimate(0.85, 0.65, 0.95, n=25), 0.75, unit="template") == (
        "about 100 templates"
    )
    assert "out of reach" in needed_units(_estimate(0.75, 0.6, 0.9), 0.75)
    assert "out of reach" in needed_units(_estimate(0.7501, 0.6, 0.9), 0.75)


def _axis(jaccard, runs, share=0.1, key="bootstrap"):
    kept = np.zeros(100)
    return Axis(
        key, "Bootstrap of the prompts", "prompt", runs, _estimate(0.9, 0.85, 0.95), jaccard,
        0.1, 0.05, kept, np.full(runs, share * 100),
    )  # fmt: skip


def test_bootstrap_bar_needs_a_hundred_resamples():
    jaccard = Estimate("jaccard", 0.9, low=0.85, high=0.95, n=50)
    few = vd.stability_verdicts(_axis(jaccard, 60))[1]
    assert (few.outcome, few.needed) == ("undecided", "100 resamples")
    assert vd.stability_verdicts(_axis(jaccard, 100))[1].outcome == "pass"
    assert vd.stability_verdicts(_axis(jaccard, 60, key="seed"))[1].outcome == "pass"
    low = Estimate("jaccard", 0.3, low=0.2, high=0.4, n=50)
    assert vd.stability_verdicts(_axis(low, 60))[1].outcome == "fail"


def test_bars_are_editable_and_printed():
    jaccard = Estimate("jaccard", 0.9, low=0.85, high=0.95, n=50)
    phi, jac = vd.stability_verdicts(_axis(jaccard, 200), bars=vd.Bars(jaccard=0.99, phi=0.2))
    assert (phi.outcome, jac.outcome) == ("pass", "fail")
    assert "0.99" in jac.bar
    assert "0.20" in phi.bar


def test_nearly_full_circuits_are_no_compression():
    masks = np.random.default_rng(0).random((10, 40)) < 0.95
    axis = runs_axis(masks, key="seed", title="Seeds", unit="seed")
    assert {v.outcome for v in vd.stability_verdicts(axis)} == {"no compression"}


def test_beats_random():
    rng = np.random.default_rng(0)
    random = rng.normal(size=200)
    assert vd.random_verdict(5.0, random, null="random circuits").outcome == "pass"
    assert vd.random_verdict(0.0, random, null="random circuits").outcome == "fail"
    few = vd.random_verdict(5.0, random[:10], null="random circuits")
    assert few.outcome == "undecided"
    assert few.needed.endswith("random circuits")
    with pytest.raises(ValueError, match="no random circuits"):
        vd.random_verdict(1.0, np.empty(0), null="random circuits")
    with pytest.raises(ValueError, match="not finite"):
        vd.random_verdict(1.0, np.array([np.nan]), null="random circuits")


def test_resolution_of_the_random_comparison():
    """At q = 0.9 and two-sided 95 %, 36 wins out of 36 are the fewest that decide."""
    assert vd.random_verdict(1.0, np.zeros(36), null="x").outcome == "pass"
    assert vd.random_verdict(1.0, np.zeros(35), null="x").outcome == "undecided"


def test_unstable_structure_equal_function():
    structure = vd.judge("s", _estimate(0.3, 0.2, 0.4), 0.75, bar_text="")
    function = vd.function_verdict(_estimate(0.98, 0.95, 1.0), claim="same function")
    assert vd.structure_and_function(structure, function) == ("unstable structure, equal function")
    agree = vd.agreement_verdict(_estimate(0.9, 0.85, 0.95), first="EAP", second="exact")
    assert agree.outcome == "pass"


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["jacard=0.7"], "unknown bar 'jacard'; choose one of jaccard"),
        (["phi"], "bar 'phi': '' is not a number from 0 to 1"),
        (["phi=nan"], "is not a number from 0 to 1"),
        (["resamples=1.5"], "is not a whole number"),
    ],
)
def test_bars_can_be_changed_by_name(texts, match):
    with pytest.raises(ValueError, match=match):
        vd.changed_bars(texts)
    assert vd.changed_bars([]) == vd.Bars()
    assert vd.changed_bars(["phi = 0.9", "resamples=200"]) == vd.Bars(phi=0.9, resamples=200)


def test_more_of_fixed_choices_are_not_asked_for():
    masks = np.zeros((5, 40), dtype=bool)
    masks[:, :8] = True
    masks[3:, :2], masks[3:, 20:22] = False, True
    names = {"key": "noise", "title": "Noise", "unit": "amplitude"}
    drawn, chosen = (runs_axis(masks, chosen=chosen, **names) for chosen in (False, True))
    assert chosen.phi.interval == f"{drawn.phi.interval}; fixed choices taken as a sample"
    assert (chosen.phi.low, chosen.jaccard.high) == (drawn.phi.low, drawn.jaccard.high)
    asked, told = (vd.stability_verdicts(axis)[0] for axis in (drawn, chosen))
    assert asked.outcome == told.outcome == "undecided"
    assert asked.needed.endswith("runs")
    assert told.needed.startswith("nothing more to run")
