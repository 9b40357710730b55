"""Mistakes on the command line: one sentence that says what was given, exit code 2, no files."""

import numpy as np
import pytest

from circuitvar.circuits.files.edge_file import EdgeFile
from circuitvar.circuits.files.interchange import write_edges
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.published.published import planted_circuit
from circuitvar.circuits.types import EdgeScores
from circuitvar.reports.circuits.run_score import print_strongest
from circuitvar.reports.compare.gate import Row, check_runs, judge_rows
from tests.reports.commands.test_cli import commands, run

GATED = ("--model", "planted:gated", "--task", "planted-gated", "--n", "12")
DANGLING = "input->a0.h0<q>"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder beside a circuit, and a data set of another tokenizer."""
    model = load_model("planted:gated")
    kept = np.arange(model.graph.n_edges) < 4
    write_edges(tmp_path / "c.csv", EdgeFile(model.graph, kept, None, "test"))
    (tmp_path / "ids.csv").write_text(
        "clean,corrupted,correct_idx,incorrect_idx\n"
        + "".join(f"Then {i} Aaron,Then {i} Amber,[4776{i}],[26757]\n" for i in range(9))
    )
    (tmp_path / "few.csv").write_text("clean,corrupted,template\na,b,c\n")
    (tmp_path / "ids.jsonl").write_text('{"clean_ids": [1, 2]}')
    for name in ("none.txt", "none.csv", "none.json", "none.pt"):
        (tmp_path / name).touch()
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "graph.json").write_text('{"edges": {}, "nodes": {}}')
    (tmp_path / "head.csv").write_text("edge\n")
    (tmp_path / "junk.pt").write_text("junk")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


MISTAKES = [
    (["evaluate", "none.txt", *GATED], "none.txt holds no edge of a circuit"),
    (["evaluate", "none.csv", *GATED], "none.csv is empty; it needs a column 'edge'"),
    (["evaluate", "none.json", *GATED], "none.json is not valid JSON"),
    (["evaluate", "none.pt", *GATED], "none.pt is not a torch file"),
    (["evaluate", "list.json", *GATED], "list.json holds no edge of a circuit"),
    (["evaluate", "graph.json", *GATED], "graph.json holds no edge of a circuit"),
    (["evaluate", "head.csv", *GATED], "head.csv holds no edge of a circuit"),
    (["evaluate", "junk.pt", *GATED], "junk.pt is not a torch file"),
    (["evaluate", "c.csv", *GATED, "--pairs", "0"], "pairs = 0 is too small; use 1 or more"),
    (["evaluate", "c.csv", *GATED, "--fit-steps", "0"], "fit_steps = 0 is too small; use 1 or"),
    (["test", "c.csv", *GATED, "--level", ".95"], "--level of `test` is now called --alpha"),
    (["audit", "ioi", "--level=.95"], "--level of `audit` is now called --confidence"),
    (["evaluate", "c.csv", *GATED, "--steps", "5"], "--steps of `evaluate` is now called --fit-st"),
    (["score", "ioi", "--method", "eap", "--steps", "9"], "method 'eap' has no integration steps"),
    (["test", "c.csv", *GATED, "--alpha", "2"], "alpha = 2 is not an error rate"),
    (["score", "ioi", "--n", "8", "--edges", "none.txt"], "none.txt holds no edge of a circuit"),
    (["score", "ioi", "--top", "-3"], "--top is -3; give 1 or more"),
    (["score", "ioi", "--seed", "-1"], "seed = -1 is too small; use 0 or more"),
    (["score", "--data", "ids.jsonl"], "missing column 'corrupt_ids', 'answer_ids', 'wrong_"),
    (["score", "--data", "few.csv"], "few.csv: missing column 'answer', 'wrong_answer'; found"),
    (["audit", "ioi", "--confidence", "2"], "confidence = 2 is not a confidence level"),
    (["decide", "ioi", "--confidence", "2"], "confidence = 2 is not a confidence level"),
    (["find", "ioi", "--alpha", "2"], "alpha = 2 is not an error rate"),
    (["find", "ioi", "--amount", "0"], "amount is 0; a circuit needs at least one edge"),
    (["find", "ioi", "--n", "8", "--rule", "threshold", "--amount", "1e9"],
     "0 edges chosen and 0 live, so there is no circuit to write"),
    (["table", "c.csv", "--out", "/proc/x.tex"], "cannot write the report to /proc: "),
    (["join", "empty", "nofolder"], "empty is no report: cannot read empty/report.html"),
]  # fmt: skip


def results(folder):
    """What stands in a folder, runs apart: finished ones are kept whatever comes of them."""
    return sorted(path for path in folder.rglob("*") if "runs" not in path.parts)


@pytest.mark.parametrize(("arguments", "text"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_refused_in_one_sentence(monkeypatch, capsys, folder, arguments, text):
    before = results(folder)
    code, _, err = run(monkeypatch, capsys, *arguments)
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert text in err
    assert results(folder) == before


def test_ids_of_another_tokenizer_are_named_with_the_file(monkeypatch, capsys, folder):
    code, _, err = run(monkeypatch, capsys, "score", "--data", "ids.csv", "--n", "8")
    assert code == 2
    assert err.startswith("circuitvar: ids.csv: 9 rows, EAP-IG layout: only 0 of ")
    assert "likely ids of another tokenizer" in err
    assert "-> ids 4776" in err
    assert "not 26757)" in err


@pytest.mark.parametrize("alpha", [3.0, -1.0, 0.0, float("nan")])
def test_an_error_rate_outside_0_to_1_judges_nothing(tmp_path, alpha):
    row = Row("phi", 0.8, 0.8, 0.0, 0.001, 20, tolerance=0.02)
    with pytest.raises(ValueError, match="is not an error rate"):
        judge_rows([row], alpha=alpha)
    with pytest.raises(ValueError, match="is not an error rate"):
        check_runs(tmp_path, tmp_path, alpha=alpha)


def test_every_seed_option_is_checked():
    seeds = [p for c in commands().values() for p in c.params if p.name == "seed"]
    assert len(seeds) >= 10
    # From a record, its range is checked; else a callback does it.
    assert all(p.callback is not None or "(0 or more)" in p.help for p in seeds)


def test_find_says_how_many_edges_it_wrote(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = ("find", "ioi", "--n", "8", "--method", "eap", "--amount", "40", "--out", "c.json")
    code, out, _ = run(monkeypatch, capsys, *found)
    live = int(out.split(" live")[0].split()[-1])
    assert code == 0
    assert live < 40
    assert f"a circuit of {live} edges without the {40 - live} dangling ones" in out
    assert "written to c.json" in out


def test_a_file_says_nothing_about_edges_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = (*planted_circuit("gated", load_model("planted:gated").graph).edge_names, DANGLING)
    (tmp_path / "c.txt").write_text("\n".join(names))
    options = ("--ablation", "patching", "--out", "o")
    code, out, _ = run(monkeypatch, capsys, "evaluate", "c.txt", *GATED, *options)
    assert code == 0
    assert "c.txt: 5 edges in the file, 4 live, judged on 12 held-out prompts." in out
    assert "asked for" not in out


def test_scores_of_exactly_zero_have_no_sign(capsys):
    graph = load_model("planted:gated").graph
    values = np.zeros((6, graph.n_edges), dtype=np.float32)
    values[:, 0] = 1.0
    nothing = np.zeros(6)
    scores = EdgeScores(graph, values, nothing, nothing, "eap", "logit_diff", ("t",) * 6)
    print_strongest(scores, 2)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.endswith("100%")
    assert second.endswith("–")
