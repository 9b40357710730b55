"""What two outputs both say is one number: the pages of two runs, and what compares them."""

import pytest

from circuitvar.audit.settings import Settings
from circuitvar.reports.audit.run_audit import run_audit
from circuitvar.reports.card import read_run
from circuitvar.reports.compare import check_runs, compare_reports
from circuitvar.tasks.catalog import get_task

SETTINGS = Settings(
    n=32, heldout=16, bootstrap=20, pairs=4, exact=16, fresh=0, random=10, other_methods=()
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two methods on the same prompts, half of them patched exactly."""
    folders = []
    for method in ("eap-ig-inputs", "eap"):
        folder = tmp_path_factory.mktemp("same") / method
        changed = {"method": method, "steps": 3}
        run_audit(
            get_task("ioi"), Settings(**{**vars(SETTINGS), **changed}), out=folder,
            allow_weak=True, quiet=True,
        )  # fmt: skip
        folders.append(folder)
    return folders


def stated(folder):
    """Every number of a card by the name that a comparison gives it."""
    card = read_run(folder).card
    numbers = {entry["name"]: entry["value"] for entry in card["estimates"]}
    for axis in card["axes"]:
        numbers[f"phi: {axis['key']}"] = axis["phi"]["value"]
        numbers[f"Jaccard: {axis['key']}"] = axis["jaccard"]["value"]
    return numbers


def test_a_comparison_says_what_the_pages_say(pair):
    rows = compare_reports(*pair).set_index("measure")
    first, second = (stated(folder) for folder in pair)
    shared = [name for name in rows.index if name in first and name in second]
    assert {"rank correlation with exact", "faithfulness", "phi: halves-template"} <= {*shared}
    for name in shared:
        assert rows.loc[name, "first"] == pytest.approx(first[name], abs=1e-9), name
        assert rows.loc[name, "second"] == pytest.approx(second[name], abs=1e-9), name


def test_the_gate_says_what_the_pages_say(pair):
    rows = check_runs(pair[1], pair[0]).frame().set_index("measure")
    first, second = (stated(folder) for folder in pair)
    shared = [name for name in rows.index if name in first and name in second]
    assert "rank correlation with exact" in shared
    for name in shared:
        for column, numbers in (("baseline", first), ("new", second)):
            assert rows.loc[name, column] == pytest.approx(numbers[name], rel=1e-6, abs=1e-6), name
