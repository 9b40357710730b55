"""Kept tables come back as they were, and damaged ones are computed again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvar.reports.tables import kept_tables

FRAME = pd.DataFrame(
    {
        "name": ["null", "", "ü"],
        "maybe": ["x", None, "y"],
        "count": [1, 2**62, -1],
        "value": [0.1, np.nan, 1e-320],
        "far": [np.inf, -np.inf, -0.0],
        "yes": [True, False, True],
        "some": pd.array([1, None, 3], dtype="Int64"),
        "sure": pd.array([True, None, False], dtype="boolean"),
        "mixed": np.array(["a", 1, 0.5], dtype=object),
    }
)


@pytest.mark.parametrize("frame", [FRAME, FRAME.head(0), pd.DataFrame(), FRAME.assign(one=1.0)])
def test_tables_come_back_as_they_were(tmp_path, frame):
    calls = []

    def compute():
        calls.append(1)
        return {"one": frame, "other": FRAME}

    for _ in range(2):
        found = kept_tables(tmp_path, {"seed": 1}, compute)
        pd.testing.assert_frame_equal(found["one"], frame, check_exact=True)
        pd.testing.assert_frame_equal(found["other"], FRAME, check_exact=True)
    assert len(calls) == 1
    kept_tables(tmp_path, {"seed": 2}, compute)
    kept_tables(None, {"seed": 1}, compute)
    assert len(calls) == 3


@given(st.lists(st.floats(), min_size=1))
def test_numbers_keep_every_bit(tmp_path_factory, values):
    frame = pd.DataFrame({"value": values})
    found = kept_tables(tmp_path_factory.mktemp("store"), {}, lambda: {"it": frame})["it"]
    pd.testing.assert_frame_equal(found, frame, check_exact=True)


def test_a_damaged_table_is_named_and_computed_again(tmp_path):
    kept_tables(tmp_path, {}, lambda: {"it": FRAME})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"null", b"nulL"))
    with pytest.warns(UserWarning, match="is damaged and is computed again"):
        found = kept_tables(tmp_path, {}, lambda: {"it": FRAME})["it"]
    assert found["name"].tolist() == ["null", "", "ü"]
