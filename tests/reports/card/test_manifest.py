"""A folder whose files are not of one report is refused, and every edit is seen."""

import shutil

import pytest

from circuitvar.reports.card import read_run
from circuitvar.reports.card.manifest import MANIFEST, read_manifest
from circuitvar.reports.compare import check_runs, compare_reports
from circuitvar.reports.page import write_report
from circuitvar.reports.paper import paper_table
from circuitvar.reports.verify import verify_report
from tests.reports.toy_audit import toy_audit


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifest") / "run"
    write_report(toy_audit(), folder)
    return folder


@pytest.fixture
def run(written, tmp_path):
    return shutil.copytree(written, tmp_path / "run")


def failed(folder):
    return [check.name for check in verify_report(folder) if not check.ok]


def test_every_file_is_named(run):
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert read_manifest(run).keys() == files - {MANIFEST}
    assert failed(run) == []
    assert read_run(run).card["format"] == 1


@pytest.mark.parametrize(
    "name",
    ["verdicts.csv", "estimates.csv", "tables/phi_by_k.csv", "report.html", "stability.tex",
     "card.md", "badge.svg", "figures/forest.png"],
)  # fmt: skip
def test_an_edit_of_any_file_is_seen(run, name):
    path = run / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert "files of one report" in failed(run)
    match = f"{name} of .* are not what the report was written with"
    for read in (
        lambda: paper_table([run], layout="paper"),
        lambda: compare_reports(run, run),
        lambda: check_runs(run, run),
    ):
        with pytest.raises(ValueError, match=match):
            read()


@pytest.mark.parametrize("name", ["tables/noise.csv", "figures/other.png", "more.csv"])
def test_a_file_of_another_audit_is_seen(run, name):
    (run / name).write_text("a,b\n1,2\n")
    assert failed(run) == ["files of one report"]


def test_a_missing_file_is_seen(run):
    (run / "edges.csv").unlink()
    assert "files of one report" in failed(run)


def test_files_of_an_earlier_report_go(run):
    (run / "tables" / "old.csv").write_text("a\n1\n")
    from circuitvar.reports.card.manifest import update_manifest

    update_manifest(run, [run / "tables" / "old.csv"])
    write_report(toy_audit(seed=1), run)
    assert not (run / "tables" / "old.csv").exists()
    assert failed(run) == []


def test_a_report_that_was_stopped_while_it_was_written_is_refused(run, written, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("circuitvar.reports.page.write.write_manifest", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_report(toy_audit(seed=1), run)
    with pytest.raises(ValueError, match="of an audit that was stopped"):
        read_run(run)


def test_a_folder_without_a_manifest_is_refused_by_tables_and_not_by_verify(run):
    (run / MANIFEST).unlink()
    assert failed(run) == []
    with pytest.raises(ValueError, match=r"has no manifest.json, so its files may be of several"):
        read_run(run)
