"""Identifiability of a transformer: planted models whose number of routes is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from circuitvar.audit.identifiability.transformers import Cut, search_masks
from circuitvar.circuits.loading.load import load_model
from circuitvar.reports.identify.reruns import (
    EQUAL,
    Reruns,
    check_seed_models,
    degeneracy,
    method_noise,
    overlap_frame,
    rerun_batches,
    rerun_seeds,
)
from circuitvar.reports.identify.summary import judge
from circuitvar.reports.identify.transformer import ModelOptions, near_edges, run_identify_model
from circuitvar.reports.page.section_file import read_section

SMALL = ModelOptions(n=40, heldout=16, size=4, m=8, resamples=40, batches=3)


def reseeded(model, seed: int):
    """The same architecture with other numbers: a stand-in for another training seed."""
    import copy
    from dataclasses import replace

    hf = copy.deepcopy(model.hf)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return replace(model, name=f"seed {seed}", hf=hf)


@pytest.fixture(scope="module")
def two_route(tmp_path_factory):
    out = tmp_path_factory.mktemp("identify")
    model = load_model("planted:two-route")
    return run_identify_model(model, "planted-two-route", out=out, options=SMALL), out, model


def test_a_model_with_two_routes_is_not_identified(two_route):
    result, _, _ = two_route
    assert result.verdict == "not unique"
    assert result.near.count.known == "exact" and len(result.near.masks) == 2**8
    assert result.near.distinct >= 2
    assert result.rivals["rival"].any()
    best = result.rivals.loc[result.rivals["rival"], "jaccard"].min()
    assert best < 0.5
    assert degeneracy(result.overlap) > method_noise(result.overlap)
    assert list(result.overlap["circuits"]) == ["resampled prompts", "fresh batches", EQUAL]
    assert result.circuits_seen >= result.near.distinct


def test_files_hold_what_the_result_holds(two_route):
    result, out, model = two_route
    summary = pd.read_csv(out / "identifiability_summary.csv", keep_default_na=False)
    assert list(summary["quantity"]) == list(result.summary["quantity"])
    assert set(summary["known"]) <= {"exact", "estimate", "lower bound"}
    edges = pd.read_csv(out / "identifiability_edges.csv")
    assert len(edges) == 8 and set(edges["edge"]) <= set(model.graph.edge_names)
    frame = near_edges(result.near, model.graph.edge_names)
    np.testing.assert_allclose(frame["inclusion"], edges["inclusion"])
    overlap = pd.read_csv(out / "identifiability_overlap.csv", keep_default_na=False)
    assert list(overlap["circuits"]) == list(result.overlap["circuits"])


def test_the_section_lists_what_was_written(two_route):
    _, out, model = two_route
    section = read_section(out)
    assert section.kind == "identifiability" and model.name in section.title
    listed = {t.file for t in section.tables}
    assert listed == {p.name for p in out.glob("*.csv")}
    assert {f.file for f in section.figures} == {
        f"figures/{p.name}" for p in (out / "figures").glob("*.svg")
    }
    assert "not unique" in section.summary[0]
    text = " ".join(section.summary)
    assert "Method noise is" in text and "true degeneracy near the cut is 0." in text


def test_training_seeds_are_one_source_of_re_runs(two_route, tmp_path):
    _, _, model = two_route
    others = [reseeded(model, 1), reseeded(model, 2)]
    options = ModelOptions(n=20, heldout=8, size=4, m=2, resamples=10, batches=0)
    result = run_identify_model(
        model, "planted-two-route", out=tmp_path, options=options, seed_models=others
    )
    rows = result.overlap.set_index("circuits")
    assert list(rows.index) == [
        "resampled prompts", "training seeds", "training seeds, heads matched", EQUAL,
    ]  # fmt: skip
    assert rows.loc["training seeds", "runs"] == 3
    expected = 1 - rows.loc[["resampled prompts", "training seeds, heads matched"], "jaccard"]
    assert method_noise(result.overlap) == pytest.approx(expected.mean())
    values = result.summary.set_index("quantity")["value"]
    assert values["method noise"] == pytest.approx(method_noise(result.overlap))
    assert values["true degeneracy near the cut"] == pytest.approx(degeneracy(result.overlap))
    assert values["method noise, training seeds"] == pytest.approx(
        1 - rows.loc["training seeds", "jaccard"]
    )


def test_seeds_that_only_permute_heads_agree_after_matching():
    graph = load_model("planted:two-route").graph
    rng = np.random.default_rng(0)
    means = rng.normal(size=graph.n_edges) ** 3
    dense = np.zeros(graph.exists.shape)
    dense[graph.edge_src, graph.edge_dst] = means
    order = np.r_[1 : graph.n_heads, 0]
    rows = 1 + np.arange(graph.n_heads)
    dense[rows] = dense[rows[order]]
    for slot in range(3):
        columns = slot * graph.n_heads + np.arange(graph.n_heads)
        dense[:, columns] = dense[:, columns[order]]
    other = dense[graph.edge_src, graph.edge_dst]
    plain, matched = rerun_seeds(
        graph, np.stack([means, other]), 12, canonical=lambda masks: masks, rng=rng
    )
    assert (matched.kept[0] == matched.kept[1]).all()
    assert (plain.kept[0] != plain.kept[1]).any()
    assert matched.chance is not None and 0 <= matched.chance <= 1


def test_seed_models_of_another_kind_are_refused(two_route):
    _, _, model = two_route
    with pytest.raises(ValueError, match="training seeds must share one architecture"):
        check_seed_models(model, [load_model("planted:integer")])
    other = reseeded(model, 1)
    with pytest.raises(ValueError, match="seed 1 is given more than once"):
        check_seed_models(model, [other, other])
    with pytest.raises(ValueError, match="not the audited model itself"):
        check_seed_models(model, [model])


def test_overlap_by_hand():
    one = Reruns("fresh batches", np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool))
    fitting = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], bool)
    frame = overlap_frame([one], fitting)
    assert frame["jaccard"].tolist() == pytest.approx([0.5, (0 + 0.5 + 0) / 3])
    assert degeneracy(overlap_frame([one], fitting[:1])) == 0
    assert np.isnan(degeneracy(overlap_frame([one], fitting[:0])))
    same = rerun_batches(np.tile([3.0, 2.0, 1.0], (2, 1)), 2, canonical=lambda masks: masks)
    assert same.kept.astype(int).tolist() == [[1, 1, 0], [1, 1, 0]]


def near(size: int, behaviour, m: int = 2):
    return search_masks(
        behaviour,
        np.array([4.0, 3.0, 2.0, 1.0]),
        Cut(size, epsilon=0.1, m=m),
        target=1.0,
        rng=np.random.default_rng(0),
    )


def test_every_verdict():
    only = near(2, lambda k: (k[:, 1] & ~k[:, 2]) * 1.0)
    assert only.distinct == 1
    assert judge(only, rivals=0, effective=2, whole=4) == "unique near the cut"
    assert judge(only, rivals=1, effective=2, whole=4) == "not unique"
    assert judge(only, rivals=0, effective=0, whole=4) == "empty"
    several = near(2, lambda k: k[:, 1] * 1.0)
    assert judge(several, rivals=0, effective=2, whole=4) == "not unique"
    for every in (only, several):
        assert judge(every, rivals=0, effective=4, whole=4) == "no compression"
    none = near(2, lambda k: k[:, 1] * 0.0)
    assert judge(none, rivals=0, effective=2, whole=4) == "undecided"


def test_the_whole_model_is_no_compression(tmp_path):
    model = load_model("planted:integer")
    options = ModelOptions(n=8, heldout=16, size=model.graph.n_edges, m=3, resamples=5)
    result = run_identify_model(model, "planted-integer", out=tmp_path, options=options)
    assert result.near.outcome == "no compression"
    assert result.verdict == "no compression"
    summary = result.summary.set_index("quantity")
    assert summary.loc["verdict", "note"].startswith("no compression: ")
    assert not summary["value"].isna().any()
    assert "unique" not in read_section(tmp_path).summary[0].replace("uniqueness", "")
    assert not result.rivals["rival"].any()
