"""The report folder: complete, atomic, repeatable, with one clear sentence when it cannot be."""

import pytest

from circuitvar.reports.card.document import read_card
from circuitvar.reports.page import write
from circuitvar.reports.page.write import FIGURE_SUFFIXES, check_writable, write_report
from tests.reports.toy_audit import toy_audit


@pytest.fixture
def quick(monkeypatch):
    """One figure in one format is enough to see that figures are written."""
    monkeypatch.setattr(write, "FIGURE_SUFFIXES", (".png",))
    from circuitvar.reports.figures import records

    monkeypatch.setattr(
        write,
        "make_figures",
        lambda audit: records.make_figures(audit, figures=records.FIGURES[:1]),
    )


def test_report_is_complete_and_repeatable(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(write, "FIGURE_SUFFIXES", FIGURE_SUFFIXES)
    audit = toy_audit()
    first = write_report(audit, tmp_path / "a" / "run", seconds=1.0)
    second = write_report(audit, tmp_path / "b", seconds=2.0)
    names = [str(path.relative_to(tmp_path / "a" / "run")) for path in first]
    assert {
        "report.html",
        "card.json",
        "card.md",
        "badge.svg",
        "stability.csv",
        "stability.tex",
        "stability.md",
        "edges.csv",
        "figures/forest.png",
        "figures/forest.pdf",
        "tables/phi_by_k.csv",
    } <= set(names)
    for one, other in zip(first, second, strict=True):
        if one.name not in ("card.json", "report.html", "manifest.json"):
            assert one.read_bytes() == other.read_bytes(), one.name
    cards = [read_card(path) for path in (first + second) if path.name == "card.json"]
    assert cards[0]["checksum"] == cards[1]["checksum"]
    assert [c["time"]["wall_seconds"] for c in cards] == [1.0, 2.0]


def test_other_files_stay_and_nothing_is_left_over(quick, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "scores.npz").write_bytes(b"kept")
    write_report(toy_audit(), out)
    assert (out / "scores.npz").read_bytes() == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_circuit_figure_is_saved(quick, tmp_path):
    from matplotlib.figure import Figure

    paths = write_report(toy_audit(), tmp_path / "run", circuit_figure=Figure(figsize=(1, 1)))
    assert "circuit.png" in {path.name for path in paths}


def test_a_failed_report_leaves_the_old_one(quick, tmp_path, monkeypatch):
    out = tmp_path / "run"
    write_report(toy_audit(), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_figures", full)
    with pytest.raises(ValueError, match=r"cannot write the report to .*run: No space left"):
        write_report(toy_audit(seed=1), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("check", [check_writable, lambda out: write_report(toy_audit(), out)])
def test_unwritable_output_is_one_sentence(quick, tmp_path, check):
    (tmp_path / "file").write_text("not a folder")
    for out in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(ValueError, match=r"cannot write the report to .* choose a folder"):
            check(out)


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []
