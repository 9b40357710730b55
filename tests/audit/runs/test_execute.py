"""What is stored is not run again; what is not whole is."""

import numpy as np
import pytest

from circuitvar.audit.design.identifiable import labels_of
from circuitvar.audit.runs.design import Design, Facet, run_keys
from circuitvar.audit.runs.execute import execute, load_run, missing_runs, save_run
from circuitvar.audit.variance import moment_components
from circuitvar.circuits.items import item_path

METHOD = Facet("method", ("a", "b", "c"))
DATA = Facet("data", tuple(range(4)), random=True)


def _compute(key):
    return {"scores": key.rng().normal(size=(6, 10)) + dict(key.levels)["data"]}


def _stacked(folder, keys):
    found = [load_run(folder, key) for key in keys]
    return np.stack([run["scores"].mean(axis=0) for run in found if run is not None])


def test_a_resumed_design_equals_an_uninterrupted_one(tmp_path):
    keys = run_keys(Design((METHOD, DATA)), context="c")
    assert execute(tmp_path / "whole", keys, _compute) == 12
    calls = 0

    def interrupted(key):
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return _compute(key)

    with pytest.raises(KeyboardInterrupt):
        execute(tmp_path / "parts", keys, interrupted)
    assert len(missing_runs(tmp_path / "parts", keys)) == 7
    seen = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    assert execute(tmp_path / "parts", keys[::-1], _compute, progress=progress) == 7
    assert seen[-1] == (11, 12)
    for key in keys:
        whole, parts = (item_path(tmp_path / name, key.identity) for name in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()
    assert len(list((tmp_path / "parts").iterdir())) == 12


def test_stored_runs_give_components(tmp_path):
    keys = run_keys(Design((METHOD, DATA)))
    execute(tmp_path, keys, _compute)
    factors = {name: labels_of(keys, (name,)) for name in ("method", "data")}
    found = moment_components(_stacked(tmp_path, keys), factors)
    assert found.of("data").mean() > 10 * abs(found.of("method").mean())


def test_text_comes_back_as_text(tmp_path):
    (key,) = run_keys(Design((Facet("data", (0,)),)))
    templates = np.array(["one", "tw\u00f6"])
    save_run(tmp_path, key, {"scores": np.ones((2, 3)), "templates": templates})
    found = load_run(tmp_path, key)
    assert found is not None
    np.testing.assert_array_equal(found["templates"], templates)


def test_damaged_and_foreign_runs_are_named_and_run_again(tmp_path):
    a, b = keys = run_keys(Design((Facet("data", (0, 1)),)))
    save_run(tmp_path, a, _compute(a))
    assert missing_runs(tmp_path, keys) == [b]
    one, other = (item_path(tmp_path, key.identity) for key in keys)
    other.write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="holds another item than its name says"):
        assert execute(tmp_path, keys, _compute) == 1
    one.write_bytes(one.read_bytes()[:100])
    with pytest.warns(UserWarning, match="is damaged and is computed again"):
        assert execute(tmp_path, keys, _compute) == 1
    assert missing_runs(tmp_path, keys) == []
