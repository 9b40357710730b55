"""Streamed safetensors files are what the library reads, and damaged ones are refused."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from circuitvar.circuits.scores import tensor_files
from circuitvar.circuits.scores.tensor_files import map_tensors, write_tensors

TENSORS = {
    "scores": np.arange(12, dtype=np.float32).reshape(4, 3),
    "metric": np.array([0.5, -1.0]),
    "none": np.zeros((0, 3), dtype=np.float32),
}


@pytest.mark.parametrize("piece", [1, 24, 2**24])
def test_the_library_reads_what_is_streamed(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(tensor_files, "PIECE", piece)
    path = write_tensors(tmp_path / "x.safetensors", TENSORS)
    for read in (load_file(path), map_tensors(path)):
        assert read.keys() == TENSORS.keys()
        for name, tensor in TENSORS.items():
            np.testing.assert_array_equal(read[name], tensor)
            assert read[name].dtype == tensor.dtype
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_files_of_the_library_are_mapped_read_only(tmp_path):
    save_file(TENSORS, tmp_path / "y.safetensors", metadata={"a": "b"})
    scores = map_tensors(tmp_path / "y.safetensors")["scores"]
    np.testing.assert_array_equal(scores, TENSORS["scores"])
    assert not scores.flags.writeable


def test_damaged_files_and_other_types_are_refused(tmp_path):
    path = write_tensors(tmp_path / "x.safetensors", TENSORS)
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-9])
    (tmp_path / "text").write_text("not tensors at all")
    for name in ("cut", "text"):
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            map_tensors(tmp_path / name)
    with pytest.raises(ValueError, match="tensor 'a' is complex128"):
        write_tensors(tmp_path / "z", {"a": np.zeros(2, dtype=complex)})
    assert not (tmp_path / "z").exists()
