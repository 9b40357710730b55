import numpy as np
import pytest

from circuitvar.audit.design import Design, Facet, RunKey, run_keys
from circuitvar.audit.design_file import PRESETS
from circuitvar.audit.run_design import defined_runs, run_on_model, score_run, settings_of
from circuitvar.audit.settings import Settings
from circuitvar.tasks.catalog import get_task

BASE = Settings(n=12, heldout=4, steps=2)
DESIGN = Design((Facet("method", ("eap", "clean-corrupted")), Facet("data", (0, 1), random=True)))


def test_a_design_runs_once_and_is_reused(pocket, tmp_path, monkeypatch):
    options = {"task": get_task("ioi"), "model": pocket, "settings": BASE}
    table, left_out = run_on_model(tmp_path, DESIGN, **options)
    assert left_out == ()
    assert table.scores.shape == (4, pocket.graph.n_edges)
    direct = score_run(table.keys[3], **options)["scores"].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(table.scores[3], direct, atol=1e-6)
    monkeypatch.setattr("circuitvar.audit.run_design.score_edges", None)
    again, _ = run_on_model(tmp_path, DESIGN, **options)
    np.testing.assert_array_equal(again.scores, table.scores)
    components = table.components([("method",), ("data",)])
    assert np.isfinite(components.values).all()


def test_levels_change_settings():
    key = RunKey((("method", "eap"), ("data", 3), ("steps", 7)))
    changed = settings_of(key, BASE)
    assert (changed.method, changed.steps, changed.n) == ("eap", 7, 12)
    with pytest.raises(ValueError, match="facet 'colour' is not a setting"):
        settings_of(RunKey((("colour", 1),)), BASE)


def test_undefined_cells_are_set_aside():
    design = Design(
        (Facet("method", ("eap", "clean-corrupted")), Facet("ablation", ("patching", "zero")))
    )
    kept, dropped = defined_runs(run_keys(design), BASE)
    assert len(kept) + len(dropped) == 4
    assert all(dict(key.levels)["ablation"] == "zero" for key in dropped)


def test_replicates_and_data_are_not_mixed(pocket, tmp_path):
    design = Design(DESIGN.facets, replicates=2)
    with pytest.raises(ValueError, match="use one of them"):
        run_on_model(tmp_path, design, task=get_task("ioi"), model=pocket, settings=BASE)


@pytest.mark.parametrize(("name", "design"), PRESETS)
def test_presets_are_runnable(name, design):
    kept, _ = defined_runs(run_keys(design), BASE)
    assert len(kept) > 0
