import importlib
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.design.design_agreement import design_agreement
from circuitvar.audit.design.design_file import PRESETS, read_design
from circuitvar.audit.design.design_summary import design_components
from circuitvar.audit.design.run_design import run_on_model
from circuitvar.audit.runs.budget import budget
from circuitvar.audit.runs.derived import (
    edge_groups,
    example_weights,
    sample_of,
    selected,
    whole_groups,
)
from circuitvar.audit.runs.design import Design, Facet, RunKey, run_keys
from circuitvar.audit.runs.facets import (
    FREE,
    PASS,
    SAMPLE,
    SELECTION,
    check_facets,
    defined_runs,
    settings_of,
)
from circuitvar.audit.runs.finder_runs import FINDER, FINDER_SEED
from circuitvar.audit.runs.measure import passes, score_run, with_code
from circuitvar.audit.settings import Settings
from circuitvar.circuits.find.select import top_n_masks
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.own.readers import task_from_file
from circuitvar.tasks.plugin import load_task

BASE = Settings(n=12, heldout=4, steps=2)
DESIGN = Design((Facet("method", ("eap", "clean-corrupted")), Facet("data", (0, 1), random=True)))


@pytest.fixture(scope="module")
def options(pocket):
    return {"task": get_task("ioi"), "model": pocket, "settings": BASE}


def test_a_design_runs_once_and_is_reused(options, tmp_path, monkeypatch):
    found, left_out = run_on_model(tmp_path, DESIGN, **options)
    assert left_out == ()
    assert found.scores.shape == found.masks.shape == (4, options["model"].graph.n_edges)
    direct = score_run(found.keys[3], **options)["scores"].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(found.scores[3], direct, atol=1e-6)
    monkeypatch.setattr("circuitvar.audit.runs.bench.score_edges", None)
    again, _ = run_on_model(tmp_path, DESIGN, **options)
    np.testing.assert_array_equal(again.scores, found.scores)
    assert np.isfinite(design_components(DESIGN, again)["variance"]).all()


def test_an_edited_prompts_file_is_scored_anew(options, tmp_path):
    """The same file name, another prompt: no stored run is used."""

    def rows(seed):
        pairs = options["task"].sample(16, rng=np.random.default_rng(seed))
        lines = [(p.clean, p.corrupt, p.answers[0], p.wrong_answers[0], p.template) for p in pairs]
        names = ["clean", "corrupt", "answer", "wrong_answer", "template"]
        pd.DataFrame(lines, columns=names).to_csv(tmp_path / "cur.csv", index=False)
        task = task_from_file(tmp_path / "cur.csv")
        design = Design((Facet("method", ("eap", "clean-corrupted")),))
        found, _ = run_on_model(tmp_path / "runs", design, **options | {"task": task})
        return found.scores

    first = rows(0)
    assert not np.array_equal(rows(1), first)
    np.testing.assert_array_equal(rows(0), first)
    assert len(list((tmp_path / "runs").glob("*.safetensors"))) == 4


def test_edited_methods_tasks_and_finders_are_run_anew(options, tmp_path, monkeypatch):
    """Each `module:attribute` is tied to its source; the runs of the others are kept."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = {
        "own_design_method": (
            "import numpy as np\n"
            "def m(model, batch, *, metric, options):\n"
            "    return np.full((len(batch), model.graph.n_edges), 2.0)\n"
        ),
        "own_design_task": (
            "from dataclasses import replace\n"
            "from circuitvar.tasks.catalog import get_task\n"
            "def sample(n, **how):\n"
            "    return get_task('ioi').sample(n + 0, **how)[-n:]\n"
            "def t():\n"
            "    return replace(get_task('ioi'), key='mine', sample=sample)\n"
        ),
    }

    def run(edit="", old="", new=""):
        for name, body in text.items():
            body = body.replace(old, new) if name == edit else body
            (tmp_path / f"{name}.py").write_text(body, encoding="utf-8")
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        design = Design((Facet("method", ("eap", "own_design_method:m")),))
        own = options | {"task": load_task("own_design_task:t")}
        found, _ = run_on_model(tmp_path / "runs", design, **own)
        return found.scores, len(list((tmp_path / "runs").glob("*.safetensors")))

    first, stored = run()
    assert stored == 2 and (first[1] == 2).all()
    assert run()[1] == 2
    changed, stored = run("own_design_method", "2.0", "5.0")
    assert stored == 3 and (changed[1] == 5).all()
    np.testing.assert_array_equal(changed[0], first[0])
    drawn, stored = run("own_design_task", "n + 0", "n + 9")
    assert stored == 5 and not np.array_equal(drawn[0], first[0])
    for name in text:
        sys.modules.pop(name, None)


def test_the_code_of_a_finder_is_in_its_run():
    keys = run_keys(Design((Facet(FINDER, (None, "acdc", "edge-pruning")),)))
    contexts = {key.context for key in with_code(keys, BASE)}
    assert len(contexts) == 3
    assert contexts == {key.context for key in with_code(keys, BASE)}


def test_free_facets_call_no_model(options, tmp_path, monkeypatch):
    """Sizes, rules, granularities, templates and resamples come from two stored passes."""
    run_on_model(tmp_path, DESIGN, **options)
    monkeypatch.setattr("circuitvar.audit.runs.bench.score_edges", None)
    templates = get_task("ioi").templates[:2]
    wide = Design(
        (
            *DESIGN.facets,
            Facet("size", (10, 30)),
            Facet("signed", (False, True)),
            Facet("selection", ("top-n", "pruned", "connected")),
            Facet("granularity", ("edge", "head", "node")),
            Facet("template", (None, *templates), random=True),
            Facet("prompts", (0, 1, 2), random=True),
        ),
        "sampled",
        draws=60,
    )
    assert {facet.name for facet in wide.facets} - {"method", "data"} == FREE
    found, left_out = run_on_model(tmp_path, wide, **options)
    assert len(found.masks) == 60, "runs that mean nothing are drawn again"
    for key in left_out:
        levels = dict(key.levels)
        assert levels["selection"] == "connected" and levels["granularity"] != "edge"
    assert len(left_out) > 0
    sizes = found.masks.sum(axis=1)
    for key, size in zip(found.keys, sizes, strict=True):
        levels = dict(key.levels)
        if levels["selection"] == "top-n" and levels["granularity"] == "edge":
            assert size == levels["size"]
    cost = budget(wide, examples=12, n_edges=10, seconds_per_example=1.0)
    assert (cost.runs, cost.passes) == (60, 4)


def test_each_kind_of_facet_changes_what_it_names(options, tmp_path):
    """One pass each; the first is the default and the others differ from it where they should."""
    one = Design(
        (
            Facet("noise", (None, 3.0)),
            Facet("dtype", (None, "bfloat16")),
            Facet("batch_size", (None, 5)),
            Facet("checkpoint", (None, "pocket:1"), random=True),
            Facet("corruption", (None, get_task("ioi").corruptions[1].key)),
            Facet("metric", (None, "prob_diff")),
            Facet("ablation", ("patching", "zero")),
            Facet("method", ("eap",)),
        ),
        "one-at-a-time",
    )
    found, left_out = run_on_model(tmp_path, one, **options)
    assert left_out == ()
    default, rest = found.scores[0], found.scores[1:]
    gap = dict(
        zip(
            ("noise", "dtype", "batch_size", "checkpoint", "corruption", "metric", "ablation"),
            np.abs(rest - default).max(axis=1) / np.abs(default).max(),
            strict=True,
        )
    )
    assert gap.pop("batch_size") < 1e-4
    assert 1e-4 < gap.pop("dtype") < 0.2
    assert min(gap.values()) > 0.01, gap


def test_resamples_are_bounded_by_blocks_of_what_they_were_drawn_from(options, tmp_path):
    """The stored scores behind a run give its circuit back, and the interval its t(7)."""
    settings = replace(BASE, n=24)
    design = Design((Facet("prompts", tuple(range(13)), random=True),), "full")
    found, _ = run_on_model(tmp_path, design, **options | {"settings": settings})
    graph = options["model"].graph
    of = partial(sample_of, tmp_path, graph=graph, settings=settings, size=20)
    keys = found.keys
    sample = of(keys[0])
    assert sample is not None
    np.testing.assert_array_equal(
        sample.select(sample.scores.mean(axis=0, keepdims=True)), top_n_masks(found.scores[:1], 20)
    )
    bare, with_scores = (
        design_agreement(design, found, sample=given).iloc[0] for given in (lambda key: None, of)
    )
    assert bare["phi"] == with_scores["phi"]
    only = Design((*design.facets, Facet("signed", (False, True))), "one-at-a-time")
    found, _ = run_on_model(tmp_path, only, **options | {"settings": settings})
    frames = [
        design_agreement(only, found, sample=given).set_index("facet").loc["prompts"]
        for given in (lambda key: None, of)
    ]
    assert [frame["interval"].split(";")[0] for frame in frames] == [
        "infinitesimal jackknife",
        "subsampling, extrapolated",
    ]
    assert frames[0]["phi"] == frames[1]["phi"]
    assert frames[1]["phi_low"] < frames[1]["phi"] < frames[1]["phi_high"]


def test_finders_and_connected_circuits_show_no_sample(options, tmp_path):
    graph, rest = options["model"].graph, {"settings": BASE, "size": 10}
    for level in ({"selection": "connected"}, {FINDER: "acdc"}):
        key = RunKey(tuple(level.items()), 0, "")
        assert sample_of(tmp_path, key, graph=graph, **rest) is None


def test_another_architecture_is_no_checkpoint(options, tmp_path):
    design = Design((Facet("checkpoint", (None, "planted:gated")), Facet("method", ("eap",))))
    with pytest.raises(ValueError, match="must share one architecture"):
        run_on_model(tmp_path, design, **options)


def test_passes_of_one_model_follow_each_other():
    design = Design((Facet("data", (0, 1)), Facet("checkpoint", ("a", "b")), Facet("size", (1, 2))))
    order = [dict(key.levels)["checkpoint"] for key in passes(run_keys(design))]
    assert order == ["a", "a", "b", "b"]


def test_levels_change_settings():
    key = RunKey((("method", "eap"), ("data", 3), ("steps", 7)))
    changed = settings_of(key, BASE)
    assert (changed.method, changed.steps, changed.n) == ("eap", 7, 12)
    with pytest.raises(ValueError, match="unknown facet 'colour'"):
        settings_of(RunKey((("colour", 1),)), BASE)


@pytest.mark.parametrize(
    ("facet", "match"),
    [
        (Facet("colour", ("red",)), "unknown facet 'colour'; choose one of method,"),
        (Facet("bootstrap", (10, 20)), "unknown facet 'bootstrap'"),
        (Facet("size", ("big",)), "is not int or null"),
        (Facet("size", (0,)), "too small; use 1"),
        (Facet("data", (-1,)), "too small"),
        (Facet("data", (True,)), "is not int"),
        (Facet("selection", ("best",)), "choose one of top-n, pruned, connected"),
        (Facet("granularity", ("layer",)), "choose one of edge, head, node"),
        (Facet("template", ("none such",)), "no template 'none such'"),
    ],
)
def test_facets_without_meaning_are_refused(facet, match):
    with pytest.raises(ValueError, match=match):
        check_facets(Design((facet,)), get_task("ioi"))


def test_every_facet_can_be_written_in_yaml(tmp_path):
    levels = {
        "method": "[eap]", "metric": "[null, kl]", "corruption": "[null]", "ablation": "[zero]",
        "steps": "[5, 10]", "n": "[10, 20]", "seed": "[0, 1]", "data": "[0, 1]",
        "noise": "[null, 0.5, 3]", "dtype": "[float32, bfloat16]", "batch_size": "[1, 64]",
        "checkpoint": "[null, 'owner/name@step1000']", "prompts": "[0, 1]", "template": "[null]",
        "size": "[null, 50]", "signed": "[true, false]", "selection": "[top-n]",
        "granularity": "[edge, node]",
    }  # fmt: skip
    finders = {FINDER: "[acdc]", FINDER_SEED: "[0, 1]"}  # Not beside scoring facets.
    assert {*levels, *finders} == {*PASS, *SAMPLE, *SELECTION}
    lines = [f"  - {{name: {name}, levels: {value}}}" for name, value in levels.items()]
    (tmp_path / "d.yaml").write_text("\n".join(["facets:", *lines, "crossing: one-at-a-time"]))
    check_facets(read_design(tmp_path / "d.yaml"), get_task("ioi"))
    lines = [f"  - {{name: {name}, levels: {value}}}" for name, value in finders.items()]
    (tmp_path / "f.yaml").write_text("\n".join(["facets:", *lines]))
    check_facets(read_design(tmp_path / "f.yaml"), get_task("ioi"))


def test_undefined_cells_are_set_aside():
    design = Design(
        (Facet("method", ("eap", "clean-corrupted")), Facet("ablation", ("patching", "zero")))
    )
    kept, dropped = defined_runs(run_keys(design), BASE)
    assert len(kept) + len(dropped) == 4
    assert all(dict(key.levels)["ablation"] == "zero" for key in dropped)


@pytest.mark.parametrize(
    "design", [Design(DESIGN.facets, replicates=2), Design(DESIGN.facets, "sampled", draws=5)]
)
def test_replicates_and_data_are_not_mixed(design):
    with pytest.raises(ValueError, match="use one of them"):
        check_facets(design)


@pytest.mark.parametrize(("name", "design"), PRESETS)
def test_presets_are_runnable(name, design):
    check_facets(design)
    kept, _ = defined_runs(run_keys(design), BASE)
    assert len(kept) > 0


def test_two_workers_give_what_one_gives(options, tmp_path):
    """Same bytes, whatever the number of workers and the order of the runs."""
    one, _ = run_on_model(tmp_path / "one", DESIGN, **options)
    two, _ = run_on_model(tmp_path / "two", DESIGN, workers=2, **options)
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_array_equal(one.masks, two.masks)
    turned = Design(DESIGN.facets[::-1])
    other, _ = run_on_model(tmp_path / "one", turned, **options)
    rows = [[k.digest for k in one.keys].index(k.digest) for k in other.keys]
    np.testing.assert_array_equal(other.scores, one.scores[rows])


def test_a_task_of_the_session_needs_one_worker(options, tmp_path):
    from dataclasses import replace

    task = replace(options["task"], sample=lambda n, **kw: options["task"].sample(n, **kw))
    with pytest.raises(ValueError, match="use workers = 1"):
        run_on_model(tmp_path, DESIGN, **{**options, "task": task}, workers=2)


def test_groups_are_kept_whole(pocket):
    graph, rng = pocket.graph, np.random.default_rng(0)
    scores = rng.normal(size=graph.n_edges)
    for granularity in ("head", "node"):
        group = edge_groups(graph, granularity)
        mask = whole_groups(scores, group, 60)
        assert 0 < mask.sum() <= 60
        assert all(len(set(mask[group == g])) == 1 for g in np.unique(group))
    names = np.array(graph.edge_names)
    heads = edge_groups(graph, "head")
    together = names[heads == heads[graph.edge_index["a0.h0->a1.h0<q>"]]]
    assert set(together) == {f"a0.h0->a1.h0<{slot}>" for slot in "qkv"}
    assert whole_groups(scores, edge_groups(graph, "node"), 1).sum() > 1
    plain = selected(graph, scores, {}, settings=BASE, size=20)
    np.testing.assert_array_equal(plain, top_n_masks(scores[None], 20)[0])


def test_weights_of_resamples_and_templates():
    arrays = {"scores": np.zeros((6, 2)), "templates": np.array(list("aabbbb"))}
    np.testing.assert_allclose(example_weights(arrays, {"prompts": 0}, BASE), np.full(6, 1 / 6))
    only = example_weights(arrays, {"template": "a"}, BASE)
    np.testing.assert_allclose(only, [0.5, 0.5, 0, 0, 0, 0])
    again = [example_weights(arrays, {"prompts": 3}, BASE) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert not np.array_equal(again[0], example_weights(arrays, {"prompts": 4}, BASE))
    with pytest.raises(ValueError, match="none of the 6 prompts"):
        example_weights(arrays, {"template": "z"}, BASE)
