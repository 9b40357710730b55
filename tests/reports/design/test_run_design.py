"""`circuitvar design --plan FILE`: every facet, crossed in every way, from file to tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from circuitvar.audit.runs.design import Design, Facet
from circuitvar.audit.runs.facets import FACETS, check_facets
from circuitvar.audit.runs.finder_runs import FINDER, FINDER_SEED
from circuitvar.audit.settings import Settings
from circuitvar.reports.commands.cli import app
from circuitvar.reports.design.run_design import check_plan, plan_budget, resolve_design, run_plan
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.own.readers import task_from_file

IOI = get_task("ioi")
BASE = Settings(method="eap", n=12, steps=2)
LEVELS = {
    "method": "[eap, clean-corrupted]",
    "metric": "[null, prob_diff]",
    "corruption": "[null, '*']",
    "ablation": "[patching, zero]",
    "steps": "[1, 3]",
    "n": "[12, 24]",
    "seed": "[0, 1]",
    "data": "[0, 1, 2]",
    "noise": "[null, 1, 3.0]",
    "dtype": "[null, bfloat16]",
    "batch_size": "[null, 5]",
    "checkpoint": "[null, 'pocket:1']",
    "prompts": "[0, 1, 2]",
    "template": "[null, ioi-01, ioi-02]",
    "size": "[10, 30]",
    "signed": "[false, true]",
    "selection": "[top-n, pruned, connected]",
    "granularity": "[edge, head, node]",
}
RANDOM = ("seed", "data", "checkpoint", "prompts", "template")
CROSSINGS = ("one-at-a-time", "full", "sampled\ndraws: 6")


def plan_file(folder, name: str, crossing: str) -> str:
    """One facet and one to cross it with; steps matter to integrated gradients only."""
    partner = "size" if name == "data" else "data"
    lines = [
        f"- {{name: {facet}, levels: {LEVELS[facet]}, random: {str(facet in RANDOM).lower()}}}"
        for facet in (name, partner)
    ]
    if name == "steps":
        lines.append("- {name: method, levels: [eap-ig-inputs]}")
    path = folder / "plan.yaml"
    path.write_text("\n".join(["facets:", *lines, f"crossing: {crossing}"]), encoding="utf-8")
    return str(path)


def test_the_list_of_levels_is_the_list_of_facets():
    # Finders return circuits without scores: test_audit_finder_runs.
    assert {*LEVELS, FINDER, FINDER_SEED} == {*FACETS}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One run store for all designs: passes have content hashes, so designs share them."""
    return tmp_path_factory.mktemp("designs")


@pytest.mark.parametrize("crossing", CROSSINGS, ids=lambda text: text.split("\n")[0])
@pytest.mark.parametrize("name", LEVELS)
def test_every_facet_in_every_design(pocket, store, tmp_path, name, crossing):
    design = resolve_design(plan_file(tmp_path, name, crossing), IOI)
    frame = run_plan(design, IOI, BASE, pocket, store, function=False)["components"]
    runs = pd.read_csv(store / "runs.csv", keep_default_na=False)
    levels = len(design.facets[0].levels)
    assert 2 <= runs[name].nunique() <= levels
    assert crossing.startswith("sampled") or runs[name].nunique() == levels
    assert set(frame["response"]) == {"score", "membership"}
    assert frame.groupby("response")["share"].sum().tolist() == pytest.approx([1, 1])
    assert (frame["negative"] == (frame["variance"] < 0)).all()
    scores = frame[frame["response"] == "score"].set_index("component")["share"]
    member = frame[frame["response"] == "membership"].set_index("component")["variance"]
    if name in ("size", "signed", "selection", "granularity"):
        assert name not in scores.index
        assert member[name] > 0
    elif name == "batch_size":
        assert abs(scores[name]) < 1e-6, "how prompts are batched does not move scores"
    elif crossing == "full":
        sobol = pd.read_csv(store / "sobol.csv").set_index(["response", "effect"])["share"]
        assert sobol["score", name] > 1e-6, "the facet moves the scores"
    agreement = pd.read_csv(store / "agreement.csv").set_index("facet")
    assert agreement.loc["all facets", "runs"] == len(runs)
    assert agreement["jaccard"].dropna().between(0, 1).all()


def test_the_command_runs_a_file_and_stops_at_a_dry_run(tmp_path):
    plan = plan_file(tmp_path, "method", "full")
    out = tmp_path / "out"
    command = ["design", "ioi", "--plan", plan, "--n", "12", "--out", str(out)]
    dry = CliRunner().invoke(app, [*command, "--dry-run"])
    assert dry.exit_code == 0 and "6 scoring passes, about" in dry.output
    assert not out.exists()
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and "moment estimator" in done.output
    files = {path.name for path in out.iterdir()}
    assert files >= {"runs.csv", "components.csv", "agreement.csv", "sobol.csv", "design.yaml"}
    again = resolve_design(str(out / "design.yaml"), IOI)
    assert again == resolve_design(plan, IOI)


def test_a_design_of_a_prompts_file(tmp_path):
    pairs = IOI.sample(60, rng=np.random.default_rng(0))
    rows = [(p.clean, p.corrupt, p.answers[0], p.wrong_answers[0], p.template) for p in pairs]
    names = ["clean", "corrupt", "answer", "wrong_answer", "template"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "p.csv", index=False)
    plan = tmp_path / "rows.yaml"
    levels = "- {name: size, levels: [10, 20]}\n- {name: prompts, levels: [1, 2, 3], random: true}"
    plan.write_text(f"facets:\n{levels}\ncrossing: full", encoding="utf-8")
    command = ["design", "--data", str(tmp_path / "p.csv"), "--plan", str(plan), "--n", "8"]
    done = CliRunner().invoke(app, [*command, "--no-function", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "out" / "function.csv").exists()


def test_a_file_has_no_fresh_data_sets(tmp_path):
    rows = [(f"a {i}", f"b {i}", " d", " e") for i in range(12)]
    names = ["clean", "corrupt", "answer", "wrong_answer"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "p.csv", index=False)
    task = task_from_file(tmp_path / "p.csv")
    with pytest.raises(ValueError, match="has only its own rows, which every draw would share"):
        check_facets(resolve_design(plan_file(tmp_path, "size", "full"), task), task)
    for preset in ("quick", "paper", "full"):
        design = resolve_design(preset, task)
        check_facets(design, task)
        assert "data" not in {facet.name for facet in design.facets}


def test_an_interrupted_design_goes_on_where_it_stopped(pocket, tmp_path, monkeypatch):
    """Finished passes are kept; the tables are those of an uninterrupted design, byte by byte."""
    from circuitvar.audit.runs import bench

    design = resolve_design(plan_file(tmp_path, "method", "full"), IOI)
    run_plan(design, IOI, BASE, pocket, tmp_path / "whole", function=False)
    score, calls = bench.score_edges, []

    def stops(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(*args, **kwargs)

    monkeypatch.setattr(bench, "score_edges", stops)
    with pytest.raises(KeyboardInterrupt):
        run_plan(design, IOI, BASE, pocket, tmp_path / "parts", function=False)
    assert len(list((tmp_path / "parts" / "runs").glob("*.safetensors"))) == 3
    run_plan(design, IOI, BASE, pocket, tmp_path / "parts", function=False)
    assert len(calls) == 4 + 3, "only the three missing passes are scored"
    for name in ("runs.csv", "components.csv", "agreement.csv", "sobol.csv"):
        whole, parts = (tmp_path / folder / name for folder in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("name", ["quick", "paper", "full"])
def test_presets_can_answer_and_cost_what_they_say(pocket, name):
    design = resolve_design(name, IOI)
    kept, _ = check_plan(design, IOI, BASE)
    cost = plan_budget(design, IOI, BASE, pocket)
    assert cost.runs == len(kept) and 0 < cost.passes <= len(kept)
    assert cost.bytes == cost.passes * BASE.n * pocket.graph.n_edges * 4
    assert cost.seconds > 0


def test_more_steps_cost_more(pocket, monkeypatch):
    """Each method and number of steps is timed by itself; time is counted in passes here."""
    from circuitvar.reports.design import run_design as module

    clock = [0.0]

    def score(model, batch, method, *, metric, options):
        clock[0] += options.steps * len(batch)

    monkeypatch.setattr(module, "score_edges", score)
    monkeypatch.setattr(module, "perf_counter", lambda: clock[0])
    design = Design((Facet("method", ("eap-ig-inputs",)), Facet("steps", (1, 30))))
    assert plan_budget(design, IOI, BASE, pocket).seconds == pytest.approx(31 * BASE.n)
    alone = Design((Facet("data", (0, 1)),))
    assert plan_budget(alone, IOI, BASE, pocket).seconds == pytest.approx(2 * BASE.steps * BASE.n)


def test_the_paper_preset_is_the_published_matrix():
    design = resolve_design("paper", IOI)
    kept, _ = check_plan(design, IOI, BASE)
    varied = [
        {n for n, level in key.levels if level != facet[n]}
        for facet in [{f.name: f.levels[0] for f in design.facets}]
        for key in kept
    ]
    alone = {n: sum(v == {n} for v in varied) for n in ("prompts", "data", "template", "noise")}
    assert alone == {"prompts": 100, "data": 5, "template": 12, "noise": 4}
    grid = [{"method", "ablation"} >= v for v in varied]
    assert sum(grid) == 11, "eap and hvp x 4 ablations, three methods for patching only"


def test_presets_leave_out_what_a_task_does_not_have():
    unmarked = replace(
        IOI, sample=lambda n, **kw: [replace(pair, roles=()) for pair in IOI.sample(n, **kw)]
    )
    names = [facet.name for facet in resolve_design("paper", unmarked).facets]
    assert "noise" not in names and "template" in names
    noisy = Design((Facet("noise", (None, 1.0)),))
    with pytest.raises(ValueError, match="marks no roles"):
        check_plan(noisy, unmarked, BASE)


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        ("facets: [{name: corruption, levels: [x]}]", "'ioi' has no corruption 'x'; choose among"),
        ("facets: [{name: metric, levels: [x]}]", "x"),
        (
            "facets: [{name: method, levels: [clean-corrupted]}, {name: data, levels: [0, 1]}, "
            "{name: ablation, levels: [patching, zero]}]",
            "facet 'ablation' has a single level, 'patching', among the 2 runs that are defined",
        ),
        ("facets: [{name: method, levels: [x]}]", "x"),
        ("facets: [{name: temlate, levels: [x]}]", "did you mean 'template'"),
        (
            "facets: [{name: n, levels: [8, 16]}, {name: size, levels: [9, 10]}]\ncrossing: sampled"
            "\ndraws: 2",
            "confounded|single level",
        ),
    ],
)
def test_designs_that_cannot_answer_say_why_before_anything_is_scored(tmp_path, plan, match):
    (tmp_path / "p.yaml").write_text(plan, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        check_plan(resolve_design(str(tmp_path / "p.yaml"), IOI), IOI, BASE)


def test_numbers_of_scores_do_not_depend_on_the_store(pocket, store, tmp_path):
    """A shared store and one of its own give the same components."""
    design = resolve_design(plan_file(tmp_path, "ablation", "full"), IOI)
    shared = run_plan(design, IOI, BASE, pocket, store, function=False)["components"]
    own = run_plan(design, IOI, BASE, pocket, tmp_path / "own", function=False)["components"]
    np.testing.assert_array_equal(shared["variance"], own["variance"])


CARRIED = {
    "metric": 2, "corruption": 5, "ablation": 2, "data": 3, "noise": 3, "dtype": 2,
    "checkpoint": 2, "template": 2,
}  # fmt: skip


@pytest.mark.parametrize("crossing", CROSSINGS[::2], ids=lambda text: text.split("\n")[0])
@pytest.mark.parametrize("name", [*CARRIED, "method", "size", "prompts"])
def test_function_stands_beside_structure_for_every_facet(pocket, store, tmp_path, name, crossing):
    design = resolve_design(plan_file(tmp_path, name, crossing), IOI)
    tables = run_plan(design, IOI, replace(BASE, heldout=32), pocket, store)
    row = tables["function"].set_index("axis").loc[name]
    matrix = tables["cross_faithfulness"].query("axis == @name")
    assert matrix["circuit"].nunique() == row["circuits"] >= 2
    assert matrix["prompts"].nunique() == row["conditions"]
    if crossing == "one-at-a-time":
        assert row["conditions"] == CARRIED.get(name, 1)
    assert np.isfinite(matrix["faithfulness"]).all()
    assert row["reading"].startswith("noise") or "structure" in row["reading"]
    if name in ("dtype", "checkpoint"):
        own = matrix[matrix["circuit"] == matrix["prompts"]]["faithfulness"]
        assert row["own"] == pytest.approx(own.mean())


def test_the_function_of_templates_is_that_of_single_ones(pocket, store, tmp_path):
    """All 12 templates and not their union; levels left out for cost are counted."""
    lines = ["facets:", "- {name: template, levels: [null, '*'], random: true}"]
    lines += [f"- {{name: prompts, levels: {list(range(15))}, random: true}}"]
    path = tmp_path / "p.yaml"
    path.write_text("\n".join([*lines, "crossing: one-at-a-time"]), encoding="utf-8")
    settings = replace(BASE, n=120, heldout=48)
    tables = run_plan(resolve_design(str(path), IOI), IOI, settings, pocket, store)
    rows = tables["function"].set_index("axis")
    assert rows.loc["template", ["circuits", "levels", "conditions"]].tolist() == [12, 12, 12]
    assert rows.loc["prompts", ["circuits", "levels", "conditions"]].tolist() == [12, 14, 1]
    agreement = tables["agreement"].set_index("facet")
    assert rows.loc["template", "phi"] == pytest.approx(agreement.loc["template", "phi"])
    assert "None" not in set(tables["cross_faithfulness"]["circuit"])


def test_a_design_can_be_joined_to_a_page(pocket, store, tmp_path):
    from circuitvar.reports.page.section_file import read_section

    design = resolve_design(plan_file(tmp_path, "method", "full"), IOI)
    run_plan(design, IOI, BASE, pocket, store)
    section = read_section(store)
    assert section.kind == "design" and "6 runs of a full design" in section.summary[0]
    assert [table.file for table in section.tables][:2] == ["agreement.csv", "function.csv"]
