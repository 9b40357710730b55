"""Edge scores on disk: what is written is what is read, and half a folder is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from circuitvar.circuits.graph import Graph
from circuitvar.circuits.scores.score_files import read_scores, write_scores
from circuitvar.circuits.types import EdgeScores


def toy_scores(columns: tuple[int, ...] | None = None) -> EdgeScores:
    graph = Graph(n_layers=1, n_heads=2)
    width = graph.n_edges if columns is None else len(columns)
    values = np.random.default_rng(0).normal(size=(5, width)).astype(np.float32)
    clean, corrupt = np.arange(5.0), -np.arange(5.0)
    return EdgeScores(
        graph, values, clean, corrupt, "eap", "logit_diff", tuple("aabbc"), columns, {"seed": 0}
    )


@pytest.mark.parametrize("columns", [None, (3, 1)])
def test_round_trip(tmp_path, columns):
    scores = toy_scores(columns)
    write_scores(scores, tmp_path)
    read = read_scores(tmp_path)
    np.testing.assert_array_equal(read.values, scores.values)
    np.testing.assert_array_equal(read.metric_clean, scores.metric_clean)
    assert (read.graph, read.method, read.templates) == (scores.graph, "eap", scores.templates)
    assert read.columns == columns
    lines = (tmp_path / "edges.csv").read_text().splitlines()
    expected = range(scores.graph.n_edges) if columns is None else columns
    assert [line.split(",")[1] for line in lines[1:]] == [
        scores.graph.edge_names[e] for e in expected
    ]


def test_nothing_is_left_beside_the_files(tmp_path):
    write_scores(toy_scores(), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"edges.csv", "scores.json", "scores.safetensors"}


def test_a_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no scores\.json"):
        read_scores(tmp_path)


def test_another_format_is_refused(tmp_path):
    write_scores(toy_scores(), tmp_path)
    header = json.loads((tmp_path / "scores.json").read_text())
    (tmp_path / "scores.json").write_text(json.dumps({**header, "format": 99}))
    with pytest.raises(ValueError, match="format 99, this version reads 2; run `score` again"):
        read_scores(tmp_path)


def test_files_of_different_runs_are_refused(tmp_path):
    write_scores(toy_scores(), tmp_path / "a")
    write_scores(replace(toy_scores(), values=toy_scores().values + 1), tmp_path / "b")
    (tmp_path / "b" / "scores.safetensors").replace(tmp_path / "a" / "scores.safetensors")
    with pytest.raises(ValueError, match="damaged, edited, or of another run; run `score` again"):
        read_scores(tmp_path / "a")


@pytest.mark.parametrize("name", ["scores.json", "scores.safetensors", "edges.csv"])
def test_no_changed_file_is_believed(tmp_path, name):
    write_scores(toy_scores(), tmp_path)
    path, rng = tmp_path / name, np.random.default_rng(0)
    whole = path.read_bytes()
    for number in range(60):
        data, at = bytearray(whole), int(rng.integers(len(whole)))
        if number % 3:
            data[at] ^= int(rng.integers(1, 256))
        else:
            del data[at:]
        path.write_bytes(bytes(data))
        try:
            same = json.loads(data) == json.loads(whole) if name == "scores.json" else False
        except ValueError:
            same = False
        if not same:  # White space of JSON says nothing.
            with pytest.raises(ValueError, match=r"run `score` again|holds no"):
                read_scores(tmp_path)
    path.write_bytes(whole)
    assert read_scores(tmp_path).method == toy_scores().method
