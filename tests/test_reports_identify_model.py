"""Identifiability of a transformer: planted models whose number of routes is known."""

import numpy as np
import pandas as pd
import pytest

from circuitvar.circuits.model import load_model
from circuitvar.reports.identify_model import ModelOptions, near_edges, run_identify_model

SMALL = ModelOptions(n=40, heldout=16, size=4, m=8, resamples=40)


@pytest.fixture(scope="module")
def two_route(tmp_path_factory):
    out = tmp_path_factory.mktemp("identify")
    model = load_model("planted:two-route")
    return run_identify_model(model, "planted-two-route", out=out, options=SMALL), out, model


def test_a_model_with_two_routes_is_not_identified(two_route):
    result, _, _ = two_route
    assert result.near.outcome == "fail"
    assert result.near.count.known == "exact" and len(result.near.masks) == 2**8
    assert result.near.distinct >= 2
    assert result.rivals["rival"].any()
    best = result.rivals.loc[result.rivals["rival"], "jaccard"].min()
    assert best < 0.5
    assert result.overlap is not None
    assert result.overlap.true_degeneracy > result.overlap.method_noise


def test_files_hold_what_the_result_holds(two_route):
    result, out, model = two_route
    summary = pd.read_csv(out / "summary.csv", keep_default_na=False)
    assert list(summary["quantity"]) == list(result.summary["quantity"])
    assert set(summary["known"]) <= {"exact", "estimate", "lower bound"}
    edges = pd.read_csv(out / "edges.csv")
    assert len(edges) == 8 and set(edges["edge"]) <= set(model.graph.edge_names)
    assert {p.name for p in (out / "figures").iterdir()} == {"near_the_cut.svg", "near_the_cut.png"}
    frame = near_edges(result.near, model.graph.edge_names)
    np.testing.assert_allclose(frame["inclusion"], edges["inclusion"])


def test_the_whole_model_is_no_compression(tmp_path):
    model = load_model("planted:integer")
    options = ModelOptions(n=8, heldout=4, size=model.graph.n_edges, m=3, resamples=5)
    result = run_identify_model(model, "planted-integer", out=tmp_path, options=options)
    assert result.near.outcome == "no compression"
    note = result.summary.set_index("quantity")["note"]
    assert note["verdict: unique near the cut"] == "no compression"
    assert not result.rivals["rival"].any()
