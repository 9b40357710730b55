"""Several runs in one table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from circuitvar.circuits.scores.score_files import read_scores
from circuitvar.reports.card import update_manifest
from circuitvar.reports.card.run_folder import read_run
from circuitvar.reports.page import write
from circuitvar.reports.page.write import write_report
from circuitvar.reports.paper.edge_frames import _ends
from circuitvar.reports.paper.frames import _medoid, prompts_needed
from circuitvar.reports.paper.tables import LAYOUTS, paper_table
from tests.reports.compare.test_compare import save_scored
from tests.reports.toy_audit import toy_audit
from tests.reports.toy_latex import compile_latex, needs_latex


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


def test_the_circuit_in_the_middle_is_the_medoid():
    sets = [frozenset(text) for text in ("ab", "abc", "bcd")]
    assert _medoid(sets) == frozenset("abc")
    assert _medoid(sets[:2]) == frozenset("ab")
    assert _medoid([frozenset(), frozenset()]) == frozenset()


def test_a_single_run_is_its_own_medoid(folders):
    frame = paper_table(folders[:1], layout="methods").frame
    assert frame.loc[0, "jaccard_to_medoid"] == 1.0
    assert frame.loc[0, "overlap_to_medoid"] == 1.0


def test_mistakes_are_one_sentence(folders, tmp_path):
    with pytest.raises(ValueError, match="unknown table layout 'x'; choose one of paper"):
        paper_table(folders, layout="x")
    with pytest.raises(ValueError, match=r"holds no card\.json"):
        paper_table([tmp_path])
    with pytest.raises(ValueError, match="no run folders given"):
        paper_table([])
    with pytest.raises(ValueError, match="has no table 'absent'"):
        read_run(folders[0]).frame("absent")


@needs_latex
def test_latex_compiles(folders, tmp_path):
    body = "".join(paper_table(folders, layout=layout.key).texts()["tex"] for layout in LAYOUTS)
    compile_latex(body, tmp_path, preamble="\\extrafloats{20}")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run that keeps its scores, and what it compared with exact patching."""
    folder = save_scored(tmp_path_factory.mktemp("scored") / "run")
    compared = pd.DataFrame(
        {"method": ["eap-ig-inputs", "eap"], "bias_rms": [0.5, 2.0], "noise_sd": [0.1, 3.0], "n": 9}
    )
    compared.to_csv(folder / "tables" / "methods.csv", index=False)
    update_manifest(folder, [folder / "tables" / "methods.csv"])
    return folder


def test_classes_of_edges_have_the_spread_of_single_prompts(scored):
    """Base layer: SD, CV and SNR are over prompts, for the method and for exact effects."""
    frame = paper_table([scored], layout="edges-by-class").frame.set_index(["method", "group"])
    values = read_scores(scored / "scores").values.astype(float)
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    row = frame.loc[("eap-ig-inputs", "all")]
    assert row["sd"] == pytest.approx(np.median(sd))
    assert row["snr"] == pytest.approx(np.median(np.abs(mean) / sd))
    sure = np.abs(mean) >= 2 * sd / np.sqrt(80)
    assert row["cv"] == pytest.approx(np.median((sd / np.abs(mean))[sure]))
    flips = 1 - (np.sign(values) == np.sign(mean)).mean(axis=0)
    assert row["sign_flips"] == pytest.approx(np.median(flips))
    assert row[["bias_squared", "noise_variance"]].tolist() == pytest.approx([0.25, 0.01])
    assert frame.loc[("eap", "all"), "bias_squared"] == pytest.approx(4.0)
    edges = read_run(scored).frame("edges")
    assert frame.loc[("exact", "all"), "mean"] == pytest.approx(edges["exact"].abs().median())
    assert {name for method, name in frame.index if method == "exact"} == {
        *("core", "contingent", "noise", "all")
    }


def test_single_edges_have_their_intervals_and_tests(scored):
    frame = paper_table([scored], layout="edges").frame
    values = read_scores(scored / "scores").values.astype(float)
    names = list(read_run(scored).frame("edges")["edge"])
    columns = values[:, [names.index(edge) for edge in frame["edge"]]]
    mean, half = columns.mean(axis=0), 1.96 * columns.std(axis=0, ddof=1) / np.sqrt(80)
    assert np.allclose(frame["score_low"], mean - half, atol=0.5 * half.max())
    assert (frame["score_low"] <= mean).all() and (mean <= frame["score_high"]).all()
    assert frame["robust"].to_numpy() == pytest.approx(mean, abs=half.max())
    assert frame["q"].between(0, 1).all() and frame["icc"].between(0, 1).all()
    assert (frame["inclusion_low"] <= frame["inclusion"]).all()
    assert (frame["radius"] >= -1).all() and frame["radius"].max() > 0


def test_ends_of_edges_in_words():
    names = ["input->a0.h1<v>", "a3.h2->m3", "m0->logits", "strange"]
    found = _ends(pd.DataFrame({"edge": names}))
    assert found["type"] == ["input to head v", "head to MLP", "MLP to logits", "?"]
    assert found["layers"] == ["- to 0", "3 to 3", "0 to -", "-"]


def test_designs_with_more_prompts_are_sharper(scored):
    frame = paper_table([scored], layout="variance").frame.set_index("group").loc["all edges"]
    assert 0 <= frame["icc"] <= 1
    assert frame["se_templates"] < frame["se_prompts"] < frame["se_now"]
    assert frame["se_templates"] == pytest.approx(frame["se_now"] / 2**0.5)
    shares = frame[[key for key in frame.index if key.startswith("share: ")]]
    assert shares.astype(float).sum() == pytest.approx(1.0)


def test_stability_rows_say_what_a_reader_needs_to_judge_them(scored):
    frame = paper_table([scored], layout="stability").frame.set_index("axis")
    assert 0 < frame.loc["halves-template", "rbo"] <= 1
    assert pd.isna(frame.loc["seed", "rbo"])
    assert (frame["prompts"] == 240).all() and (frame["templates"] == 8).all()
    held = read_run(scored).frames["heldout"]
    assert len(held) and frame["equivalence_p"].between(0, 1).all()
    # The forecast of the toy audit is 1 - 2.2 / sqrt(n): 0.9 at n = 484.
    assert frame["prompts_needed"].iloc[0] == pytest.approx(484, rel=0.05)


def test_a_forecast_that_never_gets_there_is_infinite():
    frame = pd.DataFrame({"n": [10, 20], "phi": [0.1, 0.2], "kind": "forecast"})
    assert prompts_needed(frame) == float("inf")
    assert pd.isna(prompts_needed(None))
