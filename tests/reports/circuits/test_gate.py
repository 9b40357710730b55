"""Every command about a circuit refuses a model that does not do the task, or says so."""

import json

import numpy as np
import pytest

from circuitvar.circuits.evaluate.null_model import random_weight_model
from circuitvar.circuits.loading import load_model
from circuitvar.reports.identify.transformer import run_identify_model
from circuitvar.reports.named import task_caution
from circuitvar.reports.options import ModelOptions
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens import get_metric, sample_batch
from tests.reports.commands.toy_commands import run

WEAK = "the model does not do 'ioi': accuracy"
SMALL = {
    "evaluate": ("--n", "16", "--ablation", "zero", "--pairs", "8"),
    "test": ("--n", "16", "--draws", "8"),
    "published": ("--n", "16", "--draws", "8"),
}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """The pocket model with shuffled weights, as a folder, and a circuit of it."""
    folder = tmp_path_factory.mktemp("untrained")
    pocket = load_model("pocket")
    shuffled = random_weight_model(pocket, rng=np.random.default_rng(0))
    shuffled.hf.save_pretrained(folder)
    shuffled.tokenizer.save_pretrained(folder)
    circuit = folder / "circuit.txt"
    circuit.write_text("\n".join(pocket.graph.edge_names[:40]), encoding="utf-8")
    return folder, circuit


@pytest.mark.parametrize("command", SMALL)
def test_commands_about_a_circuit(monkeypatch, capsys, tmp_path, untrained, command):
    folder, circuit = untrained
    asked = (command, str(circuit), "--task", "ioi", "--model", str(folder), *SMALL[command])
    code, _, err = run(monkeypatch, capsys, *asked, "--out", str(tmp_path / "out"))
    assert code == 2 and WEAK in err and "--allow-weak" in err
    assert not (tmp_path / "out").exists()
    code, _, err = run(
        monkeypatch, capsys, *asked, "--out", str(tmp_path / "out"), "--allow-weak", "--quiet"
    )
    assert code == 0, err
    section = json.loads((tmp_path / "out" / "section.json").read_text())
    assert section["summary"][0].startswith("The model does not do 'ioi': accuracy")


def test_finding_a_circuit(monkeypatch, capsys, tmp_path, untrained):
    out = tmp_path / "circuit.csv"
    asked = ("find", "ioi", "--model", str(untrained[0]), "--n", "16", "--out", str(out))
    code, _, err = run(monkeypatch, capsys, *asked)
    assert code == 2 and WEAK in err
    assert not list(tmp_path.iterdir())
    code, _, err = run(monkeypatch, capsys, *asked, "--allow-weak")
    assert code == 0, err
    record = json.loads((tmp_path / "circuit.csv.record.json").read_text())
    assert record["cautions"][0].startswith("The model does not do 'ioi'")


def test_asking_what_else_fits(tmp_path, untrained):
    options = ModelOptions(n=16, heldout=16, m=3, resamples=5)
    with pytest.raises(ValueError, match=WEAK):
        run_identify_model(str(untrained[0]), "ioi", out=tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()


def test_a_model_that_does_the_task_needs_no_caution():
    task, model = get_task("ioi"), load_model("pocket")
    batch = sample_batch(task, 32, model, rng=np.random.default_rng(0))[0].batch
    metric = get_metric(task.metric)
    assert task_caution(task, model, batch, metric, allow_weak=False) == []
