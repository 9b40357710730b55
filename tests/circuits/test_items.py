"""The store: what is not proven is not believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.circuits.items import inspect_item, item_path, read_item, write_item

WHO = {"model": "m", "data": [1, 2]}
ARRAYS = {"scores": np.arange(6, dtype=np.float32).reshape(2, 3), "kept": np.array([True, False])}


def test_what_is_kept_comes_back(tmp_path):
    path = write_item(tmp_path, WHO, ARRAYS, note={"templates": ["a", "\u00e9"]})
    found = read_item(tmp_path, {"data": [1, 2], "model": "m"})
    assert found is not None and found.note == {"templates": ["a", "\u00e9"]}
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_an_unknown_item_is_none_without_a_word(tmp_path):
    assert read_item(tmp_path / "nowhere", WHO) is None


def test_the_same_content_is_the_same_bytes(tmp_path):
    files = [
        write_item(tmp_path / name, dict(sorted(WHO.items(), reverse=turn)), ARRAYS, note=[1])
        for turn in (False, True)
        for name in (f"a{turn}", f"b{turn}")
    ]
    assert len({file.read_bytes() for file in files}) == 1


def test_another_item_under_its_name_is_not_believed(tmp_path):
    one = write_item(tmp_path, WHO, ARRAYS)
    other = {**WHO, "data": [1, 3]}
    item_path(tmp_path, other).write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="holds another item than its name says"):
        assert read_item(tmp_path, other) is None


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255), cut=st.booleans())
def test_no_changed_byte_and_no_cut_is_believed(tmp_path_factory, at, flip, cut):
    folder = tmp_path_factory.mktemp("store", numbered=True)
    path = write_item(folder, WHO, ARRAYS, note={"n": 1.5})
    data = bytearray(path.read_bytes())
    at %= len(data)
    if cut:
        del data[at:]
    else:
        data[at] ^= flip
    path.write_bytes(bytes(data))
    found = inspect_item(path)
    if not isinstance(found, str):  # Blanks between JSON values hold nothing.
        identity, item = found
        assert (identity, item.note) == (WHO, {"n": 1.5})
        assert all((item.arrays[name] == array).all() for name, array in ARRAYS.items())
    path.unlink()
    folder.rmdir()


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*given, **more):
        raise OSError("no space left")

    monkeypatch.setattr("circuitvar.circuits.items.save", full)
    with pytest.raises(OSError, match="no space"):
        write_item(tmp_path, WHO, ARRAYS)
    assert not list(tmp_path.iterdir())
