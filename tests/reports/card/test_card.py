"""The card: schema, full precision, checksums, Markdown and badge."""

import json
from dataclasses import replace
from pathlib import Path
from xml.dom.minidom import parseString

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.types import Audit, Estimate
from circuitvar.reports.audit.summary import print_summary
from circuitvar.reports.card.cautions import null_sentence
from circuitvar.reports.card.document import (
    SCHEMA_FILE,
    card_text,
    check_schema,
    estimate_entry,
    make_card,
    plain,
    read_card,
    sealed,
)
from circuitvar.reports.card.numbers import read_estimate
from circuitvar.reports.card.texts import badge_svg, card_markdown, overall_outcome
from circuitvar.reports.page.headline import headline_sentences
from tests.reports.toy_audit import toy_audit


@pytest.fixture(scope="module")
def audit():
    return toy_audit()


@pytest.fixture(scope="module")
def card(audit):
    return make_card(audit, seconds=41.2)


def test_card_follows_its_schema(card):
    check_schema(card)


def test_schema_is_a_valid_schema():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text()))


def test_numbers_survive_at_full_precision(audit, card):
    back = json.loads(card_text(card))
    for axis, entry in zip(audit.axes, back["axes"], strict=True):
        assert entry["phi"]["value"] == axis.phi.value
        assert entry["jaccard"]["se"] == axis.jaccard.se
        kept = sum(row["runs"] * row["edges"] for row in entry["kept_by"])
        assert kept == axis.sizes.sum()
    assert [e["value"] for e in back["estimates"]] == [e.value for e in audit.estimates]


def test_times_are_kept_apart(audit, card):
    other = make_card(
        replace(audit, provenance={**audit.provenance, "started": "another day"}), seconds=1.0
    )
    assert other["checksum"] == card["checksum"]
    assert other["time"] != card["time"]
    without = [{k: v for k, v in c.items() if k != "time"} for c in (card, other)]
    assert card_text(without[0]) == card_text(without[1])


def test_missing_numbers_are_null():
    bare = Audit("bare", (), (), pd.DataFrame(), estimates=(Estimate("x", float("nan")),))
    card = make_card(bare)
    check_schema(card)
    assert card["estimates"][0]["value"] is None


def test_plain_unwraps_everything():
    value = {"a": np.float32(0.5), "b": (1, np.inf), "c": {2, 1}, "d": Path("x"), "e": np.arange(2)}
    assert plain(value) == {"a": 0.5, "b": [1, None], "c": [1, 2], "d": "x", "e": [0, 1]}


def test_reading_checks_format_and_schema(card, tmp_path):
    path = tmp_path / "card.json"
    path.write_text(card_text(card), encoding="utf-8")
    assert read_card(path) == json.loads(card_text(card))
    path.write_text(card_text({**card, "format": 2}), encoding="utf-8")
    with pytest.raises(ValueError, match="has format 2; this version reads format 1"):
        read_card(path)
    path.write_text(card_text({**card, "axes": [{}]}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"not a valid stability card: at axes/0, .* required"):
        read_card(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a JSON file"):
        read_card(path)
    with pytest.raises(ValueError, match="cannot read the card"):
        read_card(tmp_path / "absent.json")


def test_sealing_twice_changes_nothing(card):
    assert sealed(card) == card


def test_markdown_names_verdicts_numbers_and_checksum(card):
    text = card_markdown(card)
    assert card["checksum"] in text
    for verdict in card["verdicts"]:
        assert verdict["claim"] in text
    assert "Training seed" in text and "| pass |" in text


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "undecided"], "undecided"),
        (["pass", "fail", "undecided"], "fail"),
        (["no compression", "undecided"], "no compression"),
        ([], "undecided"),
    ],
)
def test_badge_shows_the_worst_verdict(outcomes, word):
    assert overall_outcome(outcomes) == word


def test_badge_is_escaped_xml(card):
    svg = badge_svg({**card, "title": "<script>&"})
    assert parseString(svg).getElementsByTagName("script") == []
    assert "fail" in svg


@pytest.mark.parametrize(
    ("interval", "unit", "found"),
    [
        ("none (4 units)", "template", ("", "template", "no interval from fewer than 8 templates")),
        ("none (2 runs)", "training seed", ("", "run", "no interval from fewer than 3 runs")),
        ("row jackknife t; 3 runs: conservative", "data set", ("runs", "run", "")),
        ("row jackknife t; fixed choices taken as a sample", "method", ("choices", "run", "")),
        ("subsampling, extrapolated; a few close calls decide", "", ("subsampling", "prompt", "")),
        ("delete-one-template jackknife t", "", ("jackknife", "template", "")),
    ],
)
def test_older_cards_say_kind_unit_and_what_is_missing_in_words(interval, unit, found):
    new = "kind unit missing".split()
    entry = estimate_entry(Estimate("phi", 0.9, n=4, interval=interval))
    older = {key: value for key, value in entry.items() if key not in new}
    again = read_estimate(older, unit=unit)
    assert tuple(getattr(again, name) for name in new) == found
    assert all(getattr(read_estimate(entry, unit=unit), name) == "" for name in new)


def test_the_null_stands_beside_the_headline(audit, capsys, tmp_path):
    columns = ["null", "kind", "observed", "expected", "margin", "p"]
    rows = [
        ("sign flips", "keeps noise, removes effects", 0.669, 0.41, 0.26, 0.01),
        ("bootstrap", "keeps noise, removes effects", 0.669, 0.563, 0.11, 0.04),
        ("shuffled", "destroys structure", 0.669, 0.9, -0.2, 0.9),
    ]
    found = replace(audit, tables={**audit.tables, "nulls": pd.DataFrame(rows, columns=columns)})
    said = null_sentence(found)
    assert "would agree to φ = 0.563" in said and "the data agree to 0.669 (p = 0.04" in said
    assert said in headline_sentences(found)
    print_summary(found, tmp_path, [])
    assert " ".join(said.split()) in " ".join(capsys.readouterr().out.split())
    assert null_sentence(replace(audit, tables={})) == ""
