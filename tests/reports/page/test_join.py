"""Joined sections: on the page, escaped, repeatable, replaceable, and nothing else changed."""

import re

import pytest

from circuitvar.reports.neurons.section import neuron_sentences
from circuitvar.reports.options import ModelChoice, PublishedOptions
from circuitvar.reports.page import write
from circuitvar.reports.page.join import MAX_BYTES, join_sections
from circuitvar.reports.page.section_file import SectionFigure, SectionTable, write_section
from circuitvar.reports.page.write import write_report
from circuitvar.reports.verify.checks import verify_report
from tests.reports.page.test_page import ATTACK, Tags
from tests.reports.test_browser import READY
from tests.reports.toy_audit import toy_audit
from tests.reports.toy_browser import CHROMIUM, Browser

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
HOSTILE_SVG = SVG.replace(
    "<rect",
    "<script>parent.owned=1;window.owned=1;fetch('http://example.org/')</script>"
    '<image href="http://example.org/x.png" width="9" height="9" onload="top.owned=1"/><rect',
)


def section(folder, *, kind="neurons", title="Neuron labels", rows=3, text="label", svg=SVG):
    """A folder with a table and a figure."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    lines = [f"n{i},{text},{i / 7!r}" for i in range(rows)]
    (folder / "units.csv").write_text("\n".join(["unit,best_label,share", *lines, ""]))
    (folder / "figures" / "votes.svg").write_text(svg)
    write_section(
        folder,
        kind=kind,
        title=title,
        summary=[f"{rows} units were labelled.", text],
        tables=[SectionTable("units.csv", f"Units {text}")],
        figures=[SectionFigure("figures/votes.svg", f"Votes {text}", f"Caption {text}")],
    )
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "make_figures", lambda audit: [])
    write_report(toy_audit(), tmp_path / "run")
    return tmp_path / "run"


def page_of(run):
    return (run / "report.html").read_text(encoding="utf-8")


def without_sections(page):
    return re.sub(r"(<!--joined (\w+)-->).*?(<!--/joined \2-->)", r"\1\3", page, flags=re.DOTALL)


def test_a_section_is_shown_and_nothing_else_changes(run, tmp_path):
    before = page_of(run)
    assert join_sections(run, [section(tmp_path / "n")]) == run / "report.html"
    page = page_of(run)
    assert without_sections(page) == before == without_sections(before)
    tags = Tags(page)
    text = " ".join(tags.text)
    for said in (
        "Neuron labels",
        "3 units were labelled.",
        "best label",
        "0.1429",
        "Caption label",
    ):
        assert said in text
    links = [attrs["href"] for tag, attrs in tags.tags if tag == "a"]
    ids = [attrs["id"] for _, attrs in tags.tags if "id" in attrs]
    assert "#joined-neurons" in links and ids.count("joined-neurons") == 1
    sources = [attrs["src"] for tag, attrs in tags.tags if tag == "img"]
    assert len(sources) == 1 and sources[0].startswith("data:image/svg+xml;base64,")


def test_joining_again_gives_the_same_bytes_in_any_order(run, tmp_path):
    neurons = section(tmp_path / "n")
    identify = section(tmp_path / "i", kind="identifiability", title="How many circuits?")
    join_sections(run, [neurons, identify])
    both = page_of(run)
    for folders in ([identify, neurons], [neurons], [run / "joined" / "neurons"]):
        join_sections(run, folders)
        assert page_of(run) == both
    assert both.index("joined-neurons") < both.index("joined-identifiability")


def test_a_section_of_the_same_kind_is_replaced(run, tmp_path):
    join_sections(run, [section(tmp_path / "old", title="Old labels")])
    join_sections(run, [section(tmp_path / "new", title="New labels", rows=2)])
    page = page_of(run)
    assert "New labels" in page and "Old labels" not in page
    assert (run / "joined" / "neurons" / "units.csv").read_text().count("\n") == 3


def test_long_tables_stop_and_say_where_the_rest_is(run, tmp_path):
    join_sections(run, [section(tmp_path / "n", rows=300)])
    assert "First 200 of 300 rows" in page_of(run)
    assert "joined/neurons/units.csv" in page_of(run)


def test_what_every_row_says_is_said_once(run, tmp_path):
    join_sections(run, [section(tmp_path / "n")])
    page = page_of(run)
    assert "Same in all rows: best label: label." in page
    assert page.count('<th scope="col" class="number">share</th>') == 1
    assert '<td class="text">label</td>' not in page


def test_a_published_circuit_is_a_section(run, tmp_path, monkeypatch):
    from circuitvar.reports.circuits.run_published import run_published

    model = "planted:gated"
    options = PublishedOptions(n=12, draws=5, methods=("eap",))
    run_published(model, where=ModelChoice(model), options=options, out=tmp_path / "p")
    join_sections(run, [tmp_path / "p"])
    page = page_of(run)
    assert "Published circuit: planted:gated" in page and ">Published circuit<" in page
    assert "keeps 1 of the metric as published" in page
    assert "eap finds 4 of its 4 edges again" in page


def test_neuron_audits_are_summed_up_in_sentences():
    best = {"unit": "m1.n3", "label": "verb", "verdict": "stable", "vote": 0.98, "held_out": 0.5}
    part = {"units": 9, "verdicts": {"stable": 7, "ambiguous": 2}, "best": [best]}
    none = {"units": 4, "verdicts": {"unidentified": 4}, "best": []}
    found = neuron_sentences({"neurons": part, "heads": none, "joint_substitution": 0.25})
    assert found[0] == "Labels of 9 neurons: 7 stable, 2 ambiguous."
    assert "m1.n3, verb (stable; wins 98% of resamples, held-out score 0.5)" in found[1]
    assert found[2] == "Labels of 4 heads: 4 unidentified."
    assert found[3].endswith("the substitution score is 0.25.")


def test_hostile_values_stay_text(run, tmp_path):
    text = ATTACK.replace(",", "").replace('"', "'")
    marks = "<!--joined sections--><!--/joined sections-->"
    join_sections(run, [section(tmp_path / "n", title=marks, text=text, svg=HOSTILE_SVG)])
    tags = Tags(page_of(run))
    kinds = [attrs.get("type", "runs") for tag, attrs in tags.tags if tag == "script"]
    assert kinds == ["application/json", "application/json", "runs"]
    assert not [name for _, attrs in tags.tags for name in attrs if name.startswith("on")]
    assert "{{7*7}}" in "".join(tags.text)
    again = page_of(run)
    join_sections(run, [tmp_path / "n"])
    assert page_of(run) == again


def test_verify_passes_and_notices_an_edit(run, tmp_path):
    names = [check.name for check in verify_report(run)]
    assert "joined sections" not in names
    join_sections(run, [section(tmp_path / "n")])
    assert {check.name: check.ok for check in verify_report(run)}["joined sections"]
    (run / "report.html").write_text(page_of(run).replace("3 units were", "4 units were"))
    (check,) = [check for check in verify_report(run) if check.name == "joined sections"]
    assert not check.ok and "join again" in check.detail
    join_sections(run, [])
    assert all(check.ok for check in verify_report(run) if check.name == "joined sections")
    (run / "joined" / "neurons" / "section.json").write_text("{}")
    assert not all(check.ok for check in verify_report(run))


def test_mistakes_are_one_sentence_and_change_nothing(run, tmp_path):
    neurons = section(tmp_path / "n")
    join_sections(run, [neurons])
    before = page_of(run)
    with pytest.raises(ValueError, match="two folders hold a section of one kind"):
        join_sections(run, [neurons, section(tmp_path / "m")])
    with pytest.raises(ValueError, match=r"holds no section\.json"):
        join_sections(run, [tmp_path])
    large = section(tmp_path / "l", svg=SVG + " " * MAX_BYTES)
    with pytest.raises(ValueError, match=r"would have 1\d\.\d MB"):
        join_sections(run, [large])
    crooked = section(tmp_path / "c")
    (crooked / "units.csv").write_text("a,b\n1\n")
    with pytest.raises(ValueError, match="rows of different lengths"):
        join_sections(run, [crooked])
    with pytest.raises(ValueError, match=r"cannot read .*report\.html"):
        join_sections(tmp_path, [neurons])
    (tmp_path / "old.html").write_text("<html></html>")
    (tmp_path / "old.html").rename(tmp_path / "report.html")
    with pytest.raises(ValueError, match="no place for sections"):
        join_sections(tmp_path, [neurons])
    assert page_of(run) == before
    assert sorted(path.name for path in (run / "joined").iterdir()) == ["neurons"]


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; install the Debian package `chromium`"
)
def test_a_joined_figure_is_drawn_and_its_script_is_dead(run, tmp_path):
    join_sections(run, [section(tmp_path / "n", svg=HOSTILE_SVG)])
    with Browser() as tab:
        tab.open(run / "report.html", ready=READY)
        tab.run("document.querySelector('.joined img').decode()")
        assert tab.run("document.querySelector('.joined img').naturalWidth") > 0
        assert tab.run("window.owned === undefined && top.owned === undefined")
        assert tab.run("document.querySelector('nav a[href=\"#joined-neurons\"]').textContent") == (
            "Neurons"
        )
        assert not [url for url in tab.requests if not url.startswith(("file:", "data:"))]
        assert tab.errors == []


def test_a_new_audit_into_the_folder_keeps_what_was_joined(run, tmp_path):
    join_sections(run, [section(tmp_path / "n")])
    joined = page_of(run)
    write_report(toy_audit(seed=1), run)
    assert "joined-neurons" in page_of(run) and page_of(run) != joined
    assert all(check.ok for check in verify_report(run) if check.name == "joined sections")
    write_report(toy_audit(), run)
    assert page_of(run) == joined


def test_a_damaged_joined_section_is_named_before_an_audit(run, tmp_path):
    join_sections(run, [section(tmp_path / "n")])
    write.check_writable(run)
    (run / "joined" / "neurons" / "units.csv").unlink()
    with pytest.raises(ValueError, match=r"joined/neurons cannot be put on the new page"):
        write.check_writable(run)
