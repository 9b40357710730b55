"""A card is believed only when its numbers give its verdicts."""

import copy
import json
import random
import shutil
from importlib import import_module

import pandas as pd
import pytest

from circuitvar.audit.settings import Settings
from circuitvar.reports.card.document import card_text, make_card, sealed
from circuitvar.reports.compare.gate import check_runs
from circuitvar.reports.page import write
from circuitvar.reports.tables.frames import edges_frame, stability_frame
from circuitvar.reports.tables.text import to_csv
from circuitvar.reports.verify.checks import verify_card, verify_report
from circuitvar.tasks.catalog import get_task
from tests.reports.toy_audit import toy_audit

run_audit = import_module("circuitvar.reports.audit.run_audit")


@pytest.fixture(scope="module")
def card():
    return json.loads(card_text(make_card(toy_audit(), seconds=3.5)))


def failed(checks):
    return [check.name for check in checks if not check.ok]


def numbers_in(value, path=()):
    """Paths of every number of a JSON document."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield path
    if not isinstance(value, (dict, list)):
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from numbers_in(item, (*path, key))


def edited(card, path, change):
    """A copy of the card with the number at `path` changed."""
    new = copy.deepcopy(card)
    place = new
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return new


def test_an_untouched_card_passes(card):
    assert failed(verify_card(card)) == []


def test_every_single_number_edit_is_caught(card):
    draw = random.Random(0)
    paths = list(numbers_in(card))
    changes = [
        lambda v: v + 1,
        lambda v: v * 1.0000001 + 1e-12 if isinstance(v, float) else v + 2,
        lambda v: -v if v else 1,
        lambda v: 0 if v else 3,
    ]
    for _ in range(200):
        new = edited(card, draw.choice(paths), draw.choice(changes))
        try:
            assert failed(verify_card(new))
        except ValueError as error:
            assert "not a valid stability card" in str(error) or "has format" in str(error)


RESEALED = [
    (("axes", 0, "phi", "low"), 0.2, "verdicts"),
    (("axes", 1, "phi", "value"), 0.99, "phi: Bootstrap"),
    (("axes", 2, "chance"), 0.5, "chance Jaccard: Paraphrase"),
    (("axes", 0, "kept_by", 0, "edges"), 1, "counts: Complementary halves"),
    (("axes", 0, "sizes", 0), 11, "counts: Complementary halves"),
    (("axes", 0, "classes", "core"), 400, "counts: Complementary halves"),
    (("axes", 0, "jaccard", "high"), 0.1, "interval of Jaccard: Complementary halves"),
    (("estimates", 0, "low"), 0.1, "verdicts"),
    (("edges", "total"), 10, "edge counts"),
    (("verdicts", 0, "outcome"), "fail", "verdicts"),
    (("provenance", "bars", "phi"), 0.99, "verdicts"),
    (("components", 0, "share"), 1.5, "variance shares"),
]


@pytest.mark.parametrize(("path", "value", "name"), RESEALED, ids=lambda x: str(x))
def test_contradictions_are_caught_even_when_resealed(card, path, value, name):
    found = failed(verify_card(sealed(edited(card, path, lambda _: value))))
    assert "checksum" not in found
    assert name in found


def test_verdicts_without_bars_are_not_taken_on_trust(card):
    provenance = {k: v for k, v in card["provenance"].items() if k != "bars"}
    assert failed(verify_card(sealed({**card, "provenance": provenance}))) == ["verdicts"]


def test_tables_beside_the_card_must_agree(card, tmp_path):
    audit = toy_audit()
    (tmp_path / "card.json").write_text(card_text(card), encoding="utf-8")
    assert failed(verify_report(tmp_path)) == []
    (tmp_path / "stability.csv").write_text(to_csv(stability_frame(audit)))
    (tmp_path / "edges.csv").write_text(to_csv(edges_frame(audit)))
    assert failed(verify_report(tmp_path / "card.json")) == []
    frame = pd.read_csv(tmp_path / "edges.csv")
    frame.loc[0, "inclusion_bootstrap"] = 0.75
    (tmp_path / "edges.csv").write_text(to_csv(frame))
    frame = pd.read_csv(tmp_path / "stability.csv")
    frame.loc[1, "phi"] += 1e-4
    (tmp_path / "stability.csv").write_text(to_csv(frame))
    checks = {check.name: check for check in verify_report(tmp_path)}
    assert checks["edges.csv"].detail == "differs in inclusion_bootstrap"
    assert checks["stability.csv"].detail == "differs in phi of bootstrap"


def audit_into(folder):
    """Audit a planted model into a folder, without pictures."""
    settings = Settings(
        n=24, heldout=12, bootstrap=20, pairs=4, exact=0, fresh=0, random=10, size=6
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "make_figures", lambda audit: [])
        patch.setattr(run_audit, "circuit_figure", lambda audit: None)
        task = get_task("planted-gated")
        run_audit.run_audit(task, settings, model="planted:gated", out=folder, quiet=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole run folder with its scores, of a planted model."""
    folder = tmp_path_factory.mktemp("verify") / "run"
    audit_into(folder)
    return folder


def resealed(run, tmp_path, path, value):
    """A copy of the run whose card was changed and sealed again."""
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    card = json.loads((folder / "card.json").read_text())
    card = sealed(edited(card, path, lambda _: value))
    (folder / "card.json").write_text(card_text(card))
    return folder


def index_of(run, name):
    estimates = json.loads((run / "card.json").read_text())["estimates"]
    return [entry["name"] for entry in estimates].index(name)


def test_a_run_agrees_with_its_scores(run):
    checks = {check.name: check for check in verify_report(run)}
    assert [check for check in checks.values() if not check.ok] == []
    assert {"scores: bootstrap", "scores: edges", "tables/heldout.csv"} <= set(checks)


@pytest.mark.parametrize(
    ("path", "value", "name", "detail"),
    [
        (("axes", 0, "jaccard_cv"), 0.123, "scores: ", "jaccard_cv"),
        (("axes", 0, "phi", "se"), 0.0123, "scores: ", "phi.se"),
        (("edges", "in_circuit"), 3, "scores: edges", "edges.in_circuit"),
        (("random_circuits", "own"), 0.123, "tables/random_circuits.csv", "own"),
    ],
)
def test_what_a_card_could_hide_is_in_the_run_folder(run, tmp_path, path, value, name, detail):
    failures = [c for c in verify_report(resealed(run, tmp_path, path, value)) if not c.ok]
    assert any(c.name.startswith(name) and detail in c.detail for c in failures)


def test_estimates_are_recomputed_from_their_tables(run, tmp_path):
    for name, check in (("circuit accuracy", "tables/heldout.csv"),):
        place = ("estimates", index_of(run, name), "se")
        failures = [c for c in verify_report(resealed(run, tmp_path, place, 0.07)) if not c.ok]
        assert [c.name for c in failures if f"{name}.se" in c.detail] == [check]


def test_an_edited_edge_table_is_caught(run, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    frame = pd.read_csv(folder / "edges.csv")
    frame.loc[3, "score"] += 1e-6
    (folder / "edges.csv").write_text(to_csv(frame))
    checks = {check.name: check for check in verify_report(folder)}
    assert checks["scores: edges"].detail == "differs in score of edges.csv"


def test_scores_read_back_have_no_speed(run, tmp_path):
    """A second audit into the same folder reads its scores; the gate must not call that fast."""
    first = json.loads((run / "card.json").read_text())["time"]["seconds"]
    assert "scoring" in first
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    audit_into(folder)
    again = json.loads((folder / "card.json").read_text())["time"]["seconds"]
    assert "scoring" not in again and "stored scores" in again
    assert "speed ratio" not in set(check_runs(folder, run).frame()["measure"])
