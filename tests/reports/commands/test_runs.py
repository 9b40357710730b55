"""`circuitvar runs`: what a folder keeps of finished work."""

import os
import time

import numpy as np
import pytest

from circuitvar.circuits.items import list_items, write_item
from tests.reports.commands.toy_commands import run

SCORES = {"method": ["eap", "abc"], "metric": "logit_diff", "examples": [0, 1], "data": "x"}
RUN = {"levels": {"method": "eap"}, "replicate": 1, "context": "c"}


@pytest.fixture
def kept(tmp_path):
    """Two whole items, one damaged, one under another's name, one stale, two files left behind."""
    folder = tmp_path / "out"
    arrays = {"scores": np.ones((2, 3), dtype=np.float32)}
    whole = write_item(folder, SCORES, arrays)
    write_item(folder / "runs", RUN, arrays)
    damaged = write_item(folder, {**SCORES, "data": "y"}, arrays)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    foreign = write_item(folder, {**SCORES, "data": "z"}, arrays)
    foreign.write_bytes(whole.read_bytes())
    write_item(folder, {**SCORES, "package": "0.0.1"}, arrays)
    left, young = (folder / f".{whole.name}-{digit * 16}" for digit in "ab")
    staging = tmp_path / ".out-abcd1234"
    staging.mkdir()
    for path in (left, young):
        path.write_bytes(b"half")
    for path in (left, staging):
        os.utime(path, (time.time() - 7200,) * 2)
    return folder


def states(folder):
    return sorted(item.state for item in list_items(folder))


ALL = ["abandoned", "abandoned", "damaged", "foreign", "stale", "whole", "whole"]


def test_ls_says_what_each_item_is(monkeypatch, capsys, kept):
    assert states(kept) == ALL
    code, out, _ = run(monkeypatch, capsys, "runs", "ls", str(kept))
    assert code == 0
    assert "scores: eap, logit_diff, 2 prompts" in out
    assert "run: method=eap, replicate 1" in out


def test_verify_names_what_is_not_believed(monkeypatch, capsys, kept):
    code, out, _ = run(monkeypatch, capsys, "runs", "verify", str(kept))
    assert code == 1
    assert out.count("damaged: ") == out.count("foreign: ") == 1
    assert "5 of 7 items are whole or not in use" in out


def test_gc_deletes_what_is_never_read_again(monkeypatch, capsys, kept):
    code, out, _ = run(monkeypatch, capsys, "runs", "gc", str(kept))
    assert code == 0 and "deleted 5 items" in out
    assert states(kept) == ["whole", "whole"]
    assert any(path.name.startswith(".") for path in kept.iterdir()), "a young file stays"
    assert run(monkeypatch, capsys, "runs", "verify", str(kept))[0] == 0


def test_show_prints_the_identity(monkeypatch, capsys, kept):
    name = next(item.path.stem for item in list_items(kept / "runs"))
    code, out, _ = run(monkeypatch, capsys, "runs", "show", str(kept), name[:8])
    assert code == 0 and '"levels"' in out and '"scores"' in out
    code, _, err = run(monkeypatch, capsys, "runs", "show", str(kept), "")
    assert code == 2 and "items of" in err and "begin with ''" in err


def test_a_folder_that_is_not_there(monkeypatch, capsys, tmp_path):
    code, _, err = run(monkeypatch, capsys, "runs", "ls", str(tmp_path / "no"))
    assert code == 2 and "is no folder; give one that a command wrote to" in err
