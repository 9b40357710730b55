import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.design import design_file as df
from circuitvar.audit.design.identifiable import labels_of, require_identifiable
from circuitvar.audit.runs.budget import budget
from circuitvar.audit.runs.design import Design, Facet, RunKey, run_keys

METHOD = Facet("method", ("eap", "exact", "ig"))
DATA = Facet("data", (0, 1, 2, 3), random=True)


def test_number_of_runs():
    assert len(run_keys(Design((METHOD, DATA)))) == 12
    assert len(run_keys(Design((METHOD, DATA), "one-at-a-time"))) == 6
    assert len(run_keys(Design((METHOD, DATA), "sampled", draws=30))) == 30
    assert len(run_keys(Design((METHOD, DATA), replicates=2))) == 24


def test_facets_together_are_crossed_and_the_rest_varies_alone():
    size = Facet("size", (5, 9))
    design = Design((METHOD, DATA, size), "one-at-a-time", together=(("method", "size"),))
    cells = [tuple(level for _, level in key.levels) for key in run_keys(design)]
    assert len(cells) == len(set(cells)) == 1 + 5 + 3
    assert {(m, s) for m, d, s in cells if d == 0} == {
        (m, s) for m in METHOD.levels for s in (5, 9)
    }
    assert {(m, s) for m, d, s in cells if d != 0} == {("eap", 5)}
    require_identifiable(design, [("method", "size")])
    with pytest.raises(ValueError, match="never changes two facets together"):
        require_identifiable(design, [("method", "data")])


@pytest.mark.parametrize(
    "design",
    [
        Design((METHOD, DATA), replicates=2),
        Design((METHOD, DATA), "one-at-a-time", replicates=3),
        Design((METHOD, DATA), "sampled", draws=50),
    ],
    ids=["full", "one at a time", "sampled"],
)
def test_every_run_has_its_own_digest(design):
    keys = run_keys(design)
    assert len({key.digest for key in keys}) == len(keys)
    assert keys == run_keys(design)


def test_digest_is_a_content_hash():
    key = RunKey((("method", "eap"), ("data", 1)), 2, "ctx")
    swapped = RunKey((("data", 1), ("method", "eap")), 2, "ctx")
    assert key.digest == swapped.digest
    others = [
        RunKey(key.levels, 3, "ctx"),
        RunKey(key.levels, 2, "other"),
        RunKey((("method", "eap"), ("data", "1")), 2, "ctx"),
    ]
    assert len({key.digest, *(other.digest for other in others)}) == 4
    assert key.rng().integers(1000) == swapped.rng().integers(1000)


def test_labels_of_interactions():
    keys = run_keys(Design((METHOD, Facet("data", (0, 1)))))
    assert labels_of(keys, ("method",)).tolist() == [0, 0, 1, 1, 2, 2]
    assert labels_of(keys, ("method", "data")).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Design(()), "give at least one"),
        (lambda: Design((METHOD, METHOD)), "its own name"),
        (lambda: Design((Facet("a", ()),)), "at least one level"),
        (lambda: Design((Facet("a", (1, 1)),)), "none twice"),
        (lambda: Design((METHOD,), replicates=0), "use 1 or more"),
        (lambda: Design((METHOD,), "sampled"), "draws = 0"),
        (lambda: Design((METHOD,), "full", draws=3), "belong to sampled"),
        (lambda: Design((METHOD, DATA), together=(("method", "data"),)), "one-at-a-time designs"),
        (
            lambda: Design((METHOD, DATA), "one-at-a-time", together=(("method", "steps"),)),
            r"together is \[\['method', 'steps'\]\]; name facets of the design",
        ),
    ],
)
def test_design_errors(build, match):
    with pytest.raises(ValueError, match=match):
        build()


@pytest.mark.parametrize(
    ("design", "effects", "match"),
    [
        (Design((METHOD, DATA)), [("seed",)], "no facet 'seed'"),
        (Design((METHOD, Facet("data", (0,)))), [("data",)], "has one level"),
        (Design((METHOD, DATA), "one-at-a-time"), [("method", "data")], "one-at-a-time"),
        (Design((METHOD, DATA)), [("method", "data")], "replicates = 2"),
        (
            Design((Facet("a", (0, 1)), Facet("b", (0, 1))), "one-at-a-time"),
            [("a",), ("b",)],
            "confounded",
        ),
        (
            Design((METHOD, DATA), "sampled", draws=2),
            [("method",), ("data",)],
            "confounded|single level",
        ),
    ],
)
def test_designs_that_cannot_answer_are_refused(design, effects, match):
    with pytest.raises(ValueError, match=match):
        require_identifiable(design, effects)


def test_designs_that_can_answer_pass():
    require_identifiable(Design((METHOD, DATA)), [("method",), ("data",)])
    every = [("method",), ("data",), ("method", "data")]
    require_identifiable(Design((METHOD, DATA), replicates=2), every)
    require_identifiable(Design((METHOD, DATA), "sampled", draws=60), every)


def test_budget_counts_only_model_passes():
    sized = Design((METHOD, DATA, Facet("size", (50, 100))))
    cost = budget(
        sized, examples=100, n_edges=1000, seconds_per_example=0.01, method_cost={"exact": 50}
    )
    assert (cost.runs, cost.passes) == (24, 12)
    assert cost.seconds == pytest.approx((4 * 50 + 8) * 1.0)
    assert cost.bytes == 12 * 100 * 1000 * 4
    assert cost.sentence == "12 scoring passes, about 3 minutes, 4.8 MB"


def test_yaml_round_trip(tmp_path):
    for name, design in df.PRESETS:
        df.write_design(design, tmp_path / name)
        assert df.read_design(tmp_path / name) == design


LEVELS = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))


@settings(deadline=None, max_examples=25)
@given(st.lists(LEVELS, min_size=1, unique_by=repr), st.booleans())
def test_any_levels_survive_yaml(tmp_path_factory, levels, random):
    path = tmp_path_factory.mktemp("design") / "d.yaml"
    design = Design((Facet("method", tuple(levels), random),))
    df.write_design(design, path)
    assert df.read_design(path) == design


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("facets: [", "is not YAML"),
        ("facets: []", "facets"),
        ("facets: [{name: n, levels: [1], lvels: 2}]", "lvels"),
        (
            "facets: [{name: metod, levels: [eap]}]",
            "unknown facet 'metod'; choose one of method, metric.*did you mean 'method'",
        ),
        ("facets: [{name: n, levels: [1]}]\ncrossing: half", "crossing"),
        ("facets: [{name: n, levels: [1]}]\nreplicates: 0", "replicates"),
        ("format: 2\nfacets: [{name: n, levels: [1]}]", "format"),
        ("just text", "the file"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_design_files_name_what_is_wrong(tmp_path, text, match):
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(ValueError, match=match):
        df.read_design(tmp_path / "d.yaml")


def test_shipped_schema_is_current():
    assert json.loads(df.SCHEMA_PATH.read_text()) == df.design_schema()


@pytest.mark.parametrize(
    ("facet", "ok"),
    [
        ({"name": "method", "levels": ["eap"]}, True),
        ({"name": "noise", "levels": [None, 0.5, 3]}, True),
        ({"name": "metod", "levels": ["eap"]}, False),
        ({"name": "steps", "levels": ["many"]}, False),
        ({"name": "ablation", "levels": ["erase"]}, False),
        ({"name": "size", "levels": [0]}, False),
    ],
)
def test_the_schema_tells_an_editor_what_a_facet_may_be(facet, ok):
    schema = json.loads(df.SCHEMA_PATH.read_text())
    assert jsonschema.Draft202012Validator(schema).is_valid({"facets": [facet]}) == ok


def test_presets_fit_the_schema(tmp_path):
    schema = json.loads(df.SCHEMA_PATH.read_text())
    for name, design in df.PRESETS:
        df.write_design(design, tmp_path / name)
        content = df.yaml.safe_load((tmp_path / name).read_text())
        jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
