"""A card is believed only when its numbers give its verdicts."""

import copy
import json
import random

import pandas as pd
import pytest

from circuitvar.reports.card import card_text, make_card, sealed
from circuitvar.reports.table_text import to_csv
from circuitvar.reports.tables import edges_frame, stability_frame
from circuitvar.reports.verify import verify_card, verify_path
from tests.toy_audit import toy_audit


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
    assert failed(verify_path(tmp_path)) == []
    (tmp_path / "stability.csv").write_text(to_csv(stability_frame(audit)))
    (tmp_path / "edges.csv").write_text(to_csv(edges_frame(audit)))
    assert failed(verify_path(tmp_path / "card.json")) == []
    frame = pd.read_csv(tmp_path / "edges.csv")
    frame.loc[0, "inclusion_bootstrap"] = 0.75
    (tmp_path / "edges.csv").write_text(to_csv(frame))
    frame = pd.read_csv(tmp_path / "stability.csv")
    frame.loc[1, "phi"] += 1e-4
    (tmp_path / "stability.csv").write_text(to_csv(frame))
    checks = {check.name: check for check in verify_path(tmp_path)}
    assert checks["edges.csv"].detail == "differs in inclusion_bootstrap"
    assert checks["stability.csv"].detail == "differs in phi of bootstrap"
