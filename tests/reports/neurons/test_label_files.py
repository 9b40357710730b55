"""Labels of other tools, from the command line."""

import numpy as np
import pandas as pd
import pytest

from tests.reports.commands.toy_commands import run


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    concepts = rng.integers(0, 2, (400, 3))
    acts = concepts[:, [1, 2]] + 0.2 * rng.normal(size=(400, 2))
    np.save(tmp_path / "acts.npy", acts)
    np.save(tmp_path / "concepts.npy", concepts.astype(float))
    (tmp_path / "names.txt").write_text("cat\nnull\nred\n")
    pd.DataFrame(concepts, columns=["cat", "null", "red"]).to_csv(tmp_path / "c.csv", index=False)
    (tmp_path / "labels.csv").write_text("layer,unit,description\nl,0,null\nl,1,cat\n")
    return tmp_path


@pytest.mark.parametrize(
    "given", [("--concepts", "c.csv"), ("--concepts", "concepts.npy", "--names", "names.txt")]
)
def test_labels_are_confirmed_and_contradicted(folder, monkeypatch, capsys, given):
    monkeypatch.chdir(folder)
    code, out, err = run(
        monkeypatch,
        capsys,
        "labels",
        "labels.csv",
        "--activations",
        "acts.npy",
        *given,
        "--out",
        "found",
    )
    assert (code, err) == (0, "")
    assert "written to found/labels.csv" in out
    found = pd.read_csv(folder / "found" / "labels.csv", keep_default_na=False)
    assert found["label"].tolist() == ["null", "cat"]
    assert found["support"].tolist() == ["confirmed", "contradicted"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--layout", "clip"), "unknown layout of labels 'clip'; choose one of clip-dissect"),
        (("--concepts", "concepts.npy"), "concepts.npy does not name its concepts; give --names"),
        (("--activations", "no.npy"), "no.npy"),
    ],
)
def test_mistakes_are_one_sentence(folder, monkeypatch, capsys, more, message):
    monkeypatch.chdir(folder)
    given = ("labels", "labels.csv", "--activations", "acts.npy", "--concepts", "c.csv")
    code, _, err = run(monkeypatch, capsys, *given, *more)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (folder / "runs").exists()
