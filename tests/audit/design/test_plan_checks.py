"""Plans that would waste model calls are refused before the first one."""

import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from circuitvar.audit.design.identifiable import require_identifiable
from circuitvar.audit.runs.design import Design, Facet
from circuitvar.audit.runs.facets import defined_runs, planned_runs
from circuitvar.audit.settings import Settings
from circuitvar.circuits.methods.catalog import METHODS, WHAT, refuse_ignored
from circuitvar.circuits.scores.score import score_edges
from circuitvar.circuits.types import ScoreOptions
from circuitvar.reports.commands.cli import app
from circuitvar.reports.design.run_design import check_plan, plan_budget
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.tokens.metrics import get_metric
from tests.circuits.toy_scoring import toy_batch, toy_model

IOI = get_task("ioi")
BASE = Settings(method="eap", n=12, steps=2)
DATA = Facet("data", (0, 1), random=True)


@pytest.mark.parametrize(
    ("facet", "match"),
    [
        (
            Facet("metric", (None, "accuracy")),
            "'metric' has a single level, None, among the 2 runs .*no gradient of accuracy, which",
        ),
        (Facet("metric", ("flip", "accuracy")), r"gradient methods against metrics .*\(accuracy"),
        (
            Facet("metric", (None, "prob_diff", "accuracy")),
            "level 'accuracy' of facet 'metric' is in none of the 4 runs",
        ),
        (Facet("dtype", (None, "float8")), "unknown dtype 'float8'; choose one of null, float32"),
        (Facet("noise", (None, float("nan"))), "level nan of facet 'noise' is not a finite number"),
        (Facet("noise", (None, float("inf"))), "level inf of facet 'noise' is not a finite"),
        (Facet("noise", (None, 0)), "levels null and 0 of facet 'noise' are the same run"),
        (Facet("noise", (0, 0.0, 1)), "levels 0 and 0.0 of facet 'noise' are the same run"),
        (
            Facet("corruption", (None, IOI.corruptions[0].key)),
            f"levels null and '{IOI.corruptions[0].key}' of facet 'corruption' are the same run",
        ),
        (Facet("metric", (None, IOI.metric)), "levels null and 'logit_diff' of facet 'metric' are"),
        (
            Facet("steps", (5, 10)),
            "'steps' has a single level, 5, among the 2 .*method has no steps",
        ),
        (
            Facet("template", (None, "ioi-01"), random=True),
            "'template' has a single level, 'ioi-01', beside the run that takes all together",
        ),
        (
            Facet("prompts", (0, 1), random=True),
            "'prompts' has a single level, 1, beside the run that takes all together",
        ),
    ],
)
def test_a_facet_that_cannot_answer_is_refused(facet, match):
    with pytest.raises(ValueError, match=match):
        check_plan(Design((facet, DATA)), IOI, BASE)


def test_one_level_of_everything_is_refused():
    with pytest.raises(ValueError, match="no facet has two levels among the runs"):
        check_plan(Design((Facet("method", ("eap",)), Facet("data", (0,)))), IOI, BASE)


@pytest.mark.parametrize(
    ("facet", "match"),
    [
        (Facet("checkpoint", (None, "pocket:99")), "99"),
        (Facet("checkpoint", (None, "./no/such/folder")), "does not exist or is not a folder"),
        (Facet("checkpoint", (None, "planted:gated")), "must share one architecture"),
        (Facet("checkpoint", (None, "pocket")), "levels null and 'pocket.*' .* are the same run"),
        (
            Facet("dtype", (None, "float32")),
            "levels null and 'float32' of facet 'dtype' are the sa",
        ),
        (Facet("size", (10, 10**7)), "size = 10000000 but the graph has"),
    ],
)
def test_the_budget_refuses_what_the_model_cannot_do(pocket, facet, match):
    level = pocket.name if facet.levels[1] == "pocket" else facet.levels[1]
    design = Design((Facet(facet.name, (facet.levels[0], level)), DATA))
    check_plan(design, IOI, BASE)
    with pytest.raises(ValueError, match=match):
        plan_budget(design, IOI, BASE, pocket)


def test_a_dry_run_refuses_too(tmp_path):
    plan = (
        "facets:\n- {name: checkpoint, levels: [null, 'pocket:99']}\n- {name: data, levels: [0, 1]}"
    )
    (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
    command = ["design", "ioi", "--plan", str(tmp_path / "plan.yaml"), "--n", "12", "--dry-run"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert "99" in re.sub(r"\s+", " ", done.output + str(done.exception))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
def test_methods_are_what_their_records_say(method):
    """Who needs a gradient, and whom `steps` and `rule` change."""
    model, batch = toy_model("gpt2"), toy_batch(2)

    def scores(metric="logit_diff", steps=2, rule="left"):
        options = ScoreOptions(steps=steps, rule=rule)
        return score_edges(model, batch, method, metric=get_metric(metric), options=options).values

    if method.needs_gradient:
        with pytest.raises(ValueError, match="has no gradient"):
            scores("accuracy")
    else:
        scores("accuracy")
    assert (scores(steps=2) != scores(steps=5)).any() == ("steps" in method.uses)
    assert (scores() != scores(rule="midpoint")).any() == ("rule" in method.uses)


def test_inert_cells_are_run_once():
    """Steps of a method without steps, and a corruption under noise, are the same run again."""
    design = Design(
        (Facet("method", ("eap-ig-inputs", "eap")), Facet("steps", (2, 5, 10)), DATA), "full"
    )
    kept, dropped = planned_runs(design, BASE)
    assert (len(kept), len(dropped)) == (8, 4)
    assert all(dict(key.levels)["method"] == "eap" for key in dropped)
    check_plan(design, IOI, BASE)
    corruptions = (None, IOI.corruptions[1].key)
    design = Design((Facet("noise", (None, 1.0)), Facet("corruption", corruptions), DATA))
    kept, dropped = planned_runs(design, BASE)
    assert (len(kept), len(dropped)) == (6, 2)
    assert all(dict(key.levels)["noise"] and dict(key.levels)["corruption"] for key in dropped)
    assert len(defined_runs([*kept, *dropped], BASE)[0]) == 8, "what is inert depends on the design"


def test_metrics_without_a_gradient_fit_exact_methods():
    design = Design((Facet("method", ("exact", "eap")), Facet("metric", (None, "accuracy")), DATA))
    kept, dropped = check_plan(design, IOI, BASE)
    assert (len(kept), len(dropped)) == (6, 2)
    assert {dict(key.levels)["method"] for key in dropped} == {"eap"}


def test_too_few_draws_are_named():
    facets = (Facet("method", ("eap", "exact", "hvp")), Facet("data", (0, 1, 2)))
    effects = [("method",), ("data",)]
    for draws in (2, 3):
        with pytest.raises(ValueError, match=f"{draws} draws, which are too few.* at least 6; rai"):
            require_identifiable(Design(facets, "sampled", draws=draws), effects)
    require_identifiable(Design(facets, "sampled", draws=9), effects)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
def test_an_option_that_a_method_ignores_is_refused(method):
    for option in WHAT:
        if option in method.uses:
            refuse_ignored(method, {option, "n"})
        else:
            with pytest.raises(ValueError, match=f"{option!r} would have no effect"):
                refuse_ignored(method, {option, "n"})


def test_a_method_says_for_which_metrics_it_is_defined():
    method = replace(METHODS[2], metrics=("logit_diff",))
    with pytest.raises(ValueError, match="for the metrics logit_diff only, not for 'kl'"):
        score_edges(toy_model("gpt2"), toy_batch(2), method, metric=get_metric("kl"))
