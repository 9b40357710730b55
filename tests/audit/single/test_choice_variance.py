"""Layer L4: exact decomposition of what was scored."""

from dataclasses import replace

import numpy as np
import pytest

from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.choice_variance import EXACT, Cell, _moment_rows, decompose, full_grids
from circuitvar.circuits.loading.load import load_model
from circuitvar.reports.figures.variance import stacked_bars
from circuitvar.reports.tables.frames import ledger_frame
from circuitvar.tasks.catalog import get_task

A, B = (-1.0, 0.0, 1.0), (-1.0, 1.0)


def _cells(own="patching"):
    """f = a + 2b + ab/2: method has three levels, ablation two."""
    return tuple(
        Cell(
            {"method": f"m{a:g}", "ablation": own if b < 0 else "zero", "corruption": "x"},
            np.array([a + 2 * b + 0.5 * a * b]),
        )
        for b in B
        for a in A
    )


def test_known_sobol_shares():
    found = decompose(_cells())
    shares = [float(v[0] / found.total[0]) for v in found.variance.values()]
    np.testing.assert_allclose(shares, [0.1379, 0.8276, 0.0345], atol=5e-5)


def test_grids_inside_an_incomplete_design():
    cells = list(_cells())
    del cells[-1]
    grids = full_grids(cells)
    assert {name: len(grid) for name, grid in grids.items()} == {
        "method": 3,
        "ablation": 2,
        "method x ablation": 4,
    }
    assert decompose(cells) is None
    assert decompose(grids["method x ablation"]) is not None


def test_an_ablation_the_audited_method_lacks_is_read_from_another():
    cells = [c for c in _cells() if c.levels["ablation"] == "patching"]
    cells.append(Cell({"method": "m0", "ablation": "zero", "corruption": "x"}, np.ones(1)))
    grids = full_grids(cells)
    assert {c.levels["method"] for c in grids["ablation"]} == {"m0"}
    assert "method x ablation" not in grids


def test_one_specification_has_no_grid():
    assert full_grids(_cells()[:1]) == {}


SETTINGS = Settings(
    method="eap", other_methods=("exact",), ablations=("zero",), corruptions=("all",), n=32,
    heldout=16, bootstrap=20, pairs=4, exact=16, fresh=0, random=10, size=6, steps=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def audit():
    return audit_circuit(get_task("planted-gated"), load_model("planted:gated"), SETTINGS)


def test_an_audit_decomposes_its_grid(audit):
    table = audit.tables["choices"]
    assert set(table["response"]) == {"score", "membership", "faithfulness"}
    exact = table[table["how"].str.startswith("functional")]
    for _, part in exact.groupby(["response", "over"]):
        assert part["share"].sum() == pytest.approx(1) or part["variance"].sum() == 0
    assert "method x ablation" in set(table[table["response"] == "score"]["effect"])
    assert "size" in set(table[table["response"] == "membership"]["effect"])
    assert (
        exact["total_share"].dropna() >= exact["share"][exact["total_share"].notna()] - 1e-12
    ).all()


def test_the_ledger_lists_every_choice_and_sums_to_one(audit):
    every = audit.tables["ledger"].query("group == 'all edges'")
    lines = set(every.loc[every["layer"] == "L4", "source"])
    assert lines == {
        "choice of method", "choice of ablation", "choice of corruption", "method x ablation"
    }  # fmt: skip
    assert every["share"].sum() == pytest.approx(1)


def test_a_choice_scored_with_another_method_says_so():
    """`eap-ig-inputs` is defined for patching only, so its ablations are those of `eap`."""
    audit = audit_circuit(
        get_task("planted-gated"), load_model("planted:gated"),
        replace(SETTINGS, method="eap-ig-inputs", other_methods=("eap",), corruptions=()),
    )  # fmt: skip
    ledger = audit.tables["ledger"].query("group == 'all edges' and layer == 'L4'")
    assert list(ledger["source"]) == ["choice of method", "choice of ablation, scored with eap"]
    assert set(ledger["interval"]) == {"none (fixed levels)"}
    over = set(audit.tables["choices"]["over"])
    assert {"method", "ablation, scored with eap", "ablation x size, scored with eap"} <= over
    assert "L4 choice of ablation, scored with eap" in audit.tables["ledger_edges"]
    labels = {bar.label for bar in stacked_bars(ledger_frame(audit))}
    assert "L4 choice of ablation, scored with eap" in labels


def test_negative_estimates_are_flagged(audit):
    choices = audit.tables["choices"]
    assert (choices["negative"] == (choices["variance"] < 0)).all()
    assert choices.loc[choices["how"] == EXACT, "negative"].sum() == 0
    crossed = [
        Cell({"method": m, "ablation": a, "corruption": "c"}, np.array([1.0 if m == a else -1.0]))
        for m in "xy"
        for a in "xy"
    ]
    rows = {row["effect"]: row for row in _moment_rows("score", crossed)}
    assert rows["method"]["variance"] < 0, "a pure interaction leaves less than nothing"
    assert {name: row["negative"] for name, row in rows.items()} == {
        "method": True, "ablation": True, "interactions and rest": False,
    }  # fmt: skip


def test_methods_of_another_scale_stay_out_of_the_scores(audit):
    """`relp` has its own unit: it may move edge sets, not variance in metric units."""
    other = audit_circuit(
        get_task("planted-gated"), load_model("planted:gated"),
        replace(SETTINGS, other_methods=("relp",), ablations=(), corruptions=(), exact=0),
    )  # fmt: skip
    assert "score" not in set(other.tables["choices"]["response"])
    assert "membership" in set(other.tables["choices"]["response"])


def test_every_run_of_an_axis_is_in_the_table_of_runs(audit):
    counts = audit.tables["runs"].groupby("axis").size()
    for axis in audit.axes:
        if axis.key in ("method", "corruption", "ablation", "noise", "fresh-data", "paraphrase"):
            assert counts[axis.key] == axis.runs, axis.key


def test_a_method_of_the_users_own_needs_no_name():
    from circuitvar.circuits.methods.catalog import get_method

    own = replace(get_method("eap"), key="mine")
    found = audit_circuit(
        get_task("planted-gated"), load_model("planted:gated"),
        replace(SETTINGS, other_methods=("exact",), ablations=()), method=own,
    )  # fmt: skip
    table = found.tables["choices"]
    assert "method" in set(table.loc[table["response"] == "score", "effect"])
