"""A file is the old one or the new one, whole."""

import pytest

from circuitvar.circuits.atomic import replacing


@pytest.mark.parametrize("sync", [False, True])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, sync):
    path = tmp_path / "scores.json"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path, sync=sync) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    with replacing(path, sync=sync) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "net.json"
    with replacing(path) as first, replacing(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first", "the last to finish"
    assert list(tmp_path.iterdir()) == [path]
