"""A new method is judged on circuits that are known."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from circuitvar.circuits.methods.catalog import get_method
from circuitvar.reports.compare.method_check import (
    as_method,
    assert_method_ok,
    check_method,
    known_cases,
    leaderboard,
    planted_case,
    pocket_case,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "new_method"


@pytest.fixture(scope="module")
def case():
    return planted_case("two-route", n=24)


def random_scores(model, batch, *, metric, options):
    draws = [np.random.default_rng([options.seed, int(i)]) for i in batch.index]
    return np.stack([rng.normal(size=model.graph.n_edges) for rng in draws])


def test_truth_is_where_the_exact_effects_are(case):
    assert ((case.exact != 0).any(axis=0) == case.truth).all()


def test_exact_patching_finds_every_planted_circuit(case):
    gate = assert_method_ok(get_method("exact"), cases=[case], strict=True)
    new = {row.measure: row.new for row in gate.rows}
    assert new["AUROC of the planted circuit: planted:two-route"] == 1.0
    assert new["rank correlation with exact: planted:two-route"] == pytest.approx(1.0, abs=1e-3)


def test_a_method_is_no_worse_than_itself(case):
    gate = check_method(get_method("eap"), baseline="eap", cases=[case])
    assert gate.outcome == "no worse"
    judged = [row for row in gate.rows if row.outcome != "reported"]
    assert [row.difference for row in judged] == [0.0] * 4


def test_the_pocket_model_is_patched_exactly():
    """A trained transformer as ground truth: its circuit is what exact patching finds."""
    case = pocket_case(n=4)
    assert case.exact.shape == (4, case.model.graph.n_edges)
    strength = np.abs(case.exact.mean(axis=0))
    assert case.truth.sum() == case.model.graph.n_edges // 10
    assert strength[case.truth].min() >= strength[~case.truth].max()
    gate = check_method(get_method("exact"), baseline=random_scores, cases=[case])
    new = {row.measure: row.new for row in gate.rows}
    for name in ("AUROC", "average precision"):
        assert new[f"{name} of the exact circuit: pocket:ioi"] == 1.0
    assert new["rank correlation with exact: pocket:ioi"] == pytest.approx(1.0)
    assert gate.rows[-1].measure == "speed ratio: pocket:ioi"


def test_all_cases_are_the_planted_models_and_the_pocket_model(monkeypatch):
    from circuitvar.reports.compare import method_check

    monkeypatch.setattr(method_check, "planted_case", lambda key, **_: key)
    monkeypatch.setattr(method_check, "pocket_case", lambda **_: "pocket")
    assert known_cases() == ("induction", "two-route", "gated", "pocket")


def test_random_scores_fail_with_the_table(case):
    with pytest.raises(AssertionError, match=r"(?s)worse.*AUROC of the planted circuit") as error:
        assert_method_ok(random_scores, cases=[case])
    assert "tolerance" in str(error.value)


def test_leaderboard_lists_every_method_once(case):
    def refuse(model, batch, *, metric, options):
        raise ValueError("not defined here")

    frame = leaderboard([get_method("exact"), as_method(refuse)], cases=[case])
    assert frame["method"].tolist() == ["exact", "refuse"]
    assert frame.loc[0, ["auroc", "average_precision"]].tolist() == [1.0, 1.0]
    assert frame.loc[1, "note"] == "not defined here" and np.isnan(frame.loc[1, "auroc"])


def test_plain_functions_become_methods():
    assert as_method(random_scores).key == "random_scores"
    with pytest.raises(ValueError, match="is no method; pass a function"):
        check_method(3, cases=[])  # type: ignore[arg-type]


def test_the_example_project_passes_on_its_own(tmp_path):
    folder = tmp_path / "new_method"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "3 passed" in done.stdout
