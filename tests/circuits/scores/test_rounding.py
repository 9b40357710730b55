"""Exact effects that rounding swamps are refused with the figures."""

from dataclasses import replace

import numpy as np
import pytest

from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.scores.rounding import require_above_rounding, rounding_floor
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens import get_metric, sample_batch

OPTIONS = ScoreOptions()
METRIC = get_metric("logit_diff")


def drawn(name, task, dtype, n=4):
    model = load_model(name, dtype=dtype)
    return model, sample_batch(get_task(task), n, model, rng=0)[0].batch


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_floor_is_of_the_size_of_the_error(dtype):
    """Within a factor of ten of the typical |exact in this format - exact in float32|."""
    edges = tuple(range(0, 400, 8))
    found = {}
    for each in ("float32", dtype):
        model, batch = drawn("pocket", "ioi", each)
        how = {"metric": METRIC, "options": replace(OPTIONS, edges=edges)}
        found[each] = score_edges(model, batch, get_method("exact"), **how).values
    error = float(np.abs(found[dtype] - found["float32"]).mean())
    assert error < rounding_floor(model, batch, METRIC) < 30 * error


def test_effects_below_the_floor_are_refused():
    model, batch = drawn("pocket", "ioi", "bfloat16")
    floor = rounding_floor(model, batch, METRIC)
    with pytest.raises(ValueError, match="rounding in bfloat16 alone moves the metric by"):
        require_above_rounding(model, batch, METRIC, np.full((2, 3), floor / 2))
    require_above_rounding(model, batch, METRIC, np.full((2, 3), floor * 2))
    full, batch = drawn("pocket", "ioi", "float32")
    require_above_rounding(full, batch, METRIC, np.full((2, 3), 1e-30))


def test_effects_of_planted_size_pass_in_half_precision():
    model, batch = drawn("planted:gated", "planted-gated", "bfloat16")
    scores = score_edges(model, batch, get_method("exact"), metric=METRIC).values
    assert np.abs(scores).max() == 8.0


def test_the_driver_refuses_after_the_first_prompts(monkeypatch):
    model, batch = drawn("pocket", "ioi", "bfloat16")
    small = replace(METRIC, fn=lambda *given: METRIC.fn(*given) * 1.0)
    tiny = replace(get_method("exact"), fn=lambda m, b, **_: np.full((len(b), 3), 1e-6))
    with pytest.raises(ValueError, match="they are noise; load the model in float32"):
        score_edges(model, batch, tiny, metric=small, options=replace(OPTIONS, edges=(0, 1, 2)))
