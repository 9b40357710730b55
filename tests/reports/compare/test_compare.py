"""Comparing runs, and the gate that says no worse, worse or cannot tell."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.audit.agreement.block_variance import DIFFERENCE_DF
from circuitvar.circuits.loading.load import load_planted
from circuitvar.circuits.scores.score_files import write_scores
from circuitvar.circuits.types import EdgeScores
from circuitvar.reports.card.run_folder import read_run
from circuitvar.reports.compare.compare import compare_reports
from circuitvar.reports.compare.gate import TOLERANCES, Gate, Row, check_runs, holm, judge_rows
from circuitvar.reports.compare.paired_scores import score_changes
from circuitvar.reports.page import write
from circuitvar.reports.page.write import write_report
from circuitvar.tasks.planted.catalog import get_planted
from tests.reports.toy_audit import POCKET, simulate_scores, toy_audit


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
    frame = compare_reports(runs["base"], runs["same"]).set_index("measure")
    assert frame.loc["Jaccard of the two circuits", "difference"] == 1.0
    assert frame.loc["rank correlation of scores", "difference"] == pytest.approx(1.0)
    assert frame.loc["faithfulness", ["difference", "se"]].tolist() == [0.0, 0.0]
    assert frame.loc["faithfulness", "how"].startswith("paired: jackknife over templates")


def test_paired_differences_are_sharper_than_independent_ones(runs):
    frame = compare_reports(runs["base"], runs["shifted"]).set_index("measure")
    row = frame.loc["faithfulness"]
    assert row["difference"] == pytest.approx(-0.03, abs=0.005)
    assert row["high"] < 0
    alone = compare_reports(runs["base"], runs["elsewhere"]).set_index("measure")
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
    for raw, adjusted in zip(p, holm(np.array(p)), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p)) + 1e-12


ROW = Row("x", 0.5, 0.5, 0.0, 0.01, math.inf, tolerance=0.02)


@pytest.mark.parametrize(
    ("difference", "se", "outcome"),
    [
        (0.0, 0.001, "no worse"),
        (0.0, 0.05, "cannot tell"),
        (-0.2, 0.01, "worse"),
        (0.2, 0.01, "better"),
        (0.03, 0.01, "no worse"),
        (0.03, 0.0, "better"),
        (-0.03, 0.01, "cannot tell"),
        (0.0, 0.0, "no worse"),
        (-0.03, 0.0, "worse"),
        (0.0, math.nan, "cannot tell"),
        (math.nan, 0.01, "cannot tell"),
    ],
)
def test_three_way_rule(difference, se, outcome):
    assert judge_rows([replace(ROW, difference=difference, se=se)]).outcome == outcome


@pytest.mark.parametrize(
    ("differences", "outcome", "code"),
    [
        ((0.0, 0.2), "better", 0),
        ((-0.2, 0.0), "worse", 1),
        ((-0.2, 0.2), "changed", 3),
        ((0.2, math.nan), "cannot tell", 2),
        ((-0.2, math.nan), "worse", 1),
    ],
)
def test_measures_that_disagree(differences, outcome, code):
    rows = [replace(ROW, difference=d, se=0.001) for d in differences]
    gate = judge_rows(rows)
    assert (gate.outcome, gate.exit_code) == (outcome, code)
    flipped = [replace(row, difference=-row.difference) for row in rows]
    mirror = {"better": "worse", "worse": "better", "changed": "changed"}
    if not math.isnan(sum(differences)):
        assert judge_rows(flipped).outcome == mirror[outcome]


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


SETTINGS = {"level": 0.95, "n": 80, "bootstrap": 20, "pairs": 4, "size": 30, "seed": 3}


def save_scored(folder, *, noise=0.0, **provenance):
    """A run with stored scores: a method, or the same method with noise on top."""
    rng = np.random.default_rng(0)
    values, _, template = simulate_scores(POCKET, n=80, templates=8, rng=rng)
    values += np.random.default_rng(1).normal(0, noise, values.shape).astype(np.float32)
    save(folder, settings=SETTINGS, **provenance)
    metric = np.ones(80)
    templates = tuple(f"t{i}" for i in template)
    scores = EdgeScores(POCKET, values, metric, metric, "eap", "logit_diff", templates)
    write_scores(scores, folder / "scores")
    return folder


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    root = tmp_path_factory.mktemp("scored")
    return {
        "base": save_scored(root / "base"),
        "same": save_scored(root / "same"),
        "noisy": save_scored(root / "noisy", noise=3.0),
        "elsewhere": save_scored(root / "elsewhere", noise=3.0, data_digest="sha256:other"),
    }


def test_stored_scores_are_compared_prompt_by_prompt(scored):
    frame = compare_reports(scored["base"], scored["noisy"]).set_index("measure")
    for measure in ("phi: bootstrap", "Jaccard: halves-template", "phi: paraphrase"):
        assert frame.loc[measure, "how"].startswith("paired: the same")
        assert frame.loc[measure, "high"] < 0
    assert not frame.loc["phi: seed", "how"].startswith("paired")
    assert frame.loc["phi: halves-template", "df"] == DIFFERENCE_DF
    for measure in ("rank correlation with exact", "average precision of the exact circuit"):
        assert frame.loc[measure, "how"] == "paired: jackknife over templates"
        assert frame.loc[measure, "high"] < 0
    assert score_changes(read_run(scored["base"]), read_run(scored["elsewhere"])) == ()


def test_the_gate_judges_accuracy_recovery_and_stability_from_the_scores(scored):
    gate = check_runs(scored["noisy"], scored["base"])
    rows = gate.frame().set_index("measure")
    assert gate.exit_code == 1
    worse = set(rows.index[rows["outcome"] == "worse"])
    assert {"phi: halves-template", "rank correlation with exact"} <= worse
    assert "AUROC of the exact circuit" in worse
    assert check_runs(scored["same"], scored["base"]).exit_code == 0


def test_planted_circuits_are_known_to_the_gate(tmp_path):
    """The true circuit of a planted model's task is the one to recover."""
    graph = load_planted("induction").graph
    truth = np.zeros(graph.n_edges)
    truth[graph.columns(tuple(get_planted("induction").task.known_edges))] = 1
    for name, found in (("a", truth), ("b", 1 - truth)):
        folder = save(tmp_path / name, settings=SETTINGS, task="planted-induction")
        values = found + np.random.default_rng(1).normal(0, 0.1, (80, graph.n_edges))
        ones, templates = np.ones(80), tuple(f"t{i % 8}" for i in range(80))
        write_scores(
            EdgeScores(graph, values.astype(np.float32), ones, ones, "eap", "kl", templates),
            folder / "scores",
        )
    rows = check_runs(tmp_path / "b", tmp_path / "a").frame().set_index("measure")
    for measure in ("AUROC of the planted circuit", "average precision of the planted circuit"):
        assert rows.loc[measure, "baseline"] == 1.0
        assert rows.loc[measure, "outcome"] == "worse"


def test_axes_of_two_runs_are_reported_and_not_judged(runs, tmp_path):
    audit = toy_audit()
    few = tuple(
        replace(a, phi=replace(a.phi, n=3), jaccard=replace(a.jaccard, n=3)) for a in audit.axes
    )
    folders = []
    for name, shift in (("a", 0.0), ("b", 0.3)):
        axes = tuple(replace(a, phi=replace(a.phi, value=a.phi.value - shift)) for a in few)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(write, "make_figures", lambda audit: [])
            write_report(replace(audit, axes=axes), tmp_path / name)
        folders.append(tmp_path / name)
    rows = check_runs(folders[1], folders[0]).frame().set_index("measure")
    assert (rows.filter(like="phi:", axis=0)["outcome"] == "reported").all()
    assert rows.loc["rank correlation with exact", "outcome"] == "no worse"


def test_one_model_may_have_two_names(tmp_path):
    model = {"sha256": "ab"}
    a = save(tmp_path / "a", model={"name": "pocket", **model})
    b = save(tmp_path / "b", model={"name": "pocket:0", **model})
    assert check_runs(b, a).exit_code == 0
    other = save(tmp_path / "c", model={"name": "pocket:0", "sha256": "cd"})
    with pytest.raises(ValueError, match="baseline has model 'pocket'"):
        check_runs(other, a)
