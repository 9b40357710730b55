"""Comparing runs, and the gate that says no worse, worse or cannot tell."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.reports import write
from circuitvar.reports.check import TOLERANCES, check_runs
from circuitvar.reports.compare import compare_runs
from circuitvar.reports.gate import Gate, Row, holm, judge_rows
from circuitvar.reports.write import write_report
from tests.toy_audit import toy_audit


def heldout_frame(shift=0.0, n=120, seed=0):
    rng = np.random.default_rng(seed)
    full = rng.normal(4, 1, n)
    return pd.DataFrame(
        {
            "prompt": np.arange(n),
            "template": [f"t{i % 6}" for i in range(n)],
            "circuit": full * (0.9 - shift) + rng.normal(0, 0.05, n),
            "full": full,
            "empty": np.zeros(n),
            "flipped": (rng.random(n) < 0.1).astype(float),
            "correct": np.ones(n),
            "kl": rng.random(n),
        }
    )


def save(folder, *, shift=0.0, heldout=True, worse=0.0, **provenance):
    audit = toy_audit()
    tables = {**audit.tables, "heldout": heldout_frame(shift)} if heldout else audit.tables
    axes = tuple(
        replace(a, phi=replace(a.phi, value=a.phi.value - worse, se=0.005)) for a in audit.axes
    )
    estimates = tuple(
        replace(e, value=e.value - worse * (e.name == "rank correlation with exact"))
        for e in audit.estimates
    )
    changed = replace(
        audit,
        axes=axes,
        tables=tables,
        estimates=estimates,
        provenance={**audit.provenance, "seconds": {"scoring": 2.0}, **provenance},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "make_figures", lambda audit: [])
        write_report(changed, folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    return {
        "base": save(root / "base"),
        "same": save(root / "same"),
        "shifted": save(root / "shifted", shift=0.03),
        "worse": save(root / "worse", worse=0.2),
        "alone": save(root / "alone", heldout=False, worse=0.03),
        "elsewhere": save(root / "elsewhere", data_digest="sha256:other"),
        "other": save(root / "other", task="greater-than"),
    }


def test_a_run_compared_with_itself_differs_by_nothing(runs):
    frame = compare_runs(runs["base"], runs["same"]).set_index("measure")
    assert frame.loc["Jaccard of the two circuits", "difference"] == 1.0
    assert frame.loc["rank correlation of scores", "difference"] == pytest.approx(1.0)
    assert frame.loc["faithfulness", ["difference", "se"]].tolist() == [0.0, 0.0]
    assert frame.loc["faithfulness", "how"].startswith("paired: jackknife over templates")


def test_paired_differences_are_sharper_than_independent_ones(runs):
    frame = compare_runs(runs["base"], runs["shifted"]).set_index("measure")
    row = frame.loc["faithfulness"]
    assert row["difference"] == pytest.approx(-0.03, abs=0.005)
    assert row["high"] < 0
    alone = compare_runs(runs["base"], runs["elsewhere"]).set_index("measure")
    alone = alone.loc["faithfulness"]
    assert alone["how"].startswith("independent")
    assert alone["se"] == pytest.approx(math.hypot(0.021, 0.021))
    assert row["se"] < alone["se"] / 5


def test_gate_outcomes_and_exit_codes(runs):
    worse = check_runs(runs["worse"], runs["base"])
    assert (worse.outcome, worse.exit_code) == ("worse", 1)
    unknown = check_runs(
        runs["alone"], runs["base"], tolerances={"rank correlation with exact": 0.02}
    )
    assert (unknown.outcome, unknown.exit_code) == ("cannot tell", 2)
    fine = check_runs(runs["same"], runs["base"])
    assert (fine.outcome, fine.exit_code) == ("no worse", 0)


def test_gate_states_tolerances_and_reports_speed(runs):
    frame = check_runs(runs["same"], runs["base"]).frame().set_index("measure")
    assert frame.loc["faithfulness", "tolerance"] == TOLERANCES["faithfulness"]
    assert frame.loc["speed ratio", ["difference", "outcome"]].tolist() == [1.0, "reported"]


def test_a_single_card_can_be_the_baseline(runs, tmp_path):
    card = tmp_path / "baseline.json"
    card.write_text((runs["base"] / "card.json").read_text())
    assert check_runs(runs["worse"], card).exit_code == 1


def test_other_questions_are_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="baseline has task 'ioi', the new run 'greater-than'"):
        check_runs(runs["other"], runs["base"])
    with pytest.raises(ValueError, match="share none of"):
        check_runs(runs["same"], runs["base"], tolerances={"unheard of": 0.1})
    (tmp_path / "card.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="not a valid stability card"):
        check_runs(runs["same"], tmp_path)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.03, 0.02])).tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert holm(np.array([])).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_raw_and_bonferroni(p):
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p)) + 1e-12


ROW = Row("x", 0.5, 0.5, 0.0, 0.01, math.inf, tolerance=0.02)


@pytest.mark.parametrize(
    ("difference", "se", "outcome"),
    [
        (0.0, 0.001, "no worse"),
        (0.0, 0.05, "cannot tell"),
        (-0.2, 0.01, "worse"),
        (-0.03, 0.01, "cannot tell"),
        (0.0, 0.0, "no worse"),
        (-0.03, 0.0, "worse"),
        (0.0, math.nan, "cannot tell"),
        (math.nan, 0.01, "cannot tell"),
    ],
)
def test_three_way_rule(difference, se, outcome):
    assert judge_rows([replace(ROW, difference=difference, se=se)]).outcome == outcome


def test_many_measures_do_not_make_one_worse_by_chance():
    rng = np.random.default_rng(0)
    false = sum(
        judge_rows(
            [replace(ROW, difference=d, se=1.0, tolerance=0.0) for d in rng.normal(size=20)]
        ).outcome
        == "worse"
        for _ in range(400)
    )
    # Nominal family-wise error 5%: 400 trials give 20, standard error 4.4.
    assert false <= 34


def test_an_empty_gate_cannot_tell():
    assert Gate((), 0.05).exit_code == 2
