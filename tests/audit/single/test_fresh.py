"""Fresh data sets: of every task that can be drawn again, refused where it cannot."""

from dataclasses import replace
from importlib import import_module

import pytest

from circuitvar.audit.runs.prompts import has_word_lists, require_fresh
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.perturb import ALTERNATING, AXES
from circuitvar.circuits.loading.load import load_model
from circuitvar.tasks.catalog import get_task
from tests.reports.commands.test_cli import run

run_audit = import_module("circuitvar.reports.audit.run_audit")

SMALL = Settings(
    n=32, heldout=16, bootstrap=20, pairs=4, exact=0, fresh=3, random=10, size=4, other_methods=()
)
ROWS = "clean,corrupt,answer,wrong_answer,template\n" + "".join(
    f"When {a} and {b} met {b} gave it to,When {a} and {b} met {a} gave it to, {a}, {b},t{i % 4}\n"
    for i, (a, b) in enumerate((a, b) for a in ("John", "Mary") for b in ("Tom", "Anna"))
)


@pytest.fixture(scope="module")
def two_route():
    task, model = get_task("planted-two-route"), load_model("planted:two-route")
    return audit_circuit(task, model, SMALL)


def test_a_planted_task_has_fresh_data(two_route):
    axis = {axis.key: axis for axis in two_route.axes}["fresh-data"]
    assert axis.runs == two_route.provenance["settings"]["fresh"] == 3
    assert axis.note == AXES[0].note
    assert "inclusion_fresh-data" in two_route.edges


def test_fresh_data_of_a_task_with_word_lists_alternate():
    assert has_word_lists(get_task("ioi"))
    assert not has_word_lists(get_task("planted-two-route"))
    assert "alternating between disjoint word lists" in ALTERNATING


def test_rows_of_a_file_are_no_fresh_data():
    file = replace(get_task("planted-two-route"), distinct=True, source="rows.csv: 400 rows")
    require_fresh(file, replace(SMALL, fresh=0))
    match = r"fresh = 3 data sets are asked for, but rows.csv: 400 rows has every row only once"
    with pytest.raises(ValueError, match=match):
        require_fresh(file, SMALL)
    with pytest.raises(ValueError, match=match):
        audit_circuit(file, load_model("planted:two-route"), SMALL)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Settings that reach the audit from the command line, in a folder with a file of prompts."""
    (tmp_path / "rows.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    seen = []

    def stop(task, model, settings, **_):
        seen.append(settings)
        raise ValueError("far enough")

    monkeypatch.setattr(run_audit, "audit_circuit", stop)
    return seen


@pytest.mark.parametrize(
    ("arguments", "fresh"),
    [
        (["planted-two-route", "--model", "planted:two-route", "--fresh", "12"], 12),
        (["planted-two-route", "--model", "planted:two-route"], 5),
        (["--data", "rows.csv"], 0),
        (["--data", "rows.csv", "--fresh", "0"], 0),
        (["--data", "rows.csv", "--preset", "quick"], 0),
    ],
)
def test_the_option_is_honoured(monkeypatch, capsys, asked, arguments, fresh):
    code, _, err = run(monkeypatch, capsys, "audit", *arguments, "-q")
    assert (code, "far enough" in err) == (2, True), err
    assert asked[0].fresh == fresh


def test_the_option_is_refused_for_a_file(monkeypatch, capsys, asked):
    code, _, err = run(monkeypatch, capsys, "audit", "--data", "rows.csv", "--fresh", "12")
    assert (code, asked) == (2, [])
    assert "fresh = 12 data sets are asked for, but rows.csv: 4 rows" in err
    assert "use fresh = 0" in err
