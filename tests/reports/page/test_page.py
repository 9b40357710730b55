"""The page as text: self-contained, complete, escaped."""

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pandas as pd
import pytest

from circuitvar.audit.types import Audit, Verdict
from circuitvar.reports.page.data import page_data, place, script_json
from circuitvar.reports.page.headline import headline_sentences, verdict_tally
from circuitvar.reports.page.methods_text import methods_paragraph
from circuitvar.reports.page.render import report_page
from circuitvar.reports.page.tables import TABLES, further_tables
from tests.reports.toy_audit import GPT2_SMALL, toy_audit

ATTACK = '</script><img src=x onerror="window.owned=1"><script>window.owned=1</script>{{7*7}}'


def hostile_audit() -> Audit:
    """Every text a user controls carries an attack."""
    audit = toy_audit()
    edges = audit.edges.copy()
    edges.loc[0, ["edge", "src", "dst"]] = [f"{ATTACK}->m0", ATTACK, "m0"]
    edges["class"] = edges["class"] + ATTACK
    axes = tuple(
        replace(a, title=a.title + ATTACK, unit=ATTACK, note=ATTACK, key=a.key + ATTACK)
        for a in audit.axes
    )
    influence = audit.tables["influence"].assign(template=ATTACK + "$x_{$")
    similarity = audit.tables["similarity"].assign(
        run_a=lambda f: f["run_a"] + ATTACK, run_b=lambda f: f["run_b"] + ATTACK
    )
    return replace(
        audit,
        title=ATTACK,
        axes=axes,
        edges=edges,
        verdicts=(Verdict(ATTACK, ATTACK, "fail", ATTACK, ATTACK),),
        estimates=tuple(replace(e, name=e.name + ATTACK, estimand=ATTACK) for e in audit.estimates),
        tables={
            **audit.tables,
            "influence": influence,
            "similarity": similarity,
            f"neurons_{ATTACK}": pd.DataFrame({ATTACK: [ATTACK]}),
        },
        provenance={**audit.provenance, "model": ATTACK, ATTACK: ATTACK},
    )


@cache
def hostile_page() -> str:
    return report_page(hostile_audit())


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page():
    return report_page(toy_audit())


@pytest.fixture(scope="module")
def hostile():
    return Tags(hostile_page())


def test_page_needs_nothing_from_outside(page):
    tags = Tags(page).tags
    assert not [tag for tag, _ in tags if tag in ("link", "img", "iframe", "object", "embed")]
    for tag, attrs in tags:
        for name in ("src", "href", "xlink:href", "action"):
            value = attrs.get(name) or "#"
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value)
    assert "@import" not in page and not re.search(r"url\((?!#)", page)


def test_page_says_what_the_audit_says(page):
    text = " ".join(Tags(page).text)
    audit = toy_audit()
    for verdict in audit.verdicts:
        assert verdict.claim in text and verdict.reason in text and verdict.bar in text
    for axis in audit.axes:
        assert axis.title in text
    assert "Of 7 claims, 4 pass, 2 fail and 1 is undecided." in text
    assert page.count("<figure ") == 12


def test_same_audit_same_page():
    first, second = (report_page(toy_audit(), figures=[]) for _ in range(2))
    assert first == second


def test_hostile_values_stay_text(hostile):
    names = [tag for tag, _ in hostile.tags]
    assert "img" not in names
    kinds = [attrs.get("type", "runs") for tag, attrs in hostile.tags if tag == "script"]
    assert kinds == ["application/json", "application/json", "runs"]
    handlers = [name for _, attrs in hostile.tags for name in attrs if name.startswith("on")]
    assert handlers == []
    assert "{{7*7}}" in "".join(hostile.text) and "49" not in "".join(hostile.text[:40])


def test_ids_are_unique(page):
    ids = [attrs["id"] for _, attrs in Tags(page).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_page_of_gpt2_small_is_small_enough():
    audit = toy_audit(GPT2_SMALL, k=500)
    assert len(report_page(audit, figures=[]).encode()) < 4_000_000


def test_page_of_an_empty_audit():
    text = report_page(Audit("nothing yet", (), (), pd.DataFrame()))
    assert "nothing yet" in text and 'id="circuit"' not in text


@pytest.mark.parametrize("value", ["</script>", "<!--", "]]>", "a&b", "\u2028"])
def test_script_json_has_no_markup(value):
    import json

    text = script_json({"name": value})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"name": value}


def test_names_are_sent_once():
    data = page_data(toy_audit().edges)
    assert data["names"] is None
    assert len(data["src"]) == len(data["dst"]) == 479
    renamed = toy_audit().edges.assign(edge=lambda f: f["edge"] + "!")
    assert page_data(renamed)["names"][0].endswith("!")


def test_layers_go_left_to_right():
    names = ["input", "a0.h1", "m0", "a1.h0<q>", "a1.h0<v>", "logits", "odd"]
    at = {node["name"]: node for node in place(names)}
    assert [at[name]["x"] for name in names[:6]] == [0, 1, 2, 3, 3, 5]
    assert at["a1.h0<q>"]["label"] == at["a1.h0<v>"]["label"] == "a1.h0"
    assert at["odd"]["y"] > at["m0"]["y"]


def test_tally_counts_every_outcome():
    audit = toy_audit()
    both = tuple(replace(v, outcome="no compression") for v in audit.verdicts)
    assert verdict_tally(replace(audit, verdicts=both)) == "Of 7 claims, 7 are no compression."
    assert verdict_tally(replace(audit, verdicts=())) == ""


def test_headline_names_the_weakest_axis():
    assert "lowest under training seed" in " ".join(headline_sentences(toy_audit()))


def test_methods_paragraph_cites_what_it_uses():
    text, cited = methods_paragraph(toy_audit())
    assert {"nogueira2018", "hanna2024", "wang2022", "efron1979"} <= set(cited)
    assert "240 prompts from 8 templates" in text
    bare, cited = methods_paragraph(Audit("bare", (), (), pd.DataFrame()))
    assert "nogueira2018" not in cited and "prompts" not in bare


def test_further_tables_are_grouped_by_name():
    audit = toy_audit()
    one = pd.DataFrame({"x": [0.123456, 1.0]})
    tables = {**audit.tables, "neurons_labels": one, "rates": one, "empty": one.head(0)}
    sections = dict(further_tables(replace(audit, tables=tables)))
    assert list(sections) == ["Neuron explanations", "Further tables"]
    table = sections["Neuron explanations"][0]
    assert (table.title, table.heads, table.kinds) == ("Labels", ["x"], ["number"])
    assert (table.rows, table.total) == ([["0.1235"], ["1"]], 2)


CHECK_FRAMES = {
    "sampling": pd.DataFrame({"group": ["circuit"], "icc": [0.25], "design_effect": [2.0]}),
    "function": pd.DataFrame(
        {
            "axis": ["corruption"],
            "circuits": [5],
            "conditions": [5],
            "jaccard": [0.25],
            "phi": [0.5],
            "own": [0.75],
            "kept": [0.875],
            "kept_low": [0.8],
            "kept_high": [0.95],
            "random": [0.0],
            "best_random": [0.125],
            "reading": ["unstable structure, undecided function"],
        }
    ),
    "methods": pd.DataFrame({"method": ["eap"], "bias": [0.5], "rank": [0.25], "n": [24]}),
    "nulls": pd.DataFrame(
        {
            "null": ["centred bootstrap"],
            "kind": ["keeps noise, removes effects"],
            "observed": [0.88],
            "expected": [0.5571],
            "margin": [0.3229],
            "p": [0.025],
        }
    ),
    "prompt_clusters": pd.DataFrame(
        {"example": range(5), "template": list("aabbb"), "cluster": [0, 1, 1, 1, 1]}
    ),
    "runs": pd.DataFrame(
        {
            "axis": ["paraphrase"] * 2 + ["seed"],
            "run": ["a", "b", "pocket:1"],
            "circuit_error": [0.25, 0.75, 1.0],
            "kl": [1.0, 3.0, 4.0],
            "faithfulness": [0.4, 0.6, 0.7],
        }
    ),
    "noise": pd.DataFrame(
        {
            "amplitude": [1.0, 3.0],
            "jaccard": [0.5, 0.75],
            "circuit_error": [0.25, 0.5],
            "circuit_error_se": [0.1, 0.1],
            "gap": [2.0, 4.0],
        }
    ),
    "selection": pd.DataFrame(
        {
            "axis": ["bootstrap"] * 2,
            "group": ["all edges", "core"],
            "edges": [9, 3],
            "selection_variance": [2.0, 0.5],
            "share": [1.0, 0.25],
            "expected_symmetric_difference": [4.0, 1.0],
        }
    ),
    "agreement": pd.DataFrame({"axis": ["seed"], "runs": [5], "rbo": [0.5], "same_error": [2]}),
    "choices": pd.DataFrame({"response": ["score"], "effect": ["method"], "share": [0.75]}),
    "decision_study": pd.DataFrame({"templates": [12], "se": [0.25], "sentence": ["with 12"]}),
    "chance_edges": pd.DataFrame({"threshold": [0.9], "kept": [44], "r_concave": [0.5]}),
    "certificates": pd.DataFrame({"p_delete": [0.9], "inside": [44], "radius": [6.0]}),
}
CHECK_ROWS = {
    "sampling": [["circuit", "0.25", "2"]],
    "function": [
        ["corruption", "5", "5", "0.25", "0.5", "0.75", "0.875", "0.8", "0.95", "0.125",
         "unstable structure, undecided function"],
    ],
    "methods": [["eap", "0.5", "0.25"]],
    "nulls": [["centred bootstrap", "keeps noise, removes effects", "0.88", "0.5571", "0.3229",
               "0.025"]],
    "prompt_clusters": [["a", "1", "1"], ["b", "0", "3"]],
    "runs": [
        ["paraphrase", "2", "0.5", "0.4 to 0.6", "0.5", "0.25 to 0.75", "2", "1 to 3"],
        ["seed", "1", "0.7", "0.7 to 0.7", "1", "1 to 1", "4", "4 to 4"],
    ],
    "noise": [["1", "0.5", "0.25", "2"], ["3", "0.75", "0.5", "4"]],
    "selection": [["bootstrap", "2", "4", "0.25"]],
    "agreement": [["seed", "5", "0.5"]],
    "choices": [["score", "method", "0.75"]],
    "decision_study": [["12", "0.25"]],
    "chance_edges": [["0.9", "44", "0.5"]],
    "certificates": [["0.9", "44", "6"]],
}  # fmt: skip


def test_every_check_has_its_own_words():
    """Tables of the audit that no figure shows are summarised, titled and explained."""
    assert {record.key for record in TABLES} == set(CHECK_FRAMES)
    sections = dict(further_tables(replace(toy_audit(), tables=CHECK_FRAMES)))
    assert list(sections) == ["Checks"]
    for record, table in zip(TABLES, sections["Checks"], strict=True):
        assert table.title == record.title and len(table.note) > 60
        assert table.rows == CHECK_ROWS[record.key]
        assert len(table.kinds) == len(table.heads) == len(table.rows[0])
