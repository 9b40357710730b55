"""`find`, `evaluate` and `test`: every rule and ablation reachable, tables and sections written."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from circuitvar.circuits.files.edge_file import EdgeFile
from circuitvar.circuits.files.interchange import read_edges, write_edges
from circuitvar.circuits.find.finders import get_finder
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.published.published import FOLDER, planted_circuit
from circuitvar.circuits.types import Finder
from circuitvar.reports.circuits.run_evaluate import run_evaluate
from circuitvar.reports.circuits.run_find import FIND_RULES, run_find
from circuitvar.reports.circuits.run_tests import run_tests
from circuitvar.reports.commands import cli
from circuitvar.reports.named.by_name import circuit_task, resolve_circuit
from circuitvar.reports.options import CircuitTestOptions, EvaluateOptions, FindOptions, ModelChoice
from circuitvar.reports.page.section_file import read_section
from circuitvar.tasks.planted.catalog import get_planted

GATED = "planted:gated"
HERE = ModelChoice(GATED)


@pytest.fixture(scope="module")
def model():
    return load_model(GATED)


@pytest.fixture(scope="module")
def task():
    return get_planted("gated").task


@pytest.mark.parametrize("rule", FIND_RULES)
def test_every_selection_rule_is_reachable_and_reports_its_sizes(tmp_path, model, task, rule):
    amount = {"top-fraction": 0.1, "threshold": 1.0}.get(rule, 6)
    options = FindOptions(rule=rule, method="exact", amount=amount, n=24, error="kl", epsilon=0.01)
    circuit = run_find(task, where=HERE, out=tmp_path / "c.csv", options=options)
    record = json.loads((tmp_path / "c.csv.record.json").read_text())
    assert record["how"] == circuit.rule
    assert (record["requested"], record["selected"], record["live"]) == (
        circuit.requested,
        circuit.selected,
        circuit.size,
    )
    back = read_edges(tmp_path / "c.csv", model.graph)
    np.testing.assert_array_equal(back.kept, circuit.kept)
    assert back.scores is not None
    if rule in ("smallest-faithful", "threshold"):
        assert set(circuit.edge_names) == task.known_edges


def test_significance_keeps_the_edges_that_always_matter(tmp_path):
    options = FindOptions(rule="significant", method="exact", n=80, alpha=0.05)
    task = get_planted("noise").task
    circuit = run_find(
        task, where=ModelChoice("planted:noise"), out=tmp_path / "c.csv", options=options
    )
    kept = set(circuit.edge_names)
    assert kept <= task.known_edges
    assert {"input->a0.h0<v>", "a0.h0->logits", "a1.h0->logits"} <= kept  # means 4 and 3.5
    assert "a1.h6->logits" not in kept  # mean 0
    assert circuit.rule == "adjusted p <= 0.05 by |score|"


@pytest.mark.parametrize("finder", ["acdc", "edge-pruning", "mask-gradient"])
@pytest.mark.parametrize("ending", ["txt"])
def test_every_finder_writes_a_file(tmp_path, model, task, finder, ending):
    out = tmp_path / f"c.{ending}"
    options = FindOptions(finder=finder, amount=6, n=8)
    circuit = run_find(task, where=HERE, out=out, options=options)
    np.testing.assert_array_equal(read_edges(out, model.graph).kept, circuit.kept)
    record = json.loads((tmp_path / f"c.{ending}.record.json").read_text())
    assert record["finder"] == finder
    assert "rule" not in record


def test_a_users_finder_is_a_finder(tmp_path, monkeypatch, task):
    (tmp_path / "mine.py").write_text(
        "from circuitvar.circuits.published.published import planted_circuit\n"
        "def cheat(model, batch, *, metric, size, seed):\n"
        "    '''The true circuit.'''\n"
        "    return planted_circuit('gated', model.graph)\n"
        "three = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert get_finder("mine:cheat").title == "The true circuit."
    out = tmp_path / "c.txt"
    circuit = run_find(task, where=HERE, out=out, options=FindOptions(finder="mine:cheat", n=8))
    assert set(circuit.edge_names) == task.known_edges
    monkeypatch.setattr(sys.modules["mine"], "three", Finder("k", "t", get_finder("acdc").fn))
    assert get_finder("mine:three").key == "k"
    with pytest.raises(ValueError, match="finder 'mine:two' could not be imported"):
        get_finder("mine:two")


def test_finding_is_refused_before_any_work(tmp_path, task):
    for options, message in (
        ({"rule": "best"}, "unknown selection rule 'best'; choose one of top-n"),
        ({"error": "loss"}, "unknown error 'loss'; choose one of circuit-error, faithfulness, kl"),
        ({"alpha": 2.0}, "alpha = 2 is not an error rate"),
    ):
        with pytest.raises(ValueError, match=message):
            FindOptions(**options)
    with pytest.raises(ValueError, match=r"endings understood: \.json"):
        run_find(task, where=HERE, out=tmp_path / "c.xls")
    with pytest.raises(ValueError, match="one k and v per head and an MLP"):
        run_find(task, where=HERE, out=tmp_path / "c.json")
    with pytest.raises(ValueError, match="needs --amount"):
        run_find(
            task, where=HERE, out=tmp_path / "c.txt", options=FindOptions(rule="threshold", n=8)
        )
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluate")
    tables = run_evaluate(
        GATED,
        where=HERE,
        options=EvaluateOptions(n=24, method="exact", pairs=60, fit_steps=3),
        out=out,
        quiet=True,
    )
    return out, tables


def test_an_evaluation_has_five_ablations_the_six_choices_and_completeness(evaluated):
    out, tables = evaluated
    table = tables["evaluation"]
    assert list(table["ablation"]) == ["patching", "mean", "mean-positional", "zero", "optimal"]
    assert sum(name.startswith("choice: ") for name in table) == 6
    patched = table.iloc[0]
    assert (patched["requested"], patched["selected"], patched["live"]) == (4, 4, 4)
    assert patched["faithfulness"] == pytest.approx(1)
    assert patched["mean_of_ratios"] == pytest.approx(1)
    assert patched["complement"] == pytest.approx(0, abs=1e-6)
    assert patched["circuit_error"] == 0
    assert patched["accuracy"] == 1
    assert len(pd.read_csv(out / "circuits_examples.csv")) == 5 * 24


def test_the_curve_is_mibs_grid_with_areas_on_both_axes(evaluated):
    out, tables = evaluated
    curve = pd.read_csv(out / "circuits_curve.csv")
    shares = curve.loc[curve["ablation"] == "patching", "share"]
    assert list(shares) == [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert set(curve["ablation"]) == {"patching", "mean", "mean-positional", "zero"}
    areas = tables["areas"].set_index(["ablation", "edges", "axis"])
    # Exact scores rank the 4 true of 52 edges first: 10 % and more are faithful.
    assert areas.loc[("patching", "requested", "linear"), "cpr"] > 0.9
    assert areas.loc[("patching", "requested", "linear"), "cmd"] < 0.1
    assert len(areas) == 4 * 2 * 2
    tail = tables["tail"].iloc[0]
    assert tail["mean_kl"] <= tail["tail_mean_kl"] <= tail["worst_kl"]


def test_the_section_lists_what_is_there(evaluated):
    out, _ = evaluated
    section = read_section(out)
    assert section.kind == "circuits"
    assert {table.file for table in section.tables} == {path.name for path in out.glob("*.csv")}
    assert {figure.file for figure in section.figures} == {path.name for path in out.glob("*.svg")}
    assert "faithfulness 1 (ratio of means" in section.summary[1]


def test_the_tests_are_written_with_power_next_to_every_non_rejection(tmp_path):
    tables = run_tests(
        GATED,
        where=HERE,
        options=CircuitTestOptions(
            n=80, draws=60, permutations=99, families=("connected", "edges")
        ),
        out=tmp_path,
    )
    tests = tables["tests"]
    assert list(tests["null_family"]) == ["connected"] * 6 + ["edges"] * 2
    kept = tests[~tests["rejected"]]
    assert kept["power"].notna().all()
    section = read_section(tmp_path)
    assert section.kind == "circuit-tests"
    assert section.summary[0] == f"{GATED} (4 edges) passes every test."
    for sentence in section.summary[1:]:
        assert "not rejected" not in sentence or "power" in sentence
    assert sorted(path.name for path in tmp_path.glob("circuits_*.csv")) == [
        "circuits_minimality.csv",
        "circuits_tests.csv",
    ]


def test_mistakes_in_options_are_one_sentence():
    with pytest.raises(ValueError, match="unknown ablation 'none'; choose one of patching"):
        EvaluateOptions(ablations=("none",))
    with pytest.raises(ValueError, match="unknown null family 'x'"):
        CircuitTestOptions(families=("x",))
    with pytest.raises(ValueError, match="unknown ablation 'optimal'"):
        CircuitTestOptions(ablation="optimal")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="draws = 0 is too small"):
        CircuitTestOptions(draws=0)


def test_circuits_are_found_by_name_and_by_file(tmp_path, model):
    true = planted_circuit("gated", model.graph)
    write_edges(tmp_path / "c.csv", EdgeFile(model.graph, true.kept, None, "test"))
    scores = np.arange(model.graph.n_edges, dtype=float)
    write_edges(tmp_path / "s.csv", EdgeFile(model.graph, None, scores, "test"))
    found = resolve_circuit(str(tmp_path / "c.csv"), model)
    np.testing.assert_array_equal(found.circuit.kept, true.kept)
    assert resolve_circuit("planted-gated", model).task == "planted-gated"
    assert resolve_circuit(str(tmp_path / "s.csv"), model, size=20).circuit.requested == 20
    with pytest.raises(ValueError, match="scores but no circuit; say how many edges with --size"):
        resolve_circuit(str(tmp_path / "s.csv"), model)
    with pytest.raises(ValueError, match="neither a file nor shipped"):
        resolve_circuit("nothing.csv", model)
    with pytest.raises(ValueError, match="ship with variants"):
        resolve_circuit(str(tmp_path / "c.csv"), model, variant="heads")
    with pytest.raises(ValueError, match=r"does not say what it is a circuit of; name it with"):
        circuit_task(found, None, None)


def test_a_users_json_with_roles_is_a_published_circuit(tmp_path, model):
    data = json.loads((FOLDER / "induction-gpt2.json").read_text())
    data |= {
        "shape": {"n_layers": 2, "n_heads": 3, "has_mlp": False},
        "roles": {"gate": ["a0.h0"], "answer": ["a1.h0", "a1.h1"]},
        "connections": [
            {"from": "input", "to": "gate", "slots": "v"},
            {"from": "gate", "to": "answer", "slots": "q"},
            {"from": "answer", "to": "logits"},
        ],
        "task": "planted-gated",
    }
    (tmp_path / "mine.json").write_text(json.dumps(data))
    found = resolve_circuit(str(tmp_path / "mine.json"), model)
    assert found.roles == {"a0.h0": "gate", "a1.h0": "answer", "a1.h1": "answer"}
    assert found.task == "planted-gated"
    assert found.circuit.size == 5


def test_the_commands_run_from_the_shell(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["circuitvar", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
        return capsys.readouterr().out

    file = tmp_path / "c.txt"
    out = run("find", "planted-gated", "--model", GATED, "--n", 8, "--amount", 8, "--out", file)
    assert "8 edges asked for, 4 chosen" in out, "the other edges score zero"
    shared = ("--model", GATED, "--task", "planted-gated", "--n", 10, "-q")
    run("evaluate", file, *shared, "--ablation", "zero", "--method", "eap", "--out", tmp_path / "e")
    run("test", file, *shared, "--draws", 5, "--permutations", 19, "--out", tmp_path / "t")
    assert read_section(tmp_path / "e").title == f"Evaluation of {file}"
    assert read_section(tmp_path / "t").kind == "circuit-tests"
