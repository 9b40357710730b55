"""Several runs in one table."""

import shutil
import subprocess
from dataclasses import replace

import pandas as pd
import pytest

from circuitvar.reports import write
from circuitvar.reports.paper_frames import _median_circuit
from circuitvar.reports.paper_tables import LAYOUTS, paper_table
from circuitvar.reports.run_folder import read_run
from circuitvar.reports.write import write_report
from tests.toy_audit import toy_audit


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    runs = pd.DataFrame(
        {"axis": ["seed"] * 3, "circuit_error": [0.1, 0.2, 0.3], "kl": [1.0, 2.0, 3.0]}
    )
    noise = pd.DataFrame(
        {"amplitude": [0.1, 0.2], "jaccard": [0.9, 0.8], "circuit_error": [0.1, 0.2]}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "make_figures", lambda audit: [])
        for seed, method in enumerate(("eap", "exact")):
            audit = toy_audit(seed=seed)
            tables = {**audit.tables, "runs": runs, "noise": noise}
            provenance = {**audit.provenance, "method": method, "task": "a_b & c"}
            write_report(replace(audit, tables=tables, provenance=provenance), root / method)
    return [root / "eap", root / "exact"]


@pytest.mark.parametrize("layout", [layout.key for layout in LAYOUTS])
def test_every_layout_joins_the_runs(folders, layout):
    table = paper_table(folders, layout=layout)
    assert set(table.frame["method"]) == {"eap", "exact"}
    texts = table.texts()
    assert texts["tex"].count("\\toprule") == 1
    assert "a\\_b \\& c" in texts["tex"]
    assert "task a_b & c" in table.caption
    assert len(texts["csv"].splitlines()) == len(table.frame) + 1


def test_error_has_a_cv_where_every_run_was_evaluated(folders):
    frame = paper_table(folders).frame.set_index(["method", "axis"])
    assert frame.loc[("eap", "seed"), "circuit_error"] == pytest.approx(0.2)
    assert frame.loc[("eap", "seed"), "circuit_error_cv"] == pytest.approx(0.5)
    assert frame.loc[("eap", "bootstrap"), "circuit_error"] == pytest.approx(0.11)
    assert pd.isna(frame.loc[("eap", "bootstrap"), "circuit_error_cv"])


def test_median_circuit_is_the_majority():
    sets = [frozenset(text) for text in ("ab", "bc", "bd")]
    assert _median_circuit(sets) == frozenset("b")
    assert _median_circuit(sets[:2]) == frozenset("abc")


def test_a_single_run_is_its_own_median(folders):
    frame = paper_table(folders[:1], layout="methods").frame
    assert frame.loc[0, "jaccard_to_median"] == 1.0
    assert frame.loc[0, "overlap_to_median"] == 1.0


def test_mistakes_are_one_sentence(folders, tmp_path):
    with pytest.raises(ValueError, match="unknown table layout 'x'; choose one of paper"):
        paper_table(folders, layout="x")
    with pytest.raises(ValueError, match=r"holds no card\.json"):
        paper_table([tmp_path])
    with pytest.raises(ValueError, match="no run folders given"):
        paper_table([])
    with pytest.raises(ValueError, match="has no table 'absent'"):
        read_run(folders[0]).frame("absent")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX installation on this machine")
def test_latex_compiles(folders, tmp_path):
    body = "".join(paper_table(folders, layout=layout.key).texts()["tex"] for layout in LAYOUTS)
    document = (
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}"
        "\\extrafloats{20}"
        f"\\usepackage{{siunitx}}\\begin{{document}}\n{body}\\end{{document}}"
    )
    (tmp_path / "t.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
