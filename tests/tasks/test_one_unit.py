"""Everything that reports a sampling unit of one data set reports the same one."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.agreement import LOST
from circuitvar.audit.function import behaviour_estimates, function_estimates
from circuitvar.audit.intervals import group_jackknife, ratio_of_means, share_estimate
from circuitvar.audit.settings import Settings
from circuitvar.audit.single import matrix_axes, null_table
from circuitvar.audit.single.sample_tables import decision_study
from circuitvar.audit.single.tables import sampling_table
from circuitvar.audit.variance import agreement_estimates
from circuitvar.circuits.evaluate import evaluate
from circuitvar.circuits.find import top_n
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.scores import measure_behaviour, score_edges
from circuitvar.reports.card import Run
from circuitvar.reports.circuits.run_find import select_by_rule
from circuitvar.reports.compare import compare, method_check
from circuitvar.reports.compare.method_check import planted_case
from circuitvar.reports.options import FindOptions
from circuitvar.tasks.units import LEAST_TEMPLATES, sampling_units, use_templates

SIZE = 4
RUN_FIND = "circuitvar.reports.circuits.run_find"
"""A module behind a function of its name."""
SETTINGS = Settings(n=48, heldout=48, bootstrap=10, pairs=3, size=SIZE)


@pytest.fixture(scope="module")
def gated():
    case = planted_case("gated")
    noise = np.random.default_rng(1).normal(size=case.exact.shape, scale=0.1)
    scores = score_edges(case.model, case.batch, get_method("eap"), metric=case.metric)
    return case, replace(scores, values=(case.exact + noise).astype(np.float32))


@pytest.mark.parametrize("number", range(1, 13))
def test_every_number_of_a_data_set_has_one_unit(gated, number, monkeypatch):
    case, scores = gated
    templates = tuple(f"t{i % number}" for i in range(len(case.batch)))
    batch, scores = replace(case.batch, templates=templates), replace(scores, templates=templates)
    case = replace(case, batch=batch)
    of_example, unit = sampling_units(len(batch), templates)
    units = len(np.unique(of_example))
    assert unit == ("template" if number >= LEAST_TEMPLATES else "prompt")
    assert units == (number if number >= LEAST_TEMPLATES else len(batch))

    drawn = np.random.default_rng(2)
    value, happened = drawn.normal(size=len(batch)), drawn.random(len(batch)) < 0.5
    circuit = top_n(case.model.graph, scores.mean, SIZE)
    behaviour = measure_behaviour(case.model, batch, metric=case.metric)
    behaviour = replace(behaviour, right=happened)
    run = replace(
        evaluate(case.model, circuit, batch, metric=case.metric), flipped=happened, correct=happened
    )
    jackknife = {"rng": drawn, "clusters": use_templates(templates)}
    estimates = [
        ratio_of_means("mean", value, templates=templates),
        share_estimate("share", happened, templates=templates),
        *group_jackknife(lambda w: np.array([w @ value]), len(batch), names=("mean",), **jackknife),
        *agreement_estimates(scores.values, case.exact, templates, size=SIZE),
        *behaviour_estimates(behaviour),
        *function_estimates(run),
    ]
    assert {(e.unit, e.n) for e in estimates} == {(unit, units)}
    assert (behaviour.over, behaviour.n_units) == (unit, units)

    found = matrix_axes(scores, SETTINGS, SIZE)
    keys = {axis.key for axis in found.axes}
    assert keys & {"halves-template", "paraphrase"} == (
        {"halves-template", "paraphrase"} if unit == "template" else set()
    )
    assert (found.lost is not None and found.lost.name == LOST) == (unit == "template")
    tables = (
        sampling_table(scores.values, templates, {"all": np.ones(len(circuit.kept), dtype=bool)}),
        decision_study(scores.values, templates, circuit.kept),
    )
    assert [frame is not None and len(frame) > 0 for frame in tables] == [unit == "template"] * 2

    frame = pd.DataFrame({"prompt": range(len(batch)), "template": templates, "kl": value})
    frame = frame.assign(circuit=value, full=value + 3, empty=0.0, flipped=happened, correct=True)
    run = run_of(frame)
    paired = compare.paired(run, run_of(frame.assign(kl=value + 1)), "circuit error", 0.95)
    assert paired is not None
    assert (paired.unit, paired.n) == (unit, units)
    assert paired.interval == f"paired: jackknife over {unit}s"
    for row in method_check._recovery_rows(case, scores, scores, 0.02, 0):
        assert row.df == units - 1

    seen = []

    def summary(values, *, clusters=None):
        seen.append(clusters)
        raise StopIteration

    monkeypatch.setattr(import_module(RUN_FIND), "edge_summary", summary)
    options = FindOptions(rule="significant")
    with pytest.raises(StopIteration):
        select_by_rule(case.model, scores, batch, case.metric, options)
    assert seen == [use_templates(templates)]


def run_of(frame):
    return Run(Path("run"), {"provenance": {"data_digest": "x"}}, {"heldout": frame})


def test_null_data_keep_templates_together_only_where_they_are_the_unit(gated):
    _, scores = gated
    none, three, four = (
        null_table(scores.values, SETTINGS, SIZE, templates=tuple(f"t{i % n}" for i in range(48)))
        for n in (1, 3, 4)
    )
    assert none.equals(three)
    assert not none.equals(four)
